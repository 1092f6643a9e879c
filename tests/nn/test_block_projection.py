"""Block-diagonal projections against one dense matrix, and their gradients against finite differences."""

import pytest
import torch
from torch import Tensor

from tmunet.nn.kernels.block_diagonal import project_blocks

CASES = [(8, 2), (24, 3), (32, 2), (8, 4), (12, 2)]  # channels and heads; of the last two, blocks lie in several heads


def dense(x: Tensor, weight: Tensor, heads: int) -> Tensor:
    """(T, C) -> (3, heads, T, D) by three C x C matrices."""
    T = len(x)
    matrices = [torch.block_diag(*weight[:, :, 4 * j : 4 * j + 4]) for j in range(3)]
    return torch.stack([(x @ matrix).reshape(T, heads, -1).transpose(0, 1) for matrix in matrices])


@pytest.mark.parametrize(("C", "heads"), CASES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_it_is_a_matrix_of_blocks(C: int, heads: int, dtype: torch.dtype) -> None:
    x, weight = torch.randn(7, C, dtype=dtype), torch.randn(C // 4, 4, 12, dtype=dtype)
    torch.testing.assert_close(project_blocks(x, weight, heads), dense(x, weight, heads))


@pytest.mark.parametrize(("C", "heads"), CASES)
def test_gradients_are_finite_differences(C: int, heads: int) -> None:
    x = torch.randn(5, C, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(C // 4, 4, 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, weight: project_blocks(x, weight, heads), (x, weight))


@pytest.mark.parametrize(("C", "heads"), CASES)
def test_autocast_takes_and_gives_bfloat16(C: int, heads: int) -> None:
    x, weight = (torch.randn(*shape, requires_grad=True) for shape in ((6, C), (C // 4, 4, 12)))
    with torch.autocast("cpu", torch.bfloat16):
        y = project_blocks(x, weight, heads)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), dense(x, weight, heads), rtol=2**-6, atol=2**-4)
    gradients = torch.autograd.grad(y.float().square().sum(), (x, weight))
    expected = torch.autograd.grad(dense(x, weight, heads).square().sum(), (x, weight))
    for found, true in zip(gradients, expected, strict=True):
        assert found.dtype == torch.float32
        assert float((found - true).norm() / true.norm()) < 2**-5


def test_a_compiler_sees_the_same_function() -> None:
    x, weight = torch.randn(6, 16), torch.randn(4, 4, 12)
    program = torch.export.export(Projection(), (x, weight)).module()
    torch.testing.assert_close(program(x, weight), project_blocks(x, weight, 2))


class Projection(torch.nn.Module):
    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        return project_blocks(x, weight, 2)
