"""TM-UNet for inference: its fine stages tile by tile, against the network with whole maps."""

from typing import Literal

import pytest
import torch
from torch import Tensor

import tmunet.nn.inference.tiled_tmunet as tiled
from tmunet.nn.inference.fused_conv_pool import InferenceConvPoolStage
from tmunet.nn.inference.optimize import optimize_for_inference
from tmunet.nn.mstm import MSTMConfig
from tmunet.nn.tmunet import SIZES, TMUNet, TMUNetConfig

from .random_weights import randomized
from .tokens import distance


def small(refine: Literal["separable", "full"] = "separable", xlstm: bool = True) -> TMUNet:
    mstm = MSTMConfig(scales=(3,), heads=2) if xlstm else MSTMConfig(xlstm=False, pooling=False, dwconv=False)
    return randomized(TMUNet(TMUNetConfig(1, 3, (4, 4, 8, 8, 8), refine, mstm)))


@pytest.fixture
def heights(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every map is large, and a tile has two rows of a 40 pixel wide map; the heights of the images in the first stage."""
    monkeypatch.setattr(tiled, "LARGE", 0)
    monkeypatch.setattr(tiled, "TILE", 2 * 2 * 4 * 40 * 8)
    heights: list[int] = []
    whole = InferenceConvPoolStage.forward

    def forward(stage: InferenceConvPoolStage, x: Tensor) -> Tensor:
        if stage.convolution.in_channels == 1:
            heights.append(x.shape[2])
        return whole(stage, x)

    monkeypatch.setattr(InferenceConvPoolStage, "forward", forward)
    return heights


@pytest.mark.parametrize("size", [(32, 40), (34, 37), (37, 40), (33, 33)])
@pytest.mark.parametrize("B", [1, 3])
@pytest.mark.parametrize("refine", ["separable", "full"])
@torch.no_grad()
def test_tiles_are_the_whole_map(
    size: tuple[int, int], B: int, refine: Literal["separable", "full"], heights: list[int]
) -> None:
    network = small(refine)
    x = torch.randn(B, 1, *size, dtype=torch.float64)
    expected = network(x)
    heights.clear()
    assert distance(optimize_for_inference(network)(x), expected) < 1e-9
    assert len(heights) == B * -(-(size[0] // 2) // 2)  # two rows of the pooled map a tile, image by image
    assert max(heights) <= 2 * (2 + 2) + 1


@torch.no_grad()
def test_a_decoder_without_token_memory(heights: list[int]) -> None:
    network, x = small(xlstm=False), torch.randn(1, 1, 64, 80, dtype=torch.float64)
    assert distance(optimize_for_inference(network)(x), network(x)) < 1e-9


@torch.no_grad()
def test_a_small_image_is_not_tiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(tiled, "_rows", fail)
    network, x = small(), torch.randn(2, 1, 64, 64, dtype=torch.float64)
    assert distance(optimize_for_inference(network)(x), network(x)) < 1e-9


@pytest.mark.parametrize("name", SIZES)
@torch.no_grad()
def test_every_size_is_within_1e_5_in_float32(name: str) -> None:
    torch.manual_seed(0)
    network, x = TMUNet(SIZES[name]).eval(), torch.randn(2, 3, 96, 70)
    torch.testing.assert_close(optimize_for_inference(network)(x), network(x), rtol=0, atol=1e-5)


def test_the_form_refuses_what_the_network_refuses() -> None:
    with pytest.raises(ValueError, match="32"):
        optimize_for_inference(small())(torch.zeros(1, 1, 16, 64, dtype=torch.float64))
