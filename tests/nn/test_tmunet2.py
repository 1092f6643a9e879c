"""TM-UNet 2: the shapes of its stages, its axial convolution in another form, what it refuses, and its parts."""

from collections.abc import Iterable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tmunet.macs import count_macs
from tmunet.nn.inference.fused_axial import InferenceAxialConv
from tmunet.nn.inference.optimize import optimize_for_inference
from tmunet.nn.mstm import MSTMBlock
from tmunet.nn.tmunet2 import SIZES, AxialConv, TMUNet2

from .random_weights import randomized

STAGES = ("bottleneck", "memory4", "decoder3", "decoder2")


def shapes(network: TMUNet2, modules: Iterable[nn.Module], image: Tensor) -> list[tuple[int, ...]]:
    """Shapes of what some modules of the network return, in the order in which they run."""
    found: list[tuple[int, ...]] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        found.append(tuple(output.shape))

    for module in modules:
        module.register_forward_hook(note)
    with torch.no_grad():
        network.eval()(image)
    return found


@pytest.mark.parametrize("name", SIZES)
def test_stages_have_the_channels_and_resolutions_of_the_configuration(name: str) -> None:
    config = SIZES[name]
    resolutions = [4, 8, 16, 32] if config.stem_stride == 4 else [2, 4, 8, 16, 32]
    down = [(1, C, 96 // r, 64 // r) for C, r in zip(config.widths, resolutions, strict=True)]
    up = [(1, D, 96 // r, 64 // r) for D, r in zip(config.decoder_widths, (4, 8, 16, 32), strict=True)]
    network = TMUNet2(config)
    stages = (*network.encoder, *(network.get_submodule(name) for name in STAGES))
    assert shapes(network, stages, torch.rand(1, 3, 96, 64)) == [*down, *reversed(up)]


@pytest.mark.parametrize("name", SIZES)
def test_no_convolution_writes_at_the_resolution_of_the_image(name: str) -> None:
    network = TMUNet2(SIZES[name])
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    found = shapes(network, convolutions, torch.rand(1, 3, 128, 128))
    assert max(shape[2] for shape in found) == 128 // network.config.stem_stride
    assert found[-1] == (1, 1, 32, 32)


def test_an_axial_convolution_is_the_square_convolution_of_a_cross() -> None:
    layer = randomized(AxialConv(3))
    norm, x = layer.norm, torch.randn(2, 3, 9, 8, dtype=torch.float64)
    cross = torch.zeros(3, 1, 7, 7, dtype=torch.float64)
    cross[:, :, :, 3] += layer.column.weight[..., 0]
    cross[:, :, 3, :] += layer.row.weight[:, :, 0]
    cross[:, :, 3, 3] += 1  # x itself
    y = nn.functional.conv2d(x, cross, padding=3, groups=3)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean, variance, weight, bias = (
        v[:, None, None] for v in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    expected = (y - mean) / torch.sqrt(variance + norm.eps) * weight + bias
    torch.testing.assert_close(layer(x), expected, rtol=1e-12, atol=1e-12)
    form = InferenceAxialConv(layer)
    torch.testing.assert_close(form(x), expected, rtol=1e-12, atol=1e-12)
    assert form.row.bias is None
    torch.testing.assert_close(layer(x), expected, rtol=1e-12, atol=1e-12)  # it stays as it is


@pytest.mark.parametrize("name", ["tmunet2_t", "tmunet2_b"])
def test_the_form_for_inference_has_no_batch_norm_and_is_the_same_function(name: str) -> None:
    network = randomized(TMUNet2(SIZES[name]))
    form, x = optimize_for_inference(network), torch.randn(1, 3, 45, 64, dtype=torch.float64)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in form.modules())
    expected = network(x)
    assert (form(x) - expected).abs().max() <= 1e-9 * expected.abs().max()


def test_without_token_memory_there_is_no_block() -> None:
    plain = TMUNet2(xlstm=False, pooling=False, dwconv=False)
    assert not any(isinstance(module, MSTMBlock) for module in plain.modules())
    assert sum(isinstance(module, MSTMBlock) for module in TMUNet2(layers=2).modules()) == 2
    assert plain(torch.zeros(2, 3, 64, 64)).shape == (2, 1, 64, 64)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"stem_stride": 3}, "`stem_stride`"),
        ({"widths": (8, 16, 32)}, "5 `widths`"),
        ({"stem_stride": 4}, "4 `widths`"),
        ({"widths": (0, 16, 32, 64, 128)}, "at least 1"),
        ({"decoder_widths": (8, 8, 30, 32)}, "multiples of 4 heads"),
    ],
)
def test_settings_that_do_not_fit_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TMUNet2(**fields)


def test_twice_the_side_is_at_most_four_times_the_arithmetic() -> None:
    network = TMUNet2(SIZES["tmunet2_t"])
    small, large = (count_macs(network, (side, side)) for side in (256, 512))
    assert 3.8 <= large / small <= 4.05
