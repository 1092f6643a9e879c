"""Contract of every network by name. A new network needs a row in PINNED, and one in DEAD if it has unused parameters.

One size of each architecture runs always, U-Nets with narrow widths but for what is pinned; the other sizes, the named widths,
and all image sizes one by one, are marked `slow`, as is nnU-Net's network, whose arithmetic `lab/baselines/test_nnunet.py` tests.
"""

import copy
import functools
import pickle
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tmunet.macs import count_macs, count_parameters
from tmunet.nn.inference.optimize import optimize_for_inference
from tmunet.registry import create_model, list_models

PINNED = {  # name: (parameters, multiply-accumulates of one 3 x 512 x 512 image)
    "tmunet_t": (266_017, 525_388_032),
    "tmunet_s": (1_016_577, 1_786_855_936),
    "tmunet_b": (3_971_521, 6_508_823_552),
    "tmunet_lite0": (3_143_033, 2_132_129_504),
    "tmunet_lite1": (3_907_705, 2_744_858_336),
    "tmunet_lite2": (4_547_305, 3_124_784_960),
    "unet_lite0": (5_198_161, 11_528_615_648),
    "tmunet2_t": (284_177, 262_758_400),
    "tmunet2_s": (579_873, 474_660_864),
    "tmunet2_b": (1_152_841, 1_242_578_944),
    "unet": (13_395_329, 123_681_636_352),
    "unet_classic": (31_037_633, 192_669_548_544),
    "nnunet": (46_323_111, 59_735_277_568),
    "ulite": (878_417, 2_946_039_808),
    "tinyunet": (481_105, 6_243_483_648),
    "rolling_unet_s": (1_783_185, 8_280_866_816),
    "rolling_unet_m": (7_098_401, 32_869_187_584),
    "rolling_unet_l": (28_324_929, 130_968_190_976),
    "unext": (1_471_921, 2_248_015_872),
    "unext_s": (253_561, 396_918_784),
    "mkunet_t": (27_384, 198_130_640),
    "mkunet_s": (93_050, 416_633_920),
    "mkunet": (315_566, 1_110_323_968),
    "mkunet_m": (1_150_166, 3_533_843_968),
    "mkunet_l": (3_758_118, 12_258_871_808),
    "zigrir": (24_568_424, 11_042_553_856),
    "tmunet_released_t": (388_561, 3_188_267_776),
    "tmunet_released_s": (1_476_513, 7_144_093_184),
    "tmunet_released_b": (5_750_785, 17_358_416_896),
    "monai_basicunet": (1_979_009, 19_931_332_608),
    "monai_attentionunet": (1_987_705, 10_657_464_320),
    "monai_segresnet": (395_121, 3_934_257_152),
}
MKUNET = ("unused_heads.",)
ROLLING_UNET = ("encoder4.1.unused_norm.", "bottleneck.1.unused_norm.", "decoder4.0.unused_norm.")
ZIGRIR = (
    "idle_",
    *(f"stages.{s}.outer.{j}.spatial.idle_" for s, depth in enumerate((2, 4, 9, 2)) for j in range(depth)),
    *(f"stages.{s}.inner.{j}.spatial.idle_" for s, depth in enumerate((1, 1, 2, 1)) for j in range(depth)),
)
TMUNET_RELEASED = tuple(f"{stage}.block.idle_" for stage in ("encoder4.1", "encoder5.1", "memory1", "memory2"))
DEAD = {  # name: how the names of parameters begin that the original owns and never uses
    "rolling_unet_s": ROLLING_UNET,
    "rolling_unet_m": ROLLING_UNET,
    "rolling_unet_l": ROLLING_UNET,
    **dict.fromkeys(("mkunet_t", "mkunet_s", "mkunet", "mkunet_m", "mkunet_l"), MKUNET),
    "zigrir": ZIGRIR,
    "tmunet_released_t": TMUNET_RELEASED,
    "tmunet_released_s": TMUNET_RELEASED,
    "tmunet_released_b": TMUNET_RELEASED,
}
BFLOAT16 = {  # name: the tolerance, relative to the largest logit, where it is not 0.05
    "nnunet": 0.2,  # rounding errors grow by a fifth at each of 30 InstanceNorms, most at the last, over 2 x 2 pixels
}


