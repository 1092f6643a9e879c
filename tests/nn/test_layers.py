"""Layers against dense or printed equivalents."""

import pytest
import torch
from torch import Tensor

from tmunet.nn.layers import BlockDiagonalLinear, FullPrecisionLinear, HeadNorm, split_heads, upsample_like


def dense(x: Tensor, weight: Tensor) -> Tensor:
    """(B, T, d) -> (3, B, T, d) by three d x d matrices."""
    return torch.stack([x @ torch.block_diag(*weight[:, :, 4 * j : 4 * j + 4]) for j in range(3)])


# heads of 8, 4, 6 (blocks of 4 channels span two heads), 8 and 6 channels
@pytest.mark.parametrize(("d", "heads"), [(8, 1), (8, 2), (12, 2), (24, 3), (24, 4)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_block_diagonal_projection_is_a_matrix_of_blocks(d: int, heads: int, dtype: torch.dtype) -> None:
    layer, x = BlockDiagonalLinear(d, outputs=3, heads=heads).to(dtype), torch.randn(2, 7, d, dtype=dtype)
    torch.testing.assert_close(layer(x), split_heads(dense(x, layer.weight), heads))


@pytest.mark.parametrize(("d", "heads"), [(8, 1), (8, 2), (12, 2)])
def test_gradients_of_a_block_diagonal_projection_are_finite_differences(d: int, heads: int) -> None:
    layer = BlockDiagonalLinear(d, outputs=3, heads=heads).double()
    x = torch.randn(2, 5, d, dtype=torch.float64, requires_grad=True)

    def function(x: Tensor, weight: Tensor) -> Tensor:
        result: Tensor = torch.func.functional_call(layer, {"weight": weight}, (x,))
        return result

    assert torch.autograd.gradcheck(function, (x, layer.weight))


def test_a_block_diagonal_projection_computes_in_bfloat16_under_autocast() -> None:
    layer, x = BlockDiagonalLinear(24, outputs=3, heads=3), torch.randn(2, 6, 24, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), split_heads(dense(x, layer.weight), 3), rtol=2**-6, atol=2**-4)
    gradients = torch.autograd.grad(y.float().square().sum(), (x, layer.weight))
    expected = torch.autograd.grad(dense(x, layer.weight).square().sum(), (x, layer.weight))
    for found, true in zip(gradients, expected, strict=True):
        assert found.dtype == torch.float32
        assert float((found - true).norm() / true.norm()) < 2**-5


def test_an_exported_block_diagonal_projection_is_the_same_function() -> None:
    layer, x = BlockDiagonalLinear(16, outputs=3, heads=2), torch.randn(2, 6, 16)
    torch.testing.assert_close(torch.export.export(layer, (x,)).module()(x), layer(x))


@pytest.mark.parametrize("heads", [2, 3, 4])  # D = 6 and 4; blocks of 4 channels span two heads of 6, and 3 of them
def test_heads_are_consecutive_channels(heads: int) -> None:
    x = torch.randn(2, 5, 12)
    h = split_heads(x, heads)
    assert h.shape == (heads, 2, 5, 12 // heads)
    assert torch.equal(torch.cat(list(h), dim=-1), x)


def test_the_norm_of_heads_is_a_group_norm_of_each_token() -> None:
    norm, x = HeadNorm(12), torch.randn(2, 5, 12)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    expected = torch.nn.functional.group_norm(x.flatten(0, 1), 3, norm.weight, norm.bias).reshape(2, 5, 12)
    torch.testing.assert_close(norm(split_heads(x, 3)), expected)


def test_a_full_precision_layer_is_float32_under_autocast() -> None:
    layer, x = FullPrecisionLinear(8, 2), torch.randn(3, 8)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x.bfloat16())
    assert torch.equal(y, layer(x.bfloat16().float()))


def test_the_gradient_of_an_upsampled_map_in_channels_last_does_not_depend_on_its_layout() -> None:
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64).contiguous(memory_format=torch.channels_last).requires_grad_()
    skip, weight = torch.randn(2, 2, 8, 10, dtype=torch.float64), torch.randn(2, 5, 8, 10, dtype=torch.float64)
    layouts = []
    up = upsample_like(x, skip)
    up.register_hook(lambda g: layouts.append(g.is_contiguous(memory_format=torch.channels_last)))  # type: ignore[no-untyped-call]
    (found,) = torch.autograd.grad((torch.cat([up, skip], 1) * weight).sum(), x)
    plain = torch.nn.functional.interpolate(x, (8, 10), mode="bilinear", align_corners=False)
    (expected,) = torch.autograd.grad((torch.cat([plain, skip], 1) * weight).sum(), x)
    torch.testing.assert_close(found, expected)
    assert layouts == [True]
