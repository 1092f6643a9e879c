"""MK-UNet: Multi-kernel Lightweight CNN for Medical Image Segmentation. Section 3, Fig. 2.

Rahman, Marculescu, ICCV 2025 workshop CVAMD. A U-Net of inverted residual blocks with three depthwise convolutions side by side,
of 1x1, 3x3 and 5x5 pixels. The decoder weighs channels and pixels by attention, and gates what the skip connections add.

Written from the paper and facts measured on the authors' code, SLDGroup/MK-UNet (BSD-3-Clause):

- One spatial attention is shared by the five stages of the decoder.
- Channels are shuffled before a 1x1 convolution over all of them, which permutes its weights and nothing else; kept, so that
  the weights mean the same.
- The code has heads for deep supervision and returns the last one's logits only; the others are `unused_*` here.
- A gray image is repeated to three channels before the first block, which is as narrow as twice its input.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmunet.nn.input_size import InputSize

KERNELS = (1, 3, 5)  # pixels
EXPANSION = 2  # channels inside a block for each that comes in


@dataclass(frozen=True)
class MKUNetConfig:
    """Configuration of MK-UNet."""

    in_channels: int = 3
    """C0, channels of the image."""
    num_classes: int = 1
    """Channels of the output: 1 is binary (sigmoid), K > 1 is K classes (softmax)."""
    widths: tuple[int, int, int, int, int] = (16, 32, 64, 96, 160)
    """C1 to C5, channels of the resolutions from 1/2 to 1/32; C1 to C4 are even."""

    def __post_init__(self) -> None:
        if min(self.widths) < 2 or any(width % 2 for width in self.widths[:4]):
            raise ValueError(f"Expected `widths` of at least 2, the first four even, but got {self.widths}.")


class MKUNet(nn.Module):
    """The network of the paper. See `MKUNetConfig` for its sizes.

    Input (B, C0, H, W) with H, W >= 32 and divisible by 32; output: logits (B, num_classes, H, W).

    Raises:
        ValueError: the image has another size or other channels than C0.
    """

    input_size = InputSize(minimum=32, multiple=32)  # five halvings, each undone by doubling

    def __init__(self, config: MKUNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or MKUNetConfig()
        C1, C2, C3, C4, C5 = config.widths
        self.pool = nn.MaxPool2d(2)
        self.encoder1 = MKIR(3 if config.in_channels == 1 else config.in_channels, C1)
        self.encoder2 = MKIR(C1, C2)
        self.encoder3 = MKIR(C2, C3)
        self.encoder4 = MKIR(C3, C4)
        self.encoder5 = MKIR(C4, C5)
        self.channels5 = ChannelAttention(C5, ratio=16)
        self.channels4 = ChannelAttention(C4, ratio=16)
        self.channels3 = ChannelAttention(C3, ratio=16)
        self.channels2 = ChannelAttention(C2, ratio=8)
        self.channels1 = ChannelAttention(C1, ratio=4)
        self.pixels = SpatialAttention()
        self.decoder5 = MKIR(C5, C4)
        self.decoder4 = MKIR(C4, C3)
        self.decoder3 = MKIR(C3, C2)
        self.decoder2 = MKIR(C2, C1)
        self.decoder1 = MKIR(C1, C1)
        self.gate4 = GroupedAttentionGate(C4)
        self.gate3 = GroupedAttentionGate(C3)
        self.gate2 = GroupedAttentionGate(C2)
        self.gate1 = GroupedAttentionGate(C1)
        self.head = nn.Conv2d(C1, config.num_classes, 1)
        self.unused_heads = nn.ModuleList(nn.Conv2d(C, config.num_classes, 1) for C in (C3, C2, C1))

    def forward(self, x: Tensor) -> Tensor:
        """Image (B, C0, H, W) -> logits (B, num_classes, H, W)."""
        self.input_size.check(x, self.config.in_channels)
        if self.config.in_channels == 1:
            x = x.expand(-1, 3, -1, -1)
        x = x.contiguous(memory_format=torch.channels_last)  # faster on a CPU
        e1 = self.pool(self.encoder1(x))  # (B, C1, H/2, W/2)
        e2 = self.pool(self.encoder2(e1))  # (B, C2, H/4, W/4)
        e3 = self.pool(self.encoder3(e2))  # (B, C3, H/8, W/8)
        e4 = self.pool(self.encoder4(e3))  # (B, C4, H/16, W/16)
        x = self.pool(self.encoder5(e4))  # (B, C5, H/32, W/32)
        x = _upsample(self.decoder5(self.pixels(self.channels5(x))))  # (B, C4, H/16, W/16)
        x = x + self.gate4(x, e4)
        x = _upsample(self.decoder4(self.pixels(self.channels4(x))))  # (B, C3, H/8, W/8)
        x = x + self.gate3(x, e3)
        x = _upsample(self.decoder3(self.pixels(self.channels3(x))))  # (B, C2, H/4, W/4)
        x = x + self.gate2(x, e2)
        x = _upsample(self.decoder2(self.pixels(self.channels2(x))))  # (B, C1, H/2, W/2)
        x = x + self.gate1(x, e1)
        x = _upsample(self.decoder1(self.pixels(self.channels1(x))))  # (B, C1, H, W)
        logits: Tensor = self.head(x)  # (B, num_classes, H, W)
        return logits


class MKIR(nn.Module):
    """Multi-kernel inverted residual block, Fig. 2.

    y = ReLU6(BN(W1 x))                                 twice the channels
    z = sum over k of ReLU6(BN(depthwise k x k(y)))     k = 1, 3, 5
    out = BN(W2 shuffle(z)) + x                         W3 x where the number of channels changes
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        C = EXPANSION * in_channels
        self.expand = _conv_norm_relu6(in_channels, C, 1)
        self.depthwise = nn.ModuleList(_conv_norm_relu6(C, C, kernel, groups=C) for kernel in KERNELS)
        self.groups = math.gcd(C, out_channels)
        self.project = nn.Sequential(nn.Conv2d(C, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels))
        self.shortcut = (
            nn.Identity() if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, 1, bias=False)
        )
        self.apply(_initialize)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H, W)."""
        y = self.expand(x)  # (B, C, H, W)
        first, *others = (branch(y) for branch in self.depthwise)
        z = sum(others, start=first)  # (B, C, H, W)
        z = z.unflatten(1, (self.groups, -1)).transpose(1, 2).flatten(1, 2)
        out: Tensor = self.project(z) + self.shortcut(x)  # (B, out_channels, H, W)
        return out


class ChannelAttention(nn.Module):
    """x sigmoid(f(mean of x) + f(maximum of x)), over pixels, with f(c) = W2 ReLU(W1 c)."""

    def __init__(self, channels: int, ratio: int) -> None:
        super().__init__()
        reduced = max(1, channels // ratio)
        self.mlp = nn.Sequential(
            nn.Conv2d(channels, reduced, 1, bias=False), nn.ReLU(), nn.Conv2d(reduced, channels, 1, bias=False)
        )
        self.apply(_initialize)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        mean, highest = x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)  # (B, C, 1, 1)
        return x * torch.sigmoid(self.mlp(mean) + self.mlp(highest))


class SpatialAttention(nn.Module):
    """x sigmoid(7x7 convolution of the mean and maximum of x over channels)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.apply(_initialize)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        both = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1)  # (B, 2, H, W)
        return x * torch.sigmoid(self.conv(both))


