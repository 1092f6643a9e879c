"""Zig-RiR: the shapes, stages and logits of the authors' code, its paths, and what it costs with and without WKV."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from tmunet.macs import count_parameters
from tmunet_lab.baselines import zigrir_mixing as zigrir_mix
from tmunet_lab.baselines.zigrir import DEPTHS, WIDTHS, WORD_WIDTHS, InnerBlock, WordMerge, ZigRiR, ZigRiRConfig
from tmunet_lab.baselines.zigrir_mixing import ChannelMix, SpatialMix, quad_shift, zigzag

from .recipes import (
    Fingerprint,
    assert_fingerprint,
    assert_same,
    assert_taps,
    fill_b,
    picture,
    sequence,
    shape_digest,
)

MACS_WITHOUT_WKV = 10_974_396_416
FINGERPRINTS = {  # side of the image; recipe B, with the sums of the original kernel
    64: Fingerprint(
        (-2.0676634e00, 1.0362732e00, -7.1058622e00, 1.7479092e00),
        (-1.6647476e00, -2.6841928e00, -2.4385908e00, -9.3594080e-01, -1.6864375e00),
    ),
    128: Fingerprint(
        (-2.5018870e00, 1.4991598e00, -8.7598528e00, 4.8400888e00),
        (-3.0509411e00, -4.0616128e00, -4.4054267e00, -3.7451685e00, -3.9126547e00),
    ),
}
TAPS = {  # recipe B, 128 pixels
    "stem.inner": (5.5853492e-01, 6.3564675e-01),
    "stem.outer": (2.8320787e-01, 4.3825278e-01),
    "stages.0.inner.0.spatial": (3.0331564e-02, 6.5657139e-01),
    "stages.0.inner.0.channel": (-5.0201036e-01, 1.2799701e00),
    "stages.0.outer.0.spatial": (3.1301573e-02, 1.4354173e00),
    "stages.0.outer.0.channel": (-4.1608027e-01, 1.9757475e00),
    "stages.0.outer.1": (-3.8635932e-01, 4.5729707e00),
    "merge_words.0": (7.8156770e-01, 1.4210417e00),
    "merge_sentences.0": (-1.2198814e-01, 1.4228543e00),
    "stages.1.outer.3": (-3.0026835e-01, 7.2089552e00),
    "stages.2.outer.8": (-4.2234675e-01, 1.4318626e01),
    "stages.3.outer.1": (-8.0105938e-03, 3.0105010e00),
    "up.0": (1.1234303e00, 1.8576433e00),
    "up.1": (1.6117140e00, 2.6348308e00),
    "up.2": (3.5171752e00, 5.5479711e00),
    "up.3": (5.2705288e-01, 1.0034540e00),
    "decoder3": (2.0152745e00, 3.2132293e00),
    "decoder2": (1.7984140e00, 2.6090547e00),
    "decoder1": (1.1708242e00, 1.8533473e00),
}
WORDS = {0: (8.6856124e-02, 1.8970318e00), 2: (-7.1209766e-01, 4.1254935e00), 3: (-5.0559318e-01, 2.4546484e00)}


@pytest.fixture(scope="module")
def network() -> ZigRiR:
    """With the weights of recipe B; the tests only read it."""
    return fill_b(ZigRiR(ZigRiRConfig(img_size=128)))


def test_parameters_have_the_shapes_of_the_original() -> None:
    with torch.device("meta"):
        original = ZigRiR()
    assert shape_digest(original) == "8057a7fb4ae7f40b"
    assert len(list(original.parameters())) == 430
    idle = sum(parameter.numel() for name, parameter in original.named_parameters() if "idle_" in name)
    assert idle == 298_604


@torch.no_grad()
@pytest.mark.parametrize("side", FINGERPRINTS)  # at 64 pixels the deepest grid is 1 x 1: its shifts leave nothing
def test_logits_are_those_of_the_original(network: ZigRiR, side: int) -> None:
    assert_fingerprint(network(picture(side)), FINGERPRINTS[side])


@torch.no_grad()
def test_stages_are_those_of_the_original(network: ZigRiR) -> None:
    words: dict[int, Tensor] = {}

    def keep(module: nn.Module, inputs: tuple[Tensor, Tensor], output: tuple[Tensor, Tensor]) -> None:
        words[len(words)] = output[0]

    handles = [stage.register_forward_hook(keep) for stage in network.stages]
    assert_taps(network, TAPS, picture(128))
    for handle in handles:
        handle.remove()
    for stage, expected in WORDS.items():
        output = words[stage]
        assert_same([float(output.mean()), float(output.std(correction=0))], expected, float(output.abs().max()))


@torch.no_grad()
@pytest.mark.parametrize(
    ("along_columns", "expected"),
    [
        (False, (-4.2579366e-01, 3.2156535e-01, 2.5091900e-03, -1.4124249e-01, -9.5392655e-01)),
        (True, (-4.2860305e-01, 3.1960998e-01, -7.5808321e-02, -1.2806456e-01, -9.5879063e-01)),
    ],
)
def test_a_spatial_mix_alone_is_that_of_the_original(along_columns: bool, expected: tuple[float, ...]) -> None:
    y = fill_b(SpatialMix(4, along_columns))(sequence(64, 10).reshape(1, 16, 4))
    found = (y.mean(), y.std(correction=0), y[0, 0, 0], y[0, 5, 2], y[0, 15, 3])
    assert_same([float(value) for value in found], expected, float(y.abs().max()))


def test_paths_are_those_of_the_original() -> None:
    assert zigzag(4, False).tolist() == [0, 1, 2, 3, 7, 6, 5, 4, 8, 9, 10, 11, 15, 14, 13, 12]
    columns = zigzag(4, True)
    assert columns.tolist() == [15, 11, 7, 3, 2, 6, 10, 14, 13, 9, 5, 1, 0, 4, 8, 12]
    assert columns[columns].tolist() == [12, 1, 14, 3, 7, 10, 5, 8, 4, 9, 6, 11, 15, 2, 13, 0]  # the second pass


@given(n=st.integers(1, 12), along_columns=st.booleans())
def test_a_path_visits_every_token_once_and_goes_to_a_neighbor(n: int, along_columns: bool) -> None:
    path = zigzag(n, along_columns)
    assert sorted(path.tolist()) == list(range(n * n))
    steps = (path // n).diff().abs() + (path % n).diff().abs()
    assert (steps == 1).all()


@given(H=st.integers(1, 5), W=st.integers(1, 5), C=st.integers(1, 11))
def test_quad_shift_takes_each_quarter_from_its_neighbor(H: int, W: int, C: int) -> None:
    x = 1 + torch.arange(2 * H * W * C).reshape(2, H, W, C)
    shifted = quad_shift(x)
    come_from = [(0, -1), (0, 1), (-1, 0), (1, 0)]  # row, column
    for c in range(C):
        dy, dx = come_from[c // (C // 4)] if c < C // 4 * 4 else (0, 0)
        for y in range(H):
            for column in range(W):
                inside = 0 <= y + dy < H and 0 <= column + dx < W
                expected = x[:, y + dy, column + dx, c] if inside else torch.zeros(2)
                assert torch.equal(shifted[:, y, column, c], expected.to(x.dtype))


@torch.no_grad()
def test_merged_words_stay_in_their_place_and_sentence() -> None:
    merge, words = WordMerge(2, 3), torch.randn(16, 16, 2)  # one image of 4 x 4 sentences
    before = merge(words, 4)
    assert before.shape == (4, 16, 3)
    words[6, 3] = torch.tensor([2.0, -1.0])  # the sentence at row 1, column 2; its word at row 0, column 3
    changed = (merge(words, 4) != before).any(-1)
    assert changed[[0, 2, 3]].sum() == 0  # it belongs to the joined sentence at row 0, column 1
    assert changed[1].nonzero().flatten().tolist() == [9, 10]  # pixel (4, 3) of 8 x 8, seen with stride 2


def sums_of_wkv(side: int) -> int:
    """Multiply-accumulates of every WKV for one image: two passes, numerator and denominator of all pairs."""
    total = 0
    for stage, (depth, C, c) in enumerate(zip(DEPTHS, WIDTHS, WORD_WIDTHS, strict=True)):
        sentences = (side // 8 // 2**stage) ** 2
        pairs = sentences**2 if sentences <= 32 else 2 * 32**2  # of tokens, or of segments in either direction
        total += 4 * depth * C * pairs + 4 * (2 if depth > 6 else 1) * c * 16**2 * sentences
    return total


def macs(network: ZigRiR, side: int) -> int:
    image = torch.empty(1, 3, side, side, device=network.head.weight.device, dtype=network.head.weight.dtype)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(image)
    return counter.get_total_flops() // 2


def test_macs_are_those_of_the_original_and_the_sums_of_wkv(network: ZigRiR, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MACS_WITHOUT_WKV + sums_of_wkv(512) == 11_042_553_856  # what the contract pins
    with_wkv = macs(network, 128)
    with torch.device("meta"):
        original = ZigRiR().eval()
    monkeypatch.setattr(zigrir_mix, "wkv", lambda *tensors: tensors[-1])
    assert with_wkv == macs(network, 128) + sums_of_wkv(128)
    assert macs(original, 512) == MACS_WITHOUT_WKV


@torch.no_grad()
def test_the_size_it_is_built_for_changes_idle_parameters_alone() -> None:
    networks = [ZigRiR(ZigRiRConfig(img_size=size)).eval() for size in (64, 192)]
    assert [count_parameters(network) for network in networks] == [24_306_280 + 64**2, 24_306_280 + 192**2]
    state = networks[0].state_dict()
    state["idle_sentence_positions"] = torch.randn(1, 24 * 24, 64)
    networks[1].load_state_dict(state)
    image = torch.rand(1, 3, 128, 128)
    assert torch.equal(networks[0](image), networks[1](image))


@torch.no_grad()
def test_weights_are_drawn_as_the_authors_draw_them() -> None:
    network = ZigRiR(ZigRiRConfig(img_size=64))
    block = network.stages[3].get_submodule("inner.0")
    assert isinstance(block, InnerBlock)
    assert float(block.project.weight.std()) == pytest.approx(0.02, rel=0.02)
    merge = network.merge_sentences[2].get_submodule("reduce")
    assert float(merge.weight.std()) == pytest.approx((2 / (9 * 512)) ** 0.5, rel=0.02)
    assert not merge.bias.any()
    assert float(block.spatial.idle_convolution.weight.std()) == pytest.approx((2 / 9) ** 0.5, rel=0.2)
    bound = (1 / (512 * 9)) ** 0.5  # PyTorch's own
    assert float(network.decoder3.refine[0].weight.abs().max()) == pytest.approx(bound, rel=0.01)


@pytest.mark.parametrize(("H", "W", "side"), [(63, 64, 64), (64, 128, 128), (150, 100, 192)])
def test_sizes_that_do_not_fit_are_errors(network: ZigRiR, H: int, W: int, side: int) -> None:
    message = f"64 pixels, divisible by 64, equal to each other, but got {H} x {W}; pad the image to {side} x {side}."
    with pytest.raises(ValueError, match=message):
        network(torch.zeros(1, 3, H, W))


@pytest.mark.parametrize("img_size", [0, -64, 100])
def test_a_size_that_it_cannot_be_built_for_is_an_error(img_size: int) -> None:
    with pytest.raises(ValueError, match=f"multiple of 64 pixels, but got {img_size}"):
        ZigRiRConfig(img_size=img_size)


@torch.no_grad()
def test_a_channel_mix_is_its_formula() -> None:
    mix, x = ChannelMix(8).double(), torch.randn(2, 9, 8).double()
    y = quad_shift(x.reshape(2, 3, 3, 8)).reshape(2, 9, 8)
    hidden = (y @ mix.key.weight.T).clamp(min=0) ** 2
    expected = hidden @ mix.value.weight.T / (1 + torch.exp(-y @ mix.receptance.weight.T))
    assert torch.allclose(mix(x), expected)
