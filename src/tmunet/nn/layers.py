"""Layers that the blocks of TM-UNet share."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmunet.nn.kernels.layout import channels_last_gradient, permute_blocks

BLOCK = 4  # channels that a block-diagonal projection mixes, as in Vision-LSTM


class ConvBNReLU(nn.Sequential):
    """3x3 convolution, BatchNorm, ReLU; depthwise with `groups` = channels."""

    def __init__(self, in_channels: int, out_channels: int, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, groups=groups, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class DepthwiseSeparableConv(nn.Sequential):
    """Depthwise 3x3 convolution, BatchNorm, pointwise convolution, BatchNorm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False),
            nn.BatchNorm2d(in_channels),
            nn.Conv2d(in_channels, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class LayerNorm2d(nn.LayerNorm):
    """LayerNorm over the channels of a map (B, d, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, d, H, W) -> (B, d, H, W)."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class HeadNorm(nn.Module):
    """LayerNorm over the D channels of each head (multi-head norm of xLSTM), with a scale and shift for each channel d."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, h: Tensor) -> Tensor:
        """Heads (NH, B, T, D) -> tokens (B, T, d), d = NH D."""
        h = F.layer_norm(h, h.shape[-1:])
        return h.permute(1, 2, 0, 3).flatten(2) * self.weight + self.bias


class FullPrecisionLinear(nn.Linear):
    """Linear layer in the type of its weights under autocast too: log f near 0 has no digits in bfloat16."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features)."""
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))


class BlockDiagonalLinear(nn.Module):
    """Block-diagonal linear layer without bias, for several outputs at once: each channel mixes the 4 of its block.

    Args:
        dim: channels d, a multiple of 4.
        outputs: number of outputs, 3 for q, k and v.
        heads: heads NH that share the channels, D = d / NH each; a block may lie in two of them.
    """

    def __init__(self, dim: int, outputs: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.weight = nn.Parameter(torch.empty(dim // BLOCK, BLOCK, outputs * BLOCK))  # a matrix for each block
        nn.init.normal_(self.weight, std=math.sqrt(2 / (5 * BLOCK)))  # as in xLSTM

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, d) -> (outputs, NH, B, T, D)."""
        B, T, d = x.shape
        whole_blocks = d // self.heads % BLOCK == 0
        NH = self.heads if whole_blocks else 1
        blocks = x.reshape(B * T, -1, BLOCK).transpose(0, 1)  # (d / 4, B T, 4)
        y = torch.bmm(blocks, self.weight).reshape(NH, -1, B * T, self.weight.shape[2] // BLOCK, BLOCK)
        y = permute_blocks(y, 3, 0, 2, 1).reshape(-1, NH, B, T, d // NH)
        return y if whole_blocks else split_heads(y[:, 0], self.heads)


def split_heads(x: Tensor, heads: int) -> Tensor:
    """Split channels into heads: (..., B, T, d) -> (..., NH, B, T, D)."""
    return x.reshape(*x.shape[:-1], heads, -1).movedim(-2, -4).contiguous()


def to_tokens(x: Tensor) -> Tensor:
    """Flatten a map into tokens, row by row: (B, d, H, W) -> (B, T, d), T = H W."""
    return x.flatten(2).mT


def to_map(x: Tensor, H: int, W: int) -> Tensor:
    """Fold tokens into a map: (B, T, d) -> (B, d, H, W)."""
    return x.mT.reshape(x.shape[0], x.shape[2], H, W)


def upsample_like(x: Tensor, reference: Tensor) -> Tensor:
    """Upsample bilinearly to the height and width of `reference`: (B, C, h, w) -> (B, C, H, W)."""
    y = F.interpolate(x, (reference.shape[2], reference.shape[3]), mode="bilinear", align_corners=False)
    return channels_last_gradient(y)
