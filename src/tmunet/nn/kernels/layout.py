"""Order of numbers in memory: copies and gradients that are fast on the CPU. No value changes."""

from typing import Any

import torch
from torch import Tensor

PACKED = {2: torch.complex64, 4: torch.complex128, 8: torch.complex128}  # by the bytes of one of four numbers


def permute_blocks(y: Tensor, *order: int) -> Tensor:
    """Permute all dimensions but the last, whose length is a multiple of 4, into a contiguous tensor.

    On the CPU the numbers of a block move as one of their joint size: a copy of four floats here and four there takes three times
    as long as that of one complex number.
    """
    if torch.compiler.is_compiling() or y.device.type != "cpu":  # there a copy is a kernel for this very order
        return y.permute(*order, len(order)).contiguous()
    permuted: Tensor = _PermuteBlocks.apply(y, order)  # type: ignore[no-untyped-call]
    return permuted


class _PermuteBlocks(torch.autograd.Function):
    """The gradient of a permutation is the inverse one."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, order: tuple[int, ...]) -> Tensor:
        ctx.order = order
        return y.contiguous().view(PACKED[y.element_size()]).permute(*order, len(order)).contiguous().view(y.dtype)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None]:
        inverse = sorted(range(len(ctx.order)), key=ctx.order.__getitem__)
        return permute_blocks(dy, *inverse), None


def channels_last_gradient(x: Tensor) -> Tensor:
    """Return the map x (B, C, H, W) itself; its gradient arrives in channels last.

    The gradient of one of several concatenated maps is a slice, for which torch leaves channels last for much slower kernels.
    """
    if x.requires_grad and not torch.compiler.is_compiling():
        x.register_hook(_to_channels_last)  # type: ignore[no-untyped-call]
    return x


def _to_channels_last(gradient: Tensor) -> Tensor:
    return gradient.contiguous(memory_format=torch.channels_last)
