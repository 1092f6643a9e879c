"""Arithmetic cost of a network, counted in full."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tmunet_lab.bench.fake_forward import traced


def count_parameters(model: nn.Module) -> int:
    """Number of learnable values."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_macs(model: nn.Module, size: tuple[int, int] = (512, 512), in_channels: int = 3) -> int:
    """Multiply-accumulates (MAC) of one forward pass on one image.

    Counts every convolution, linear layer and matrix product that reaches torch's dispatcher, the mLSTM's own included.
    Element-wise work, pooling and interpolation are not pluralize, as is usual. Shapes alone are traced, so nothing is computed.

    Args:
        model: a network that takes (B, C, H, W).
        size: H, W in pixels.
        in_channels: C.
    """
    with traced(model) as network, torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(1, in_channels, size)
    return int(counter.get_total_flops()) // 2  # the counter books two operations for a multiply-accumulate