def test_every_network_is_pinned() -> None:
    assert set(PINNED) == set(list_models())


OTHER_SIZES = (
    *("tmunet_s", "tmunet_b", "tmunet2_t", "tmunet2_s", "tmunet_lite1", "tmunet_lite2"),
    *("rolling_unet_m", "rolling_unet_l", "tmunet_released_s", "tmunet_released_b"),
    *("unext_s", "mkunet_t", "mkunet_s", "mkunet_m", "mkunet_l"),
)
WIDE = ("unet", "unet_classic")
NARROW = {f"{name}, narrow": name for name in WIDE}
NARROW_WIDTHS = (8, 16, 24, 32, 40)


def names(
    slow: Iterable[str] = (*OTHER_SIZES, *WIDE, "nnunet"), nightly: str = "", narrow: bool = True
) -> list[object]:
    """All networks, and narrow ones in place of wide ones; some are slow, and one may be left to the nightly tests."""
    marks = {**dict.fromkeys(slow, pytest.mark.slow), nightly: pytest.mark.nightly}
    return [pytest.param(name, marks=marks.get(name, ())) for name in (*list_models(), *(NARROW if narrow else ()))]


def create(name: str, in_channels: int = 3, num_classes: int = 1) -> nn.Module:
    """A network by its name, or a narrow one."""
    model_args = {"widths": NARROW_WIDTHS} if name in NARROW else {}
    return create_model(NARROW.get(name, name), in_channels, num_classes, **model_args)


def logits(network: nn.Module, image: Tensor) -> Tensor:
    with torch.no_grad():
        result: Tensor = network(image)
    return result


def images(network: nn.Module, height: int, width: int, count: int = 1, channels: int = 3) -> Tensor:
    """Noise of this size, or of the nearest that the network takes."""
    return torch.rand(count, channels, *network.input_size.nearest(height, width))


@functools.cache
def fresh(name: str) -> nn.Module:
    """With fresh weights, in eval mode; shared, so not to be changed."""
    return create(name).eval()


@functools.cache
@torch.no_grad()
def trained_a_little(name: str) -> nn.Module:
    """In eval mode, with running statistics that are no longer those of a fresh network; shared, so not to be changed."""
    network = create(name, num_classes=2).train()
    for _ in range(2):
        network(images(network, 64, 96, count=2))
    return network.eval()


def assert_near(result: Tensor, expected: Tensor, tolerance: float) -> None:
    """Relative to the largest logit."""
    assert result.shape == expected.shape
    assert (result - expected).abs().max() <= tolerance * expected.abs().max()


def check_size(network: nn.Module, height: int, width: int) -> tuple[int, int]:
    """The network takes an image of this size, or refuses it and takes the one that it names."""
    if not network.input_size.admits(height, width):
        H, W = network.input_size.nearest(height, width)
        with pytest.raises(ValueError, match=f"{height} x {width}; .* {H} x {W}"):
            network(torch.rand(1, 3, height, width))
        height, width = H, W
    result = logits(network, torch.rand(1, 3, height, width))
    assert result.shape == (1, 1, height, width)
    assert result.isfinite().all(), (height, width)
    return height, width


@pytest.mark.parametrize("name", names((*OTHER_SIZES, "zigrir"), narrow=False))
def test_parameters_and_macs_are_pinned(name: str) -> None:
    assert (count_parameters(fresh(name)), count_macs(fresh(name))) == PINNED[name]


@pytest.mark.parametrize("name", names())
def test_every_parameter_learns_but_the_declared_ones(name: str) -> None:
    # MK-UNet's attention has hidden layers of one ReLU, which some weights leave at zero
    draws = 6 if name.startswith("mkunet") else 1
    silent = [silent_parameters(create(name, num_classes=2).train(), DEAD.get(name, ())) for _ in range(draws)]
    assert set.intersection(*silent) == set()


def silent_parameters(network: nn.Module, dead: tuple[str, ...]) -> set[str]:
    """Names of the parameters whose gradient is 0 everywhere; those declared dead have none at all."""
    result = network(images(network, 64, 96, count=2))
    results = result if isinstance(result, tuple) else (result,)  # deep supervision
    sum((logits * torch.randn_like(logits)).sum() for logits in results).backward()
    silent = set()
    for name, parameter in network.named_parameters():
        if name.startswith(dead):
            assert parameter.grad is None, name
            continue
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        if not parameter.grad.any():
            silent.add(name)
    return silent


