"""A stage of the encoder for inference: max-pooling without the places of the maxima, which only a gradient needs."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from tmunet.nn.tmunet import ConvStage


class InferenceConvStage(nn.Module):
    """A `ConvStage` whose BatchNorm is folded, without a gradient.

    Args:
        stage: its convolution is taken as it is.
    """

    def __init__(self, stage: "ConvStage") -> None:
        super().__init__()
        self.convolution, _, self.pool, self.relu = stage

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H/2, W/2)."""
        x = self.convolution(x)
        if torch.compiler.is_compiling():
            pooled: Tensor = self.pool(self.relu(x))
            return pooled
        H, W = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
        rows = torch.maximum(x[:, :, 0:H:2, :W], x[:, :, 1:H:2, :W])
        return torch.maximum(rows[..., 0::2], rows[..., 1::2]).clamp_min_(0)
