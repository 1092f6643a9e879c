"""TM-UNet: Token-Memory Enhanced Sequential Modeling for Efficient Medical Image Segmentation (Jiao et al., 2025).

Section 2.4, Fig. 2, Table 3. Five encoder and five decoder stages: convolutions at the fine resolutions, MSTM blocks in the two
deepest stages of encoder and decoder.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tmunet.nn.configure import configure
from tmunet.nn.input_size import InputSize
from tmunet.nn.layers import BLOCK, ConvBNReLU, DepthwiseSeparableConv, LayerNorm2d, upsample_like
from tmunet.nn.mstm import MSTMBlock, MSTMConfig


@dataclass(frozen=True)
class TMUNetConfig:
    """Configuration of a TM-UNet."""

    in_channels: int = 3
    """C0, channels of the image."""
    num_classes: int = 1
    """Channels of the output: 1 is binary (sigmoid), K > 1 is K classes (softmax)."""
    widths: tuple[int, int, int, int, int] = (32, 64, 128, 256, 512)
    """C1..C5, channels of the five stages (Table 3)."""
    refine: Literal["separable", "full"] = "separable"
    """Convolution of the decoder: depthwise separable, or a full 3x3."""
    mstm: MSTMConfig = field(default_factory=MSTMConfig)
    """The MSTM blocks of the deepest stages."""

    def __post_init__(self) -> None:
        if min(self.widths) < 1:
            raise ValueError(f"Expected `widths` to be at least 1, but got {self.widths}.")
        heads = self.mstm.heads
        if self.mstm.xlstm and any(width % heads or width % BLOCK for width in self.widths[2:]):
            raise ValueError(
                f"Expected the last three `widths` to be multiples of {heads} heads and of {BLOCK}, but got {self.widths}."
            )


class TMUNet(nn.Module):
    """TM-UNet: image (B, C0, H, W) with H, W >= 32, odd sizes included -> logits (B, num_classes, H, W).

    Args:
        config: see `TMUNetConfig`; None is the base size.
        **fields: fields of the configuration that differ, those of `MSTMConfig` included.

    Raises:
        TypeError: there is no such field.
        ValueError: a field does not fit; in `forward`, an image smaller than 32 pixels or with other channels than C0.

    >>> TMUNet(in_channels=1, widths=(8, 16, 32, 64, 128), layers=2)(torch.zeros(1, 1, 64, 48)).shape
    torch.Size([1, 1, 64, 48])
    """

    input_size = InputSize(minimum=32)  # the fifth stage has 1/32 of the resolution

    def __init__(self, config: TMUNetConfig | None = None, **fields: Any) -> None:
        super().__init__()
        self.config = config = configure(config or TMUNetConfig(), **fields)
        C1, C2, C3, C4, C5 = config.widths
        self.encoder1 = ConvPoolStage(config.in_channels, C1)
        self.encoder2 = ConvPoolStage(C1, C2)
        self.encoder3 = ConvPoolStage(C2, C3)
        self.encoder4 = nn.Sequential(OverlapPatchEmbedding(C3, C4), _mstm(C4, config))
        self.encoder5 = nn.Sequential(OverlapPatchEmbedding(C4, C5), _mstm(C5, config))
        self.decoder5 = nn.Sequential(_refinement(C5 + C4, C4, config), _mstm(C4, config))
        self.decoder4 = nn.Sequential(_refinement(C4 + C3, C3, config), _mstm(C3, config))
        self.decoder3 = _refinement(C3 + C2, C2, config)
        self.decoder2 = _refinement(C2 + C1, C1, config)
        self.decoder1 = _refinement(C1, C1, config)
        self.head = nn.Conv2d(C1, config.num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Image (B, C0, H, W) -> logits (B, num_classes, H, W)."""
        self.input_size.check(x, self.config.in_channels)
        x = x.contiguous(memory_format=torch.channels_last)  # in this layout a map is its tokens in order
        e1 = self.encoder1(x)  # (B, C1, H/2, W/2)
        e2 = self.encoder2(e1)  # (B, C2, H/4, W/4)
        e3 = self.encoder3(e2)  # (B, C3, H/8, W/8)
        e4 = self.encoder4(e3)  # (B, C4, H/16, W/16)
        e5 = self.encoder5(e4)  # (B, C5, H/32, W/32)
        d5 = self.decoder5(torch.cat([upsample_like(e5, e4), e4], 1))  # (B, C4, H/16, W/16)
        d4 = self.decoder4(torch.cat([upsample_like(d5, e3), e3], 1))  # (B, C3, H/8, W/8)
        d3 = self.decoder3(torch.cat([upsample_like(d4, e2), e2], 1))  # (B, C2, H/4, W/4)
        d2 = self.decoder2(torch.cat([upsample_like(d3, e1), e1], 1))  # (B, C1, H/2, W/2)
        d1 = self.decoder1(upsample_like(d2, x))  # (B, C1, H, W); no encoder map has this size: no skip connection
        logits: Tensor = self.head(d1)  # (B, num_classes, H, W)
        return logits


class ConvPoolStage(nn.Sequential):
    """E1-E3: 3x3 convolution, BatchNorm, ReLU, max-pooling by 2: (B, C, H, W) -> (B, C', H/2, W/2).

    Pooling comes before ReLU, which leaves ReLU a quarter of the map: the largest value is the same in either order.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.MaxPool2d(2),
            nn.ReLU(inplace=True),
        )


class OverlapPatchEmbedding(nn.Sequential):
    """Downsampling of E4 and E5: 3x3 convolution with stride 2, LayerNorm over channels."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1), LayerNorm2d(out_channels))


def _mstm(dim: int, config: TMUNetConfig) -> nn.Module:
    return MSTMBlock(dim, config.mstm) if config.mstm.xlstm else nn.Identity()  # Table 2, row 1


def _refinement(in_channels: int, out_channels: int, config: TMUNetConfig) -> nn.Module:
    """Build the convolutional refinement of a decoder stage; a full 3x3 costs more than twice the paper's FLOPs."""
    refinements: dict[str, type[nn.Module]] = {"separable": DepthwiseSeparableConv, "full": ConvBNReLU}
    if config.refine not in refinements:
        raise ValueError(f"Expected `refine` to be one of {list(refinements)}, but got {config.refine!r}.")
    return refinements[config.refine](in_channels, out_channels)


SIZES = {
    "tmunet_t": TMUNetConfig(widths=(8, 16, 32, 64, 128)),
    "tmunet_s": TMUNetConfig(widths=(16, 32, 64, 128, 256)),
    "tmunet_b": TMUNetConfig(widths=(32, 64, 128, 256, 512)),
}
"""The named sizes: tiny, small and base (Table 3, rows 1-3)."""
