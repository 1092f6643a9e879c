"""TM-UNet 2: the token memory of TM-UNet (section 2.3) on a trunk designed for speed (benchmarks/trunks.md).

Not of the paper. No map has the full resolution: the stem has stride 2 or 4 and the logits are upsampled from 1/4. Stages are 3x3
convolutions of stride 2 and axial depthwise ones, as in U-Lite (Dinh et al., APSIPA ASC 2023). The token memory stands where maps
are small and narrow, at 1/32 and 1/16 of the resolution in the decoder, and is added with a learned scale (`ResidualScale`). The
decoder adds maps where others join them: a 1x1 convolution of two joined maps is one of each and their sum, and that of the
coarse map is cheaper before it is upsampled.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmunet.nn.configure import configure
from tmunet.nn.input_size import InputSize
from tmunet.nn.layers import BLOCK, upsample_like
from tmunet.nn.mstm import MSTMBlock, MSTMConfig
from tmunet.nn.residual_scale import ResidualScale


@dataclass(frozen=True)
class TMUNet2Config:
    """Configuration of a TM-UNet 2."""

    in_channels: int = 3
    """C0, channels of the image."""
    num_classes: int = 1
    """Channels of the output: 1 is binary (sigmoid), K > 1 is K classes (softmax)."""
    stem_stride: Literal[2, 4] = 2
    """Stride of the 7x7 convolution that reads the image."""
    widths: tuple[int, ...] = (16, 32, 64, 128, 256)
    """Channels of the encoder from the resolution of the stem to 1/32: five after stride 2, four after stride 4."""
    decoder_widths: tuple[int, int, int, int] = (32, 32, 64, 128)
    """D2..D5, channels of the decoder at 1/4, 1/8, 1/16 and 1/32 of the resolution."""
    mstm: MSTMConfig = field(default_factory=MSTMConfig)
    """The MSTM blocks at 1/16 and 1/32; without `xlstm` there are none."""

    def __post_init__(self) -> None:
        stages = {2: 5, 4: 4}.get(self.stem_stride)
        if stages is None:
            raise ValueError(f"Expected `stem_stride` to be 2 or 4, but got {self.stem_stride}.")
        if len(self.widths) != stages:
            raise ValueError(
                f"Expected {stages} `widths` after a stem of stride {self.stem_stride}, but got {self.widths}."
            )
        if min(*self.widths, *self.decoder_widths) < 1:
            raise ValueError(
                f"Expected `widths` and `decoder_widths` to be at least 1, but got {self.widths}, {self.decoder_widths}."
            )
        heads = self.mstm.heads
        if self.mstm.xlstm and any(width % heads or width % BLOCK for width in self.decoder_widths[2:]):
            raise ValueError(
                f"Expected the last two `decoder_widths` to be multiples of {heads} heads and of {BLOCK}, but got "
                f"{self.decoder_widths}."
            )


class TMUNet2(nn.Module):
    """TM-UNet 2: image (B, C0, H, W) with H, W >= 32, odd sizes included -> logits (B, num_classes, H, W).

    Args:
        config: see `TMUNet2Config`; None is the small size.
        **fields: fields of the configuration that differ, those of `MSTMConfig` included.

    Raises:
        TypeError: there is no such field.
        ValueError: a field does not fit; in `forward`, an image smaller than 32 pixels or with other channels than C0.

    >>> TMUNet2(in_channels=1, layers=2)(torch.zeros(1, 1, 64, 48)).shape
    torch.Size([1, 1, 64, 48])
    """

    input_size = InputSize(minimum=32)  # the deepest map has 1/32 of the resolution

    def __init__(self, config: TMUNet2Config | None = None, **fields: Any) -> None:
        super().__init__()
        self.config = config = configure(config or TMUNet2Config(), **fields)
        C, (D2, D3, D4, D5) = config.widths, config.decoder_widths
        self.stem = nn.Sequential(ConvBN(config.in_channels, C[0], 7, config.stem_stride), nn.ReLU(inplace=True))
        self.encoder = nn.ModuleList([AxialConv(C[0]), *(EncoderStage(*pair) for pair in pairwise(C))])
        self.bottleneck = nn.Sequential(ConvBN(C[-1], D5, 1), nn.ReLU(inplace=True), _memory(D5, config))
        self.decoder4 = DecoderStage(D5, C[-2], D4)
        self.memory4 = _memory(D4, config)
        self.decoder3 = DecoderStage(D4, C[-3], D3)
        self.decoder2 = DecoderStage(D3, C[-4], D2)
        self.head = nn.Conv2d(D2, config.num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Image (B, C0, H, W) -> logits (B, num_classes, H, W)."""
        self.input_size.check(x, self.config.in_channels)
        x = x.contiguous(memory_format=torch.channels_last)  # faster on a CPU, and a map is its tokens in order
        e = self.stem(x)  # (B, C1, H/2, W/2), or (B, C1, H/4, W/4) after a stride of 4
        maps = [e := stage(e) for stage in self.encoder]
        e2, e3, e4, e5 = maps[-4:]  # (B, ., H/4, W/4), (B, ., H/8, W/8), (B, ., H/16, W/16), (B, ., H/32, W/32)
        d5 = self.bottleneck(e5)  # (B, D5, H/32, W/32)
        d4 = self.memory4(self.decoder4(d5, e4))  # (B, D4, H/16, W/16)
        d3 = self.decoder3(d4, e3)  # (B, D3, H/8, W/8)
        d2 = self.decoder2(d3, e2)  # (B, D2, H/4, W/4)
        return upsample_like(self.head(d2), x)  # (B, num_classes, H, W)


