"""A U-Net decoder on an EfficientNet-Lite encoder: the peer of `tmunet_lite0` without token memory.

What users of a pretrained encoder build first: Ronneberger et al., MICCAI 2015, with the encoder exchanged. Each decoder stage
upsamples, joins the encoder's map and applies two 3x3 convolutions, up to the full resolution. Widths and the 3x3 head are the
defaults of `segmentation_models.pytorch`'s `Unet`, upsampling is bilinear as elsewhere here (there: nearest neighbor).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tmunet.nn.encoders.efficientnet_lite import EfficientNetLite
from tmunet.nn.input_size import InputSize
from tmunet.nn.layers import ConvBNReLU, upsample_like


@dataclass(frozen=True)
class UNetLiteConfig:
    """Configuration of a U-Net with an EfficientNet-Lite encoder."""

    in_channels: int = 3
    """C0, channels of the image."""
    num_classes: int = 1
    """Channels of the output: 1 is binary (sigmoid), K > 1 is K classes (softmax)."""
    encoder: str = "efficientnet_lite0"
    """Encoder: efficientnet_lite0, efficientnet_lite1 or efficientnet_lite2."""
    widths: tuple[int, int, int, int, int] = (256, 128, 64, 32, 16)
    """Channels of the decoder at 1/16, 1/8, 1/4, 1/2 and the whole resolution."""

    def __post_init__(self) -> None:
        if min(self.widths) < 1:
            raise ValueError(f"Expected `widths` to be at least 1, but got {self.widths}.")


class UNetLite(nn.Module):
    """U-Net with a pretrainable encoder: image (B, C0, H, W) with H, W >= 32 -> logits (B, num_classes, H, W).

    Raises:
        ValueError: the image is smaller or has other channels than C0.
    """

    input_size = InputSize(minimum=32)  # the deepest map has 1/32 of the resolution

    def __init__(self, config: UNetLiteConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or UNetLiteConfig()
        self.encoder = EfficientNetLite(config.encoder, config.in_channels)
        *skips, deepest = self.encoder.channels
        below = (deepest, *config.widths)  # channels that come from the stage below
        joined = [b + s for b, s in zip(below, [*reversed(skips), 0], strict=False)]
        self.decoder = nn.ModuleList(
            nn.Sequential(ConvBNReLU(inputs, width), ConvBNReLU(width, width))
            for inputs, width in zip(joined, config.widths, strict=True)
        )
        self.head = nn.Conv2d(config.widths[-1], config.num_classes, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Image (B, C0, H, W) -> logits (B, num_classes, H, W)."""
        self.input_size.check(x, self.config.in_channels)
        x = x.contiguous(memory_format=torch.channels_last)  # faster on a CPU
        *skips, y = self.encoder(x)
        for stage, skip in zip(self.decoder, [*reversed(skips), None], strict=True):
            y = upsample_like(y, x if skip is None else skip)
            y = stage(y if skip is None else torch.cat([y, skip], 1))
        logits: Tensor = self.head(y)
        return logits


SIZES = {"unet_lite0": UNetLiteConfig()}
"""The named size."""
