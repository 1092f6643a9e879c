"""Rolling-UNet: Revitalizing MLP's Ability to Efficiently Extract Long-Distance Dependencies. Section 3, Fig. 2-4.

Liu, Zhu, Liu, Yu, Chen, Gao, "... for Medical Image Segmentation", AAAI 2024. A U-Net whose two deepest resolutions have no wide
kernels: each channel is rolled round the map by its own number of pixels, so that a linear layer over channels mixes a whole
diagonal. Skip connections are added.

Written from the paper and facts measured on the authors' code, Jiaoyang45/Rolling-Unet (MIT).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmunet.nn.input_size import InputSize
from tmunet_lab.baselines.baseline_layers import ChannelLayerNorm, conv_norm_relu, double_conv, init_fan_out


@dataclass(frozen=True)
class RollingUNetConfig:
    """Configuration of Rolling-UNet."""

    in_channels: int = 3
    """C0, channels of the image."""
    num_classes: int = 1
    """Channels of the output: 1 is binary (sigmoid), K > 1 is K classes (softmax)."""
    width: int = 16
    """w, channels of the finest resolution; each coarser one has twice as many."""
    dropout: float = 0.1
    """Dropout inside the block of the coarsest resolution."""

    def __post_init__(self) -> None:
        if self.width < 1 or not 0 <= self.dropout < 1:
            raise ValueError(
                f"Expected `width` of at least 1 and `dropout` from 0 to below 1, but got {self.width} and {self.dropout}."
            )


class RollingUNet(nn.Module):
    """The network of the paper. See `RollingUNetConfig` for its sizes.

    Input (B, C0, H, W) with H, W >= 16 and divisible by 16; output: logits (B, num_classes, H, W).

    Raises:
        ValueError: the image has another size or other channels than C0.
    """

    input_size = InputSize(minimum=16, multiple=16)  # four halvings, each undone by doubling

    def __init__(self, config: RollingUNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or RollingUNetConfig()
        C1, C2, C3, C4, C5 = (config.width * 2**level for level in range(5))
        self.pool = nn.MaxPool2d(2)
        self.encoder1 = double_conv(config.in_channels, C1, C1)
        self.encoder2 = double_conv(C1, C2, C2)
        self.encoder3 = double_conv(C2, C3, C3)
        self.encoder4 = nn.Sequential(FeatureIncentive(C3, C4), Lo2Block(C4), ChannelLayerNorm(C4))
        self.bottleneck = nn.Sequential(FeatureIncentive(C4, C5), Lo2Block(C5, config.dropout), ChannelLayerNorm(C5))
        self.shrink = FeatureIncentive(C5, C4)
        self.decoder4 = nn.Sequential(Lo2Block(C4), ChannelLayerNorm(C4), conv_norm_relu(C4, C3))
        self.decoder3 = double_conv(C3, C3, C2)
        self.decoder2 = double_conv(C2, C2, C1)
        self.decoder1 = double_conv(C1, C1, C1 // 2)
        self.head = nn.Conv2d(C1 // 2, config.num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Image (B, C0, H, W) -> logits (B, num_classes, H, W)."""
        self.input_size.check(x, self.config.in_channels)
        x = x.contiguous(memory_format=torch.channels_last)  # faster on a CPU
        e1 = self.encoder1(x)  # (B, C1, H, W)
        e2 = self.encoder2(self.pool(e1))  # (B, C2, H/2, W/2)
        e3 = self.encoder3(self.pool(e2))  # (B, C3, H/4, W/4)
        e4 = self.encoder4(self.pool(e3))  # (B, C4, H/8, W/8)
        x = self.bottleneck(self.pool(e4))  # (B, C5, H/16, W/16)
        x = self.shrink(x)  # (B, C4, H/16, W/16)
        x = self.decoder4(_upsample(x) + e4)  # (B, C3, H/8, W/8)
        x = self.decoder3(_upsample(x) + e3)  # (B, C2, H/4, W/4)
        x = self.decoder2(_upsample(x) + e2)  # (B, C1, H/2, W/2)
        x = self.decoder1(_upsample(x) + e1)  # (B, C1/2, H, W)
        logits: Tensor = self.head(x)  # (B, num_classes, H, W)
        return logits


