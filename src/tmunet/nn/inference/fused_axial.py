"""The axial convolution of TM-UNet 2 for inference: a column and a row, without a sum of three maps and BatchNorm.

x itself is the middle of a column, and BatchNorm is a factor and a shift for each channel:

    BatchNorm(x + column(x) + row(x)) = (factor (column + delta))(x) + (factor row)(x) + shift
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tmunet.nn.tmunet2 import AxialConv


class InferenceAxialConv(nn.Module):
    """The function of an `AxialConv` in eval mode, which stays as it is."""

    @torch.no_grad()
    def __init__(self, layer: AxialConv) -> None:
        super().__init__()
        self.column = fuse_conv_bn_eval(layer.column, layer.norm)
        self.row = fuse_conv_bn_eval(layer.row, layer.norm)
        self.row.bias = None  # the shift of BatchNorm is that of the column
        delta = torch.zeros_like(layer.column.weight)
        delta[:, :, delta.shape[2] // 2] = 1
        variance = layer.norm.running_var
        assert variance is not None
        factor = layer.norm.weight * torch.rsqrt(variance + layer.norm.eps)
        self.column.weight += factor[:, None, None, None] * delta

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        y: Tensor = self.column(x)
        return y.add_(self.row(x))
