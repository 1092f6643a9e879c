"""Parameters and MACs of a network."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tmunet.fake_forward import fake_forward


def count_parameters(model: nn.Module) -> int:
    """Count learnable parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_macs(model: nn.Module, size: tuple[int, int] = (512, 512), in_channels: int = 3) -> int:
    """Count the multiply-accumulates (MACs) of one forward pass on one image.

    Counts every convolution, linear layer and matrix product, those of the mLSTM included; not element-wise operations, pooling
    and interpolation, as is usual. Runs on fake tensors, so nothing is computed.

    Args:
        model: a network that takes (B, C, H, W).
        size: H, W in pixels.
        in_channels: C.
    """
    with fake_forward(model) as network, torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(1, in_channels, size)
    return int(counter.get_total_flops()) // 2  # the counter books two FLOPs for a MAC
