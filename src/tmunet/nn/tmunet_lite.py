"""TM-UNet Lite: token memory (TM-UNet, section 2.3) behind an EfficientNet-Lite encoder, whose weights may come from ImageNet.

Not of the paper. The token memory is read at 1/32 and 1/16 of the resolution, in the decoder, and added with a learned factor for
each channel, x + g (MSTM(x) - x): Eq. 8 adds LayerNorm(f_pool(x)), of unit variance, to maps that the encoder has learned. The
decoder stops at 1/2 of the resolution and its logits are upsampled.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tmunet.nn.configure import configure
from tmunet.nn.encoders.efficientnet_lite import EfficientNetLite
from tmunet.nn.input_size import InputSize
from tmunet.nn.layers import BLOCK, DepthwiseSeparableConv, upsample_like
from tmunet.nn.mstm import MSTMBlock, MSTMConfig
from tmunet.nn.residual_scale import ResidualScale


@dataclass(frozen=True)
class TMUNetLiteConfig:
    """Configuration of a TM-UNet Lite."""

    in_channels: int = 3
    """C0, channels of the image."""
    num_classes: int = 1
    """Channels of the output: 1 is binary (sigmoid), K > 1 is K classes (softmax)."""
    encoder: str = "efficientnet_lite0"
    """Encoder: efficientnet_lite0, efficientnet_lite1 or efficientnet_lite2."""
    widths: tuple[int, int, int, int, int] = (16, 24, 48, 64, 128)
    """D1..D5, channels of the decoder at 1/2, 1/4, 1/8, 1/16 and 1/32 of the resolution."""
    mstm: MSTMConfig = field(default_factory=MSTMConfig)
    """The MSTM blocks at 1/16 and 1/32; without `xlstm` there are none."""
    residual_scale: float = 0.1
    """First value of g, the learned factor on what an MSTM block changes."""

    def __post_init__(self) -> None:
        if min(self.widths) < 1:
            raise ValueError(f"Expected `widths` to be at least 1, but got {self.widths}.")
        heads = self.mstm.heads
        if self.mstm.xlstm and any(width % heads or width % BLOCK for width in self.widths[3:]):
            raise ValueError(
                f"Expected the last two `widths` to be multiples of {heads} heads and of {BLOCK}, but got {self.widths}."
            )


class TMUNetLite(nn.Module):
    """TM-UNet Lite: image (B, C0, H, W) with H, W >= 32, odd sizes included -> logits (B, num_classes, H, W).

    Args:
        config: see `TMUNetLiteConfig`; None is the smallest encoder.
        **fields: fields of the configuration that differ, those of `MSTMConfig` included.

    Raises:
        TypeError: there is no such field.
        ValueError: a field does not fit; in `forward`, an image smaller than 32 pixels or with other channels than C0.

    >>> TMUNetLite(in_channels=1, layers=2)(torch.zeros(2, 1, 64, 48)).shape
    torch.Size([2, 1, 64, 48])
    """

    input_size = InputSize(minimum=32)  # the deepest map has 1/32 of the resolution

    def __init__(self, config: TMUNetLiteConfig | None = None, **fields: Any) -> None:
        super().__init__()
        self.config = config = configure(config or TMUNetLiteConfig(), **fields)
        self.encoder = EfficientNetLite(config.encoder, config.in_channels)
        E1, E2, E3, E4, E5 = self.encoder.channels
        D1, D2, D3, D4, D5 = config.widths
        self.bottleneck = nn.Sequential(nn.Conv2d(E5, D5, 1, bias=False), nn.BatchNorm2d(D5), _memory(D5, config))
        self.decoder4 = nn.Sequential(DepthwiseSeparableConv(D5 + E4, D4), _memory(D4, config))
        self.decoder3 = DepthwiseSeparableConv(D4 + E3, D3)
        self.decoder2 = DepthwiseSeparableConv(D3 + E2, D2)
        self.decoder1 = DepthwiseSeparableConv(D2 + E1, D1)
        self.head = nn.Conv2d(D1, config.num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Image (B, C0, H, W) -> logits (B, num_classes, H, W)."""
        self.input_size.check(x, self.config.in_channels)
        x = x.contiguous(memory_format=torch.channels_last)  # faster on a CPU, and a map is its tokens in order
        e1, e2, e3, e4, e5 = self.encoder(x)  # (B, E1, H/2, W/2), ..., (B, E5, H/32, W/32)
        d5 = self.bottleneck(e5)  # (B, D5, H/32, W/32)
        d4 = self.decoder4(torch.cat([upsample_like(d5, e4), e4], 1))  # (B, D4, H/16, W/16)
        d3 = self.decoder3(torch.cat([upsample_like(d4, e3), e3], 1))  # (B, D3, H/8, W/8)
        d2 = self.decoder2(torch.cat([upsample_like(d3, e2), e2], 1))  # (B, D2, H/4, W/4)
        d1 = self.decoder1(torch.cat([upsample_like(d2, e1), e1], 1))  # (B, D1, H/2, W/2)
        return upsample_like(self.head(d1), x)  # (B, num_classes, H, W)


def _memory(dim: int, config: TMUNetLiteConfig) -> nn.Module:
    if not config.mstm.xlstm:
        return nn.Identity()
    return ResidualScale(MSTMBlock(dim, config.mstm), dim, config.residual_scale)


SIZES = {
    "tmunet_lite0": TMUNetLiteConfig(encoder="efficientnet_lite0"),
    "tmunet_lite1": TMUNetLiteConfig(encoder="efficientnet_lite1"),
    "tmunet_lite2": TMUNetLiteConfig(encoder="efficientnet_lite2"),
}
"""The named sizes, by their encoder."""