@pytest.mark.parametrize("name", names())
class TestNetworkContract:
    @pytest.mark.parametrize(("in_channels", "num_classes"), [(1, 2), (3, 5), (4, 1)])
    def test_channels_and_classes(self, name: str, in_channels: int, num_classes: int) -> None:
        network = create(name, in_channels, num_classes).eval()
        image = images(network, 32, 40, channels=in_channels)
        result = logits(network, image)
        assert result.shape == (1, num_classes, *image.shape[2:])
        assert result.dtype == torch.float32

    @settings(max_examples=8, deadline=None, derandomize=True)
    @given(height=st.integers(32, 96), width=st.integers(32, 96))
    def test_a_size_is_taken_or_refused_with_one_that_fits(self, name: str, height: int, width: int) -> None:
        check_size(fresh(name), height, width)

    @pytest.mark.slow
    def test_every_height_and_width_from_32_to_96_is_taken_or_refused(self, name: str) -> None:
        network, done = fresh(name), set()
        for height in range(32, 97):
            width = 128 - height  # together they pass through every size, in a small area
            if network.input_size.admits(height, width) or network.input_size.nearest(height, width) not in done:
                done.add(check_size(network, height, width))

    def test_the_form_for_inference_is_the_same_function(self, name: str) -> None:
        network = trained_a_little(name)
        before = copy.deepcopy(network.state_dict())
        image = images(network, 61, 64)
        assert_near(logits(optimize_for_inference(network), image), logits(network, image), 1e-5)
        assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())

    def test_eval_is_deterministic_and_has_no_memory_of_other_images(self, name: str) -> None:
        network = trained_a_little(name)
        image = images(network, 61, 64)
        first = logits(network, image)
        logits(network, images(network, 64, 47))
        assert torch.equal(logits(network, image), first)

    def test_a_batch_is_its_images_one_by_one(self, name: str) -> None:
        network = trained_a_little(name)
        batch = images(network, 61, 64, count=2)
        singles = torch.cat([logits(network, image[None]) for image in batch])
        assert_near(logits(network, batch), singles, 1e-5)

    def test_weights_survive_a_safetensors_file(self, name: str, tmp_path: Path) -> None:
        network = trained_a_little(name)
        image = images(network, 64, 64)
        save_file(network.state_dict(), tmp_path / "model.safetensors")
        other = create(name, num_classes=2).eval()
        assert not torch.equal(logits(other, image), logits(network, image))
        other.load_state_dict(load_file(tmp_path / "model.safetensors"))
        assert torch.equal(logits(other, image), logits(network, image))

    def test_copies_and_pickles_are_the_same_network(self, name: str) -> None:
        network = copy.deepcopy(trained_a_little(name))
        image = images(network, 64, 64)
        expected = logits(network, image)
        copied, unpickled = copy.deepcopy(network), pickle.loads(pickle.dumps(network))
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.zero_()
        assert torch.equal(logits(copied, image), expected)
        assert torch.equal(logits(unpickled, image), expected)


# Zig-RiR takes a minute: 17 blocks of RWKV within RWKV, nothing repeats
@pytest.mark.parametrize("name", names(set(PINNED) - {"tmunet_t"}, nightly="zigrir"))
def test_the_exported_program_is_the_same_function(name: str) -> None:
    network = trained_a_little(name)
    program = torch.export.export(network, (images(network, 64, 64),))
    other = images(network, 64, 64)
    assert_near(logits(program.module(), other), logits(network, other), 1e-5)


# a processor without bfloat16 instructions takes a minute and a half for the 15 billion products of nnU-Net
@pytest.mark.parametrize("name", names(nightly="nnunet"))
def test_bfloat16_is_finite_and_near_float32(name: str) -> None:
    network = trained_a_little(name)
    image = images(network, 33, 48)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = logits(network, image)
    assert result.isfinite().all()
    assert_near(result.float(), logits(network, image), BFLOAT16.get(name, 0.05))
