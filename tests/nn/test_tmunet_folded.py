"""TM-UNet for inference: its fine stages strip by strip, against the network in one piece."""

from typing import Literal

import pytest
import torch
from torch import Tensor

import tmunet.nn.inference.strips as strips
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
    """Everything is large, and a strip has two rows of a 40 pixel wide map; the heights that the first stage sees."""
    monkeypatch.setattr(strips, "LARGE", 0)
    monkeypatch.setattr(strips, "STRIP", 2 * 2 * 4 * 40 * 8)
    seen: list[int] = []
    whole = TMUNet.first

    def first(network: TMUNet, x: Tensor) -> Tensor:
        seen.append(x.shape[2])
        return whole(network, x)

    monkeypatch.setattr(TMUNet, "first", first)
    return seen


@pytest.mark.parametrize("size", [(32, 40), (34, 37), (37, 40), (33, 33)])
@pytest.mark.parametrize("B", [1, 3])
@pytest.mark.parametrize("refine", ["separable", "full"])
@torch.no_grad()
def test_strips_are_the_whole(
    size: tuple[int, int], B: int, refine: Literal["separable", "full"], heights: list[int]
) -> None:
    network = small(refine)
    x = torch.randn(B, 1, *size, dtype=torch.float64)
    expected = network(x)
    heights.clear()
    assert distance(optimize_for_inference(network)(x), expected) < 1e-9
    assert len(heights) == B * -(-(size[0] // 2) // 2)  # two rows of the pooled map a strip, image by image
    assert max(heights) <= 2 * (2 + 2) + 1


@torch.no_grad()
def test_a_decoder_without_token_memory(heights: list[int]) -> None:
    network, x = small(xlstm=False), torch.randn(1, 1, 64, 80, dtype=torch.float64)
    assert distance(optimize_for_inference(network)(x), network(x)) < 1e-9


@torch.no_grad()
def test_a_small_image_stays_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(strips, "_strips", fail)
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
