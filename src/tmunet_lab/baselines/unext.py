"""UNeXt: MLP-based Rapid Medical Image Segmentation Network. Section 2, Fig. 2-3.

Valanarasu, Patel, MICCAI 2022. A U-Net of three convolutional and two MLP stages. An MLP stage lays the channels in five groups,
shifts each by its own number of pixels, -2 to 2, and mixes them in a linear layer: a pixel sees its neighbors of one column, then
of one row. Convolutions of the decoder work at the lower resolution, and skip connections are added.

Written from the paper and facts measured on the authors' code, jeya-maria-jose/UNeXt-pytorch (MIT). Where the two differ it
follows the code, whose counts are those of the paper (1.47 M parameters, 0.57 G at 256 x 256; UNeXt-S 0.25 M, printed as 0.3):
the first widths are 16 and 32 (paper: 32 and 64), the MLP shifts along the height first (paper: width), its LayerNorm stands
before it, not after the sum, and each MLP stage ends in one more. The last 3x3 convolution has no BatchNorm. Their code has 3
image channels whatever it is told.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmunet.nn.input_size import InputSize
from tmunet_lab.baselines.baseline_layers import ChannelLayerNorm, init_fan_out

REACH = 2  # pixels; there are 2 * REACH + 1 groups of channels


@dataclass(frozen=True)
class UNeXtConfig:
    """Configuration of UNeXt."""

    in_channels: int = 3
    """C0, channels of the image."""
    num_classes: int = 1
    """Channels of the output: 1 is binary (sigmoid), K > 1 is K classes (softmax)."""
    widths: tuple[int, int, int, int, int] = (16, 32, 128, 160, 256)
    """C1 to C5, channels of the resolutions from 1/2 to 1/32."""

    def __post_init__(self) -> None:
        if min(self.widths) < 1:
            raise ValueError(f"Expected `widths` of at least 1, but got {self.widths}.")


class UNeXt(nn.Module):
    """The network of the paper. See `UNeXtConfig` for its sizes.

    Input (B, C0, H, W) with H, W >= 32 and divisible by 32; output: logits (B, num_classes, H, W).

    Raises:
        ValueError: the image has another size or other channels than C0.
    """

    input_size = InputSize(minimum=32, multiple=32)  # five halvings, each undone by doubling

    def __init__(self, config: UNeXtConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or UNeXtConfig()
        C1, C2, C3, C4, C5 = config.widths
        self.encoder1 = _conv_norm_pool_relu(config.in_channels, C1)
        self.encoder2 = _conv_norm_pool_relu(C1, C2)
        self.encoder3 = _conv_norm_pool_relu(C2, C3)
        self.encoder4 = nn.Sequential(PatchEmbedding(C3, C4), ShiftedMLP(C4), ChannelLayerNorm(C4))
        self.bottleneck = nn.Sequential(PatchEmbedding(C4, C5), ShiftedMLP(C5), ChannelLayerNorm(C5))
        self.reduce5 = _conv_norm(C5, C4)
        self.decoder4 = nn.Sequential(ShiftedMLP(C4), ChannelLayerNorm(C4))
        self.reduce4 = _conv_norm(C4, C3)
        self.decoder3 = nn.Sequential(ShiftedMLP(C3), ChannelLayerNorm(C3))
        self.reduce3 = _conv_norm(C3, C2)
        self.reduce2 = _conv_norm(C2, C1)
        self.reduce1 = nn.Conv2d(C1, C1, 3, padding=1)
        self.head = nn.Conv2d(C1, config.num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Image (B, C0, H, W) -> logits (B, num_classes, H, W)."""
        self.input_size.check(x, self.config.in_channels)
        x = x.contiguous(memory_format=torch.channels_last)  # faster on a CPU
        e1 = self.encoder1(x)  # (B, C1, H/2, W/2)
        e2 = self.encoder2(e1)  # (B, C2, H/4, W/4)
        e3 = self.encoder3(e2)  # (B, C3, H/8, W/8)
        e4 = self.encoder4(e3)  # (B, C4, H/16, W/16)
        x = self.bottleneck(e4)  # (B, C5, H/32, W/32)
        x = self.decoder4(_upsample(self.reduce5(x)) + e4)  # (B, C4, H/16, W/16)
        x = self.decoder3(_upsample(self.reduce4(x)) + e3)  # (B, C3, H/8, W/8)
        x = _upsample(self.reduce3(x)) + e2  # (B, C2, H/4, W/4)
        x = _upsample(self.reduce2(x)) + e1  # (B, C1, H/2, W/2)
        x = _upsample(self.reduce1(x))  # (B, C1, H, W)
        logits: Tensor = self.head(x)  # (B, num_classes, H, W)
        return logits


class PatchEmbedding(nn.Module):
    """3x3 convolution of stride 2, and LayerNorm over channels."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1)
        self.norm = ChannelLayerNorm(out_channels)
        init_fan_out(self.project)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H/2, W/2)."""
        out: Tensor = self.norm(self.project(x))
        return out


class ShiftedMLP(nn.Module):
    """The tokenized MLP block, Fig. 2.

    y = GELU(depthwise 3x3(W1 shift_h(LN x)))
    out = x + W2 shift_w(y)
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelLayerNorm(channels)
        self.fc1 = nn.Linear(channels, channels)
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.fc2 = nn.Linear(channels, channels)
        init_fan_out(self.depthwise)
        for linear in (self.fc1, self.fc2):
            nn.init.trunc_normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        y = _over_channels(self.fc1, shift(self.norm(x), 2))  # (B, C, H, W)
        y = F.gelu(self.depthwise(y))
        return x + _over_channels(self.fc2, shift(y, 3))


def shift(x: Tensor, dim: int) -> Tensor:
    """Shift five groups of channels by -2, -1, 0, 1 and 2 pixels; zeros come in from outside. Fig. 3.

    The groups have ceil(C/5) channels each, and the last one what is left of C.

    Args:
        x: (B, C, H, W).
        dim: 2 shifts along the height, 3 along the width.

    >>> x = torch.arange(1.0, 4.0).expand(1, 5, 1, 3)
    >>> shift(x, 3)[0, :, 0]
    tensor([[3., 0., 0.],
            [2., 3., 0.],
            [1., 2., 3.],
            [0., 1., 2.],
            [0., 0., 1.]])
    """
    length = x.shape[dim]
    padded = F.pad(x, (0, 0, REACH, REACH) if dim == 2 else (REACH, REACH, 0, 0))
    groups = padded.chunk(2 * REACH + 1, dim=1)
    return torch.cat([group.narrow(dim, 2 * REACH - i, length) for i, group in enumerate(groups)], dim=1)


def _over_channels(layer: nn.Linear, x: Tensor) -> Tensor:
    out: Tensor = layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    return out


def _conv_norm(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.BatchNorm2d(out_channels))


def _conv_norm_pool_relu(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(*_conv_norm(in_channels, out_channels), nn.MaxPool2d(2), nn.ReLU(inplace=True))


def _upsample(x: Tensor) -> Tensor:
    return F.relu(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))


SIZES = {
    "unext": UNeXtConfig(),
    "unext_s": UNeXtConfig(widths=(8, 16, 32, 64, 128)),
}
"""The network of the paper, and its small one."""