class GroupedAttentionGate(nn.Module):
    """skip sigmoid(BN(W ReLU(BN(g(x)) + BN(s(skip))))), with g and s 3x3 convolutions over pairs of channels; W gives one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.from_decoder, self.from_skip = (
            nn.Sequential(nn.Conv2d(channels, half, 3, padding=1, groups=half), nn.BatchNorm2d(half)) for _ in range(2)
        )
        self.join = nn.Sequential(nn.Conv2d(half, 1, 1), nn.BatchNorm2d(1), nn.Sigmoid())
        self.apply(_initialize)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Two maps (B, C, H, W) -> the skip's part that is let through, (B, C, H, W)."""
        gate: Tensor = self.join(F.relu(self.from_decoder(x) + self.from_skip(skip)))  # (B, 1, H, W)
        return skip * gate


def _conv_norm_relu6(in_channels: int, out_channels: int, kernel: int, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU6(inplace=True),
    )


def _upsample(x: Tensor) -> Tensor:
    return F.relu(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))


def _initialize(module: nn.Module) -> None:
    """Initialize as the authors' blocks; the heads keep torch's own initialization."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


SIZES = {
    "mkunet_t": MKUNetConfig(widths=(4, 8, 16, 24, 32)),
    "mkunet_s": MKUNetConfig(widths=(8, 16, 32, 48, 80)),
    "mkunet": MKUNetConfig(),
    "mkunet_m": MKUNetConfig(widths=(32, 64, 128, 192, 320)),
    "mkunet_l": MKUNetConfig(widths=(64, 128, 256, 384, 512)),
}
"""The network of the paper, smaller and larger."""
