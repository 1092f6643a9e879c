"""Block-diagonal projections of tokens, given head by head.

[q, k, v]_b = x_b W_b for each block b of 4 channels. The products are little arithmetic; what takes time is to bring their
results, four numbers here and four there, into the order of the heads. So the four move as one number of their joint size.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCK = 4  # channels
PACKING_DTYPES = {2: torch.complex64, 4: torch.complex128, 8: torch.complex128}  # by the bytes of a number


def project_blocks(x: Tensor, weight: Tensor, heads: int) -> Tensor:
    """q, k and v of every head; it can be differentiated once.

    Args:
        x: tokens (T, C).
        weight: (C / 4, 4, 3 * 4), of q, k, v.
        heads: among which the channels are dealt; their blocks may lie in two of them.

    Returns:
        (3, heads, T, D), D = C / heads.
    """
    T, C = x.shape
    if torch.is_autocast_enabled(x.device.type):
        x, weight = (y.to(torch.get_autocast_dtype(x.device.type)) for y in (x, weight))
    parts = heads if (C // heads) % BLOCK == 0 else 1  # with whole blocks
    if torch.compiler.is_compiling():  # a compiler orders by itself
        y = (_blocks(x) @ weight).reshape(parts, -1, T, 3, BLOCK).permute(3, 0, 2, 1, 4)
    else:
        y = _Projection.apply(x, weight, parts)  # type: ignore[no-untyped-call]
    y = y.reshape(3, parts, T, -1)
    return y if parts == heads else y.reshape(3, T, heads, -1).transpose(1, 2)


class _Projection(torch.autograd.Function):
    """Tokens (T, C) and weights -> (3, parts, T, blocks of a part, 4), and its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, parts: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        with torch.autocast(x.device.type, enabled=False):
            y = torch.bmm(_blocks(x), weight)  # (blocks, T, 3 * 4)
        return _permute_blocks(y.reshape(parts, -1, len(x), 3, BLOCK), 3, 0, 2, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight = ctx.saved_tensors
        with torch.autocast(x.device.type, enabled=False):
            dy = _permute_blocks(dy.contiguous(), 1, 3, 2, 0).reshape(len(weight), len(x), -1)  # (blocks, T, 3 * 4)
            dx = _permute_blocks(torch.bmm(dy, weight.mT), 1, 0)  # (T, blocks, 4)
            return dx.reshape(x.shape), torch.bmm(_blocks(x).mT, dy), None


def _blocks(x: Tensor) -> Tensor:
    """(T, C) -> (C / 4, T, 4), without a copy."""
    return x.reshape(len(x), -1, BLOCK).transpose(0, 1)


def _permute_blocks(y: Tensor, *order: int) -> Tensor:
    """The dimensions before the last, which is a block, in another order."""
    order = (*order, len(order))
    if y.device.type != "cpu":
        return y.permute(order).contiguous()
    return y.view(PACKING_DTYPES[y.element_size()]).permute(order).contiguous().view(y.dtype)
