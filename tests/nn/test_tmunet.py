"""TM-UNet: the shapes of its stages, what it refuses, what it costs (Table 3), and that it learns."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmunet.macs import count_macs, count_parameters
from tmunet.nn.mstm import MSTMConfig
from tmunet.nn.tmunet import SIZES, ConvPoolStage, TMUNet, TMUNetConfig

from . import hand_count

BUDGET = {"tmunet_b": 6.55e9, "tmunet_s": 1.80e9, "tmunet_t": 0.55e9}  # MACs at 512 x 512
FULL_MACS = {"tmunet_b": 14_917_092_352, "tmunet_s": 3_843_506_688, "tmunet_t": 1_016_842_496}
STAGES = {  # name: index of the width, the fraction of the resolution
    "encoder1": (0, 2),
    "encoder2": (1, 4),
    "encoder3": (2, 8),
    "encoder4": (3, 16),
    "encoder5": (4, 32),
    "decoder5": (3, 16),
    "decoder4": (2, 8),
    "decoder3": (1, 4),
    "decoder2": (0, 2),
    "decoder1": (0, 1),
}


TINY_FIRST = ["tmunet_t", *(pytest.param(name, marks=pytest.mark.slow) for name in ("tmunet_s", "tmunet_b"))]


def stage_shapes(network: TMUNet, image: Tensor) -> dict[str, tuple[int, ...]]:
    shapes = {}
    for name in STAGES:

        def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor, name: str = name) -> None:
            shapes[name] = tuple(output.shape)

        network.get_submodule(name).register_forward_hook(note)
    with torch.no_grad():
        network.eval()(image)
    return shapes


@pytest.mark.parametrize("name", SIZES)
def test_stages_have_the_channels_and_resolutions_of_the_paper(name: str) -> None:
    config = replace(SIZES[name], num_classes=5)
    shapes = stage_shapes(TMUNet(config), torch.rand(2, 3, 96, 64))
    assert shapes == {s: (2, config.widths[w], 96 // r, 64 // r) for s, (w, r) in STAGES.items()}


def test_decoder_stages_of_an_odd_image_have_the_size_of_their_skip() -> None:
    shapes = stage_shapes(TMUNet(SIZES["tmunet_t"]), torch.rand(1, 3, 97, 75))
    encoder = [(48, 37), (24, 18), (12, 9), (6, 5), (3, 3)]
    assert [shapes[f"encoder{n}"][2:] for n in range(1, 6)] == encoder
    assert [shapes[f"decoder{n}"][2:] for n in range(5, 0, -1)] == [*encoder[-2::-1], (97, 75)]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 3, 31, 64), "at least 32 pixels, but got 31 x 64; pad the image to 32 x 64."),
        ((1, 3, 100, 5), "at least 32 pixels, but got 100 x 5; pad the image to 100 x 32."),
        ((1, 1, 64, 64), r"Expected an image of shape \(B, 3, H, W\), but got \(1, 1, 64, 64\)."),
        ((3, 64, 64), r"Expected an image of shape \(B, 3, H, W\), but got \(3, 64, 64\)."),
    ],
)
def test_an_image_that_does_not_fit_is_an_error(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TMUNet(SIZES["tmunet_t"])(torch.zeros(shape))


def test_an_unknown_refinement_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"Expected `refine` to be one of \['separable', 'full'\], but got 'none'\."):
        TMUNet(TMUNetConfig(refine="none"))  # type: ignore[arg-type]


@torch.no_grad()
def test_an_encoder_stage_is_convolution_norm_relu_and_pooling() -> None:
    stage = ConvPoolStage(3, 4)
    convolution, norm, _, _ = stage
    x = torch.randn(2, 3, 9, 8)
    assert torch.equal(stage.eval()(x), F.max_pool2d(F.relu(norm(convolution(x))), 2))


@torch.no_grad()
def test_the_layout_of_the_image_in_memory_does_not_matter() -> None:
    network = TMUNet(SIZES["tmunet_t"]).eval()
    image = torch.rand(2, 3, 45, 64)
    assert torch.equal(network(image), network(image.contiguous(memory_format=torch.channels_last)))


@pytest.mark.parametrize("name", SIZES)
def test_parameters_are_those_counted_by_hand(name: str) -> None:
    config = replace(SIZES[name], in_channels=4, num_classes=3)
    assert count_parameters(TMUNet(SIZES[name])) == hand_count.parameters(config.widths)
    assert count_parameters(TMUNet(config)) == hand_count.parameters(config.widths, 4, 3)


@pytest.mark.parametrize("name", TINY_FIRST)
def test_cost_is_inside_the_budget_of_the_paper(name: str) -> None:
    assert count_macs(TMUNet(SIZES[name])) <= BUDGET[name]


@pytest.mark.parametrize("size", [(512, 512), (100, 75)])
def test_cost_is_that_counted_by_hand(size: tuple[int, int]) -> None:
    network = TMUNet(SIZES["tmunet_t"])
    assert count_macs(network, size) == hand_count.macs(network, size)


@pytest.mark.parametrize("name", TINY_FIRST)
def test_full_refinement_costs_more_than_twice_as_much_for_the_base_network(name: str) -> None:
    network = TMUNet(replace(SIZES[name], refine="full"))
    assert count_macs(network) == FULL_MACS[name]
    assert count_macs(network, (64, 64)) == hand_count.macs(network, (64, 64))


def discs() -> tuple[Tensor, Tensor]:
    """Four noisy images (4, 3, 64, 64) of a disc each, and their masks (4, 1, 64, 64)."""
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    centers = ((20, 20, 9), (40, 25, 14), (30, 45, 11), (45, 48, 7))
    masks = torch.stack([(rows - r) ** 2 + (columns - c) ** 2 <= s**2 for r, c, s in centers])[:, None].float()
    return masks + 0.5 * torch.randn(4, 3, 64, 64), masks


@pytest.mark.slow
def test_the_tiny_network_learns_four_images_by_heart() -> None:
    images, masks = discs()
    network = TMUNet(SIZES["tmunet_t"])
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    for _ in range(60):
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(network(images), masks).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        found = network.eval()(images) > 0
    dice = 2 * (found * masks).sum((1, 2, 3)) / (found.sum((1, 2, 3)) + masks.sum((1, 2, 3)))
    assert dice.min() >= 0.95


def test_fields_of_the_configuration_are_keywords() -> None:
    network = TMUNet(in_channels=1, widths=(8, 16, 32, 64, 128), refine="full", layers=2)
    assert network.config == TMUNetConfig(1, 1, (8, 16, 32, 64, 128), "full", MSTMConfig(layers=2))
    assert network.eval()(torch.rand(1, 1, 32, 32)).shape == (1, 1, 32, 32)


def test_keywords_change_a_given_configuration_and_leave_the_rest() -> None:
    config = replace(SIZES["tmunet_t"], num_classes=3)
    assert TMUNet(config).config == config
    assert TMUNet(config, mstm={"heads": 2}).config == replace(config, mstm=MSTMConfig(heads=2))
    assert TMUNet(config, mstm=MSTMConfig(heads=2), layers=3).config.mstm == MSTMConfig(heads=2, layers=3)


@pytest.mark.parametrize("fields", [{"channels": 1}, {"mstm": {"depth": 2}}, {"depth": 2}])
def test_an_unknown_field_is_an_error(fields: dict[str, object]) -> None:
    with pytest.raises(TypeError, match=r"channels|depth"):
        TMUNet(**fields)


def test_a_value_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ValueError, match="layers"):
        TMUNet(layers=0)
