"""U-Lite: "1M parameters are enough? A lightweight CNN-based model for medical image segmentation". Section II, Fig. 1-3.

Dinh, Nguyen, Tran, Pham, APSIPA ASC 2023. A U-Net of axial depthwise convolutions: a column and a row of 7 pixels in place of a
7x7 square, pointwise convolutions to mix channels, and a bottleneck of three dilations.

Written from the paper and facts measured on the authors' code, duong-db/U-Lite (no license). Their code has 3 image channels and
1 class; here both are free.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tmunet.nn.input_size import InputSize


@dataclass(frozen=True)
class ULiteConfig:
    """Configuration of U-Lite."""

    in_channels: int = 3
    """C0, channels of the image."""
    num_classes: int = 1
    """Channels of the output: 1 is binary (sigmoid), K > 1 is K classes (softmax)."""


class ULite(nn.Module):
    """The network of the paper.

    Input (B, C0, H, W) with H, W >= 32 and divisible by 32; output: logits (B, num_classes, H, W).

    Raises:
        ValueError: the image has another size or other channels than C0.
    """

    input_size = InputSize(minimum=32, multiple=32)  # five halvings, each undone by doubling

    def __init__(self, config: ULiteConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ULiteConfig()
        self.stem = nn.Conv2d(config.in_channels, 16, 7, padding=3)
        self.encoder1 = ULiteEncoder(16, 32)
        self.encoder2 = ULiteEncoder(32, 64)
        self.encoder3 = ULiteEncoder(64, 128)
        self.encoder4 = ULiteEncoder(128, 256)
        self.encoder5 = ULiteEncoder(256, 512)
        self.bottleneck = Bottleneck(512)
        self.decoder5 = ULiteDecoder(512, 256)
        self.decoder4 = ULiteDecoder(256, 128)
        self.decoder3 = ULiteDecoder(128, 64)
        self.decoder2 = ULiteDecoder(64, 32)
        self.decoder1 = ULiteDecoder(32, 16)
        self.head = nn.Conv2d(16, config.num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Image (B, C0, H, W) -> logits (B, num_classes, H, W)."""
        self.input_size.check(x, self.config.in_channels)
        x = x.contiguous(memory_format=torch.channels_last)  # faster on a CPU
        x = self.stem(x)  # (B, 16, H, W)
        x, skip1 = self.encoder1(x)  # (B, 32, H/2, W/2), (B, 16, H, W)
        x, skip2 = self.encoder2(x)  # (B, 64, H/4, W/4), (B, 32, H/2, W/2)
        x, skip3 = self.encoder3(x)  # (B, 128, H/8, W/8), (B, 64, H/4, W/4)
        x, skip4 = self.encoder4(x)  # (B, 256, H/16, W/16), (B, 128, H/8, W/8)
        x, skip5 = self.encoder5(x)  # (B, 512, H/32, W/32), (B, 256, H/16, W/16)
        x = self.bottleneck(x)
        x = self.decoder5(x, skip5)  # (B, 256, H/16, W/16)
        x = self.decoder4(x, skip4)  # (B, 128, H/8, W/8)
        x = self.decoder3(x, skip3)  # (B, 64, H/4, W/4)
        x = self.decoder2(x, skip2)  # (B, 32, H/2, W/2)
        x = self.decoder1(x, skip1)  # (B, 16, H, W)
        logits: Tensor = self.head(x)  # (B, num_classes, H, W)
        return logits


class AxialConv(nn.Module):
    """x + a depthwise column of x + a depthwise row of x, each of `kernel` pixels, `dilation` apart."""

    def __init__(self, channels: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        reach = dilation * (kernel // 2)
        self.column = nn.Conv2d(
            channels, channels, (kernel, 1), padding=(reach, 0), dilation=(dilation, 1), groups=channels
        )
        self.row = nn.Conv2d(
            channels, channels, (1, kernel), padding=(0, reach), dilation=(1, dilation), groups=channels
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        out: Tensor = x + self.column(x) + self.row(x)
        return out


class ULiteEncoder(nn.Module):
    """Axial convolution of 7 pixels and BatchNorm, whose result is the skip; then pointwise convolution, max-pooling, GELU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.axial = AxialConv(in_channels, 7)
        self.norm = nn.BatchNorm2d(in_channels)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)
        self.pool = nn.MaxPool2d(2)
        self.activation = nn.GELU()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, in_channels, H, W) -> (B, out_channels, H/2, W/2) and the skip (B, in_channels, H, W)."""
        skip = self.norm(self.axial(x))
        out = self.activation(self.pool(self.pointwise(skip)))  # (B, out_channels, H/2, W/2)
        return out, skip


class Bottleneck(nn.Module):
    """Pointwise convolution to a quarter of the channels, joined with its axial convolutions of 3 pixels at dilations 1, 2, 3."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        quarter = channels // 4
        self.reduce = nn.Conv2d(channels, quarter, 1)
        self.axials = nn.ModuleList(AxialConv(quarter, 3, dilation) for dilation in (1, 2, 3))
        self.norm = nn.BatchNorm2d(channels)
        self.pointwise = nn.Conv2d(channels, channels, 1)
        self.activation = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        y = self.reduce(x)  # (B, C/4, H, W)
        z = torch.cat([y, *(axial(y) for axial in self.axials)], dim=1)  # (B, C, H, W)
        out: Tensor = self.activation(self.pointwise(self.norm(z)))
        return out


class ULiteDecoder(nn.Module):
    """Upsample to the nearest, join with the skip; pointwise, BatchNorm, axial convolution of 7 pixels, pointwise, GELU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.reduce = nn.Conv2d(in_channels + out_channels, out_channels, 1)
        self.norm = nn.BatchNorm2d(out_channels)
        self.axial = AxialConv(out_channels, 7)
        self.pointwise = nn.Conv2d(out_channels, out_channels, 1)
        self.activation = nn.GELU()

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, in_channels, H/2, W/2) and the skip (B, out_channels, H, W) -> (B, out_channels, H, W)."""
        x = torch.cat([self.up(x), skip], dim=1)  # (B, in_channels + out_channels, H, W)
        x = self.norm(self.reduce(x))  # (B, out_channels, H, W)
        out: Tensor = self.activation(self.pointwise(self.axial(x)))
        return out


SIZES = {"ulite": ULiteConfig()}
"""The one size of the paper."""
