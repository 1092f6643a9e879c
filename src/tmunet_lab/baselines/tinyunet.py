"""TinyU-Net: Lighter Yet Better U-Net with Cascaded Multi-receptive Fields. Section 2, Fig. 1-2.

Chen, Chen, Wang, Cheng, Zhang, Chen, MICCAI 2024. A U-Net of four resolutions whose blocks (CMRF) chain seven cheap depthwise
convolutions and keep the result of each: receptive fields of 3, 5, ... 15 pixels in one block.

Written from the paper and facts measured on the authors' code, ChenJunren-Lab/TinyU-Net (MIT). Their block adds a residual where
it has as many output as input channels; no block of this network does, and it is left out.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmunet.nn.input_size import InputSize

CASCADE = 8  # N, the parts of a block's channels: one sum, and seven depthwise convolutions one after another


@dataclass(frozen=True)
class TinyUNetConfig:
    """Configuration of TinyU-Net."""

    in_channels: int = 3
    """C0, channels of the image."""
    num_classes: int = 1
    """Channels of the output: 1 is binary (sigmoid), K > 1 is K classes (softmax)."""


class TinyUNet(nn.Module):
    """The network of the paper; there is no block at the lowest resolution, only the pooled map.

    Input (B, C0, H, W) with H, W >= 16 and divisible by 16; output: logits (B, num_classes, H, W).

    Raises:
        ValueError: the image has another size or other channels than C0.
    """

    input_size = InputSize(minimum=16, multiple=16)  # four halvings, each undone by doubling

    def __init__(self, config: TinyUNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or TinyUNetConfig()
        self.pool = nn.MaxPool2d(2)
        self.encoder1 = CMRF(config.in_channels, 64)
        self.encoder2 = CMRF(64, 128)
        self.encoder3 = CMRF(128, 256)
        self.encoder4 = CMRF(256, 512)
        self.decoder4 = CMRF(512 + 512, 512)
        self.decoder3 = CMRF(512 + 256, 256)
        self.decoder2 = CMRF(256 + 128, 128)
        self.decoder1 = CMRF(128 + 64, 64)
        self.head = nn.Conv2d(64, config.num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Image (B, C0, H, W) -> logits (B, num_classes, H, W)."""
        self.input_size.check(x, self.config.in_channels)
        if not self.training:
            x = x.contiguous(memory_format=torch.channels_last)  # faster on a CPU, but not with gradients
        e1 = self.encoder1(x)  # (B, 64, H, W)
        e2 = self.encoder2(self.pool(e1))  # (B, 128, H/2, W/2)
        e3 = self.encoder3(self.pool(e2))  # (B, 256, H/4, W/4)
        e4 = self.encoder4(self.pool(e3))  # (B, 512, H/8, W/8)
        x = self.pool(e4)  # (B, 512, H/16, W/16)
        x = self.decoder4(_upsample_and_join(x, e4))  # (B, 512, H/8, W/8)
        x = self.decoder3(_upsample_and_join(x, e3))  # (B, 256, H/4, W/4)
        x = self.decoder2(_upsample_and_join(x, e2))  # (B, 128, H/2, W/2)
        x = self.decoder1(_upsample_and_join(x, e1))  # (B, 64, H, W)
        logits: Tensor = self.head(x)  # (B, num_classes, H, W)
        return logits


class CMRF(nn.Module):
    """Cascaded multi-receptive fields, Fig. 2.

    e, o = even and odd channels of GELU(BN(W1 x))
    z_1 = D_1(o), z_j = D_j(z_(j-1))        D: depthwise 3x3 and BatchNorm, j = 2 .. 7
    y = GELU(BN(W2 [e + o, z_1, ..., z_7]))
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        part = out_channels // (2 * CASCADE)
        self.reduce = nn.Sequential(_conv_norm(in_channels, 2 * part, 1), nn.GELU())
        self.cascade = nn.ModuleList(_conv_norm(part, part, 3, groups=part) for _ in range(CASCADE - 1))
        self.expand = nn.Sequential(_conv_norm(CASCADE * part, out_channels, 1), nn.GELU())

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H, W)."""
        t = self.reduce(x)  # (B, out_channels/8, H, W)
        even, odd = t[:, ::2], t[:, 1::2]  # (B, out_channels/16, H, W) each
        parts, z = [even + odd], odd
        for step in self.cascade:
            z = step(z)
            parts.append(z)
        y: Tensor = self.expand(torch.cat(parts, dim=1))  # (B, out_channels, H, W)
        return y


def _conv_norm(in_channels: int, out_channels: int, kernel: int, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out_channels, eps=1e-3, momentum=0.03),
    )


def _upsample_and_join(x: Tensor, skip: Tensor) -> Tensor:
    x = F.interpolate(x, scale_factor=2, mode="bicubic", align_corners=False)
    return torch.cat([x, skip], dim=1)


SIZES = {"tinyunet": TinyUNetConfig()}
"""The one size of the paper."""
