"""A residual block added with a learned scale a channel, as LayerScale: a block that is costly to learn starts near the identity.

Touvron et al., "Going deeper with Image Transformers", ICCV 2021, section 2 (LayerScale).
"""

import torch
from torch import Tensor, nn


class ResidualScale(nn.Module):
    """x + scale (block(x) - x), with a scale for each channel: at 1 the block alone, at 0 nothing.

    Args:
        block: maps (B, C, H, W) to (B, C, H, W), with a residual connection of its own, as Eq. 8 has one.
        channels: channels C.
        initial: the scale before training.
    """

    def __init__(self, block: nn.Module, channels: int, initial: float = 0.1) -> None:
        super().__init__()
        self.block = block
        self.scale = nn.Parameter(torch.full((channels, 1, 1), initial))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        out: Tensor = x + self.scale * (self.block(x) - x)
        return out