class ConvBN(nn.Sequential):
    """Convolution and BatchNorm: (B, C, H, W) -> (B, C', H/stride, W/stride), rounded up."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(out_channels)
        )


class AxialConv(nn.Module):
    """BatchNorm(x + a depthwise column of x + a depthwise row of x), each of 7 pixels: a wide view for 14 products a value."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.column = nn.Conv2d(channels, channels, (7, 1), padding=(3, 0), groups=channels, bias=False)
        self.row = nn.Conv2d(channels, channels, (1, 7), padding=(0, 3), groups=channels, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        out: Tensor = self.norm(x + self.column(x) + self.row(x))
        return out


class EncoderStage(nn.Sequential):
    """3x3 convolution of stride 2, ReLU, axial convolution: (B, C, H, W) -> (B, C', H/2, W/2), rounded up."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(ConvBN(in_channels, out_channels, 3, stride=2), nn.ReLU(inplace=True), AxialConv(out_channels))


class DecoderStage(nn.Module):
    """Join a coarse map and a skip connection, then an axial and a pointwise convolution.

    (B, C, h, w) and (B, skip_channels, H, W) -> (B, C', H, W).
    """

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.coarse = ConvBN(in_channels, out_channels, 1)
        self.skip = ConvBN(skip_channels, out_channels, 1)
        self.refine = nn.Sequential(
            AxialConv(out_channels), ConvBN(out_channels, out_channels, 1), nn.ReLU(inplace=True)
        )

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, C, h, w) and (B, skip_channels, H, W) -> (B, C', H, W)."""
        joined = F.relu(upsample_like(self.coarse(x), skip) + self.skip(skip))
        out: Tensor = self.refine(joined)
        return out


def _memory(channels: int, config: TMUNet2Config) -> nn.Module:
    return ResidualScale(MSTMBlock(channels, config.mstm), channels) if config.mstm.xlstm else nn.Identity()


SIZES = {
    "tmunet2_t": TMUNet2Config(stem_stride=4, widths=(24, 48, 96, 192), decoder_widths=(24, 24, 32, 64)),
    "tmunet2_s": TMUNet2Config(stem_stride=4, widths=(32, 64, 128, 256)),
    "tmunet2_b": TMUNet2Config(stem_stride=2, widths=(24, 48, 96, 192, 384), decoder_widths=(48, 48, 96, 128)),
}
"""The named sizes: tiny, small and base."""
