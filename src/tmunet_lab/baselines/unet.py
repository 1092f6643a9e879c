"""U-Net: Convolutional Networks for Biomedical Image Segmentation. Ronneberger, Fischer, Brox, MICCAI 2015. Fig. 1.

Five resolutions; two 3x3 convolutions at each, on the way down and on the way up; every skip connection is concatenated.
Here in the two forms that comparisons print, both with padded convolutions and BatchNorm, which the paper does not have:
`unet`, 13.4 million parameters, upsamples bilinearly (TM-UNet's Table 1 has the cost of this one); `unet_classic`, 31.0 million,
upsamples by transposed convolutions as the paper does.

Written from the paper and facts measured on the code that most comparisons use, milesial/Pytorch-UNet (GPL-3.0): `unet` is its
state from November 2018 to March 2020, whose sigmoid belongs to the loss here; `unet_classic` is its present default.
"""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmunet.nn.input_size import InputSize
from tmunet_lab.baselines.baseline_layers import double_conv


@dataclass(frozen=True)
class UNetConfig:
    """Configuration of a U-Net."""

    in_channels: int = 3
    """C0, channels of the image."""
    num_classes: int = 1
    """Channels of the output: 1 is binary (sigmoid), K > 1 is K classes (softmax)."""
    widths: tuple[int, int, int, int, int] = (64, 128, 256, 512, 512)
    """C1..C5, channels of the five resolutions."""
    upsampling: Literal["bilinear", "transposed"] = "bilinear"
    """bilinear: a decoder stage gives the width of the next finer resolution, convolutions have biases. transposed: a decoder
    stage gives the width of its own resolution, 3x3 convolutions have no bias."""

    def __post_init__(self) -> None:
        if min(self.widths) < 1:
            raise ValueError(f"Expected `widths` to be at least 1, but got {self.widths}.")


class UNet(nn.Module):
    """U-Net with bilinear or transposed upsampling.

    Input (B, C0, H, W) with H, W >= 16, odd sizes included; output: logits (B, num_classes, H, W).

    Raises:
        ValueError: the image is smaller than 16 pixels or has other channels than C0.
    """

    input_size = InputSize(minimum=16)  # the fifth resolution is 1/16

    def __init__(self, config: UNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or UNetConfig()
        C1, C2, C3, C4, C5 = config.widths
        transposed = config.upsampling == "transposed"
        D4, D3, D2 = (C4, C3, C2) if transposed else (C3, C2, C1)  # output channels of decoder stages
        self.pool = nn.MaxPool2d(2)
        self.encoder1 = double_conv(config.in_channels, C1, C1, bias=not transposed)
        self.encoder2 = double_conv(C1, C2, C2, bias=not transposed)
        self.encoder3 = double_conv(C2, C3, C3, bias=not transposed)
        self.encoder4 = double_conv(C3, C4, C4, bias=not transposed)
        self.encoder5 = double_conv(C4, C5, C5, bias=not transposed)
        self.decoder4 = UNetDecoder(C5, C4, D4, transposed)
        self.decoder3 = UNetDecoder(D4, C3, D3, transposed)
        self.decoder2 = UNetDecoder(D3, C2, D2, transposed)
        self.decoder1 = UNetDecoder(D2, C1, C1, transposed)
        self.head = nn.Conv2d(C1, config.num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Image (B, C0, H, W) -> logits (B, num_classes, H, W)."""
        self.input_size.check(x, self.config.in_channels)
        x = x.contiguous(memory_format=torch.channels_last)  # faster on a CPU
        e1 = self.encoder1(x)  # (B, C1, H, W)
        e2 = self.encoder2(self.pool(e1))  # (B, C2, H/2, W/2)
        e3 = self.encoder3(self.pool(e2))  # (B, C3, H/4, W/4)
        e4 = self.encoder4(self.pool(e3))  # (B, C4, H/8, W/8)
        e5 = self.encoder5(self.pool(e4))  # (B, C5, H/16, W/16)
        d4 = self.decoder4(e5, e4)  # (B, D4, H/8, W/8)
        d3 = self.decoder3(d4, e3)  # (B, D3, H/4, W/4)
        d2 = self.decoder2(d3, e2)  # (B, D2, H/2, W/2)
        d1 = self.decoder1(d2, e1)  # (B, C1, H, W)
        logits: Tensor = self.head(d1)  # (B, num_classes, H, W)
        return logits


class UNetDecoder(nn.Module):
    """Upsample, concatenate with the skip connection, two convolutions.

    Args:
        in_channels: of the map.
        skip_channels: of the skip connection.
        out_channels: of the result.
        transposed: upsample by a transposed 2x2 convolution to `skip_channels`; else bilinearly, corners aligned.
    """

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int, transposed: bool) -> None:
        super().__init__()
        self.up: nn.Module
        if transposed:
            self.up = nn.ConvTranspose2d(in_channels, skip_channels, 2, stride=2)
            in_channels = skip_channels
        else:
            self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.convs = double_conv(skip_channels + in_channels, out_channels, out_channels, bias=not transposed)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, in_channels, H/2, W/2) and the skip (B, skip_channels, H, W) -> (B, out_channels, H, W)."""
        x = self.up(x)
        rows, columns = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
        x = F.pad(x, (0, columns, 0, rows))  # pooling lost the last row or column of an odd map
        out: Tensor = self.convs(torch.cat([skip, x], dim=1))  # (B, out_channels, H, W)
        return out


SIZES = {
    "unet": UNetConfig(),
    "unet_classic": UNetConfig(widths=(64, 128, 256, 512, 1024), upsampling="transposed"),
}
"""The two forms, at the widths of the paper; half the last one in the bilinear form, as in the code it follows."""