class FeatureIncentive(nn.Sequential):
    """3x3 convolution, GELU, and only then LayerNorm over channels."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.GELU(), ChannelLayerNorm(out_channels))
        self.apply(_initialize)


class Lo2Block(nn.Module):
    """Long-distance and local features of a map, Fig. 2; there is no residual around the block.

        a = W2 R_w+ GELU(W1 R_h+ x) + x         rolled along the height, then along the width
        b = W4 R_h+ GELU(W3 R_w- x) + x         rolled along the width, backwards, then along the height
        g = W5 LN([a, b]) + x
        local = BN(ReLU(pointwise(depthwise 3x3(x))))
        out = W6 [g, local]

    Args:
        channels: C of the map.
        dropout: after both GELUs and after W2, W4, W5 and W6.
    """

    def __init__(self, channels: int, dropout: float = 0.0) -> None:
        super().__init__()
        C = channels
        self.fc1, self.fc2, self.fc3, self.fc4 = (nn.Linear(C, C) for _ in range(4))
        self.norm = nn.LayerNorm(2 * C)
        self.fc5 = nn.Linear(2 * C, C)
        self.depthwise = nn.Conv2d(C, C, 3, padding=1, groups=C)
        self.pointwise = nn.Conv2d(C, C, 1)
        self.local_norm = nn.BatchNorm2d(C)
        self.fc6 = nn.Linear(2 * C, C)
        self.unused_norm = nn.LayerNorm(C)
        self.dropout = nn.Dropout(dropout)
        self.apply(_initialize)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        local = self.local_norm(F.relu(self.pointwise(self.depthwise(x)))).permute(0, 2, 3, 1)  # (B, H, W, C)
        x = x.permute(0, 2, 3, 1)  # (B, H, W, C)
        drop = self.dropout
        a = drop(self.fc2(roll(drop(F.gelu(self.fc1(roll(x, 1)))), 2))) + x
        b = drop(self.fc4(roll(drop(F.gelu(self.fc3(roll(x, 2, backwards=True)))), 1))) + x
        g = drop(self.fc5(self.norm(torch.cat([a, b], dim=3)))) + x  # (B, H, W, C)
        out: Tensor = drop(self.fc6(torch.cat([g, local], dim=3)))  # (B, H, W, C)
        return out.permute(0, 3, 1, 2)  # (B, C, H, W)


def roll(x: Tensor, dim: int, backwards: bool = False) -> Tensor:
    """Shift channel c round the map by c pixels.

    Args:
        x: (B, H, W, C).
        dim: 1 rolls along the height, 2 along the width.
        backwards: shift by -c.

    >>> x = torch.tensor([[10, 11, 12], [20, 21, 22], [30, 31, 32]]).reshape(1, 3, 1, 3)
    >>> roll(x, 1).reshape(3, 3)
    tensor([[10, 31, 22],
            [20, 11, 32],
            [30, 21, 12]])
    """
    shift = torch.arange(x.shape[3], device=x.device)
    place = torch.arange(x.shape[dim], device=x.device)[:, None]
    source = (place + (shift if backwards else -shift)) % x.shape[dim]  # (H or W, C)
    return x.gather(dim, (source[:, None] if dim == 1 else source).expand(x.shape))


def _upsample(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _initialize(module: nn.Module) -> None:
    """Initialize as the authors' blocks; everything outside keeps torch's own initialization."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        init_fan_out(module)


SIZES = {
    "rolling_unet_s": RollingUNetConfig(width=16, dropout=0.1),
    "rolling_unet_m": RollingUNetConfig(width=32, dropout=0.2),
    "rolling_unet_l": RollingUNetConfig(width=64, dropout=0.3),
}
"""The named sizes: small, medium and large."""
