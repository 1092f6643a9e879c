"""TM-UNet: Token-Memory Enhanced Sequential Modeling for Efficient Medical Image Segmentation. Section 2.4, Fig. 2, Table 3.

Five encoder and five decoder stages. Convolutions at the fine resolutions, token memories (MSTM) at the two deepest stages of
both halves; every decoder stage upsamples, concatenates its skip connection (but D1, which has none) and refines.
"""

from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmunet.nn.input_size import InputSize
from tmunet.nn.kernels.block_diagonal import BLOCK
from tmunet.nn.mstm import LayerNorm2d, MSTMBlock, MSTMConfig


@dataclass(frozen=True)
class TMUNetConfig:
    """What makes one TM-UNet differ from another."""

    in_channels: int = 3
    """C0, channels of the image."""
    num_classes: int = 1
    """Channels of the output: 1 is binary (sigmoid), K > 1 is K classes (softmax)."""
    widths: tuple[int, int, int, int, int] = (32, 64, 128, 256, 512)
    """C1..C5, channels of the five stages (Table 3)."""
    refine: Literal["separable", "full"] = "separable"
    """The decoder's convolution: depthwise then pointwise, or a full 3x3."""
    mstm: MSTMConfig = field(default_factory=MSTMConfig)
    """The token-memory block of the deepest stages."""

    def __post_init__(self) -> None:
        if min(self.widths) < 1:
            raise ValueError(f"Expected `widths` to be at least 1, but got {self.widths}.")
        heads = self.mstm.heads
        if self.mstm.xlstm and any(width % heads or width % BLOCK for width in self.widths[2:]):
            raise ValueError(
                f"Expected the last three `widths` to be multiples of {heads} heads and of {BLOCK}, but got {self.widths}."
            )


class TMUNet(nn.Module):
    """The network of the paper. See `TMUNetConfig` for its choices.

    Input (B, C0, H, W) with H, W >= 32, odd sizes included; output: logits (B, num_classes, H, W).

    Raises:
        ValueError: the image is smaller than 32 pixels or has other channels than C0.
    """

    input_size = InputSize(minimum=32)  # the fifth stage has 1/32 of the resolution

    def __init__(self, config: TMUNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or TMUNetConfig()
        C1, C2, C3, C4, C5 = config.widths
        self.encoder1 = ConvStage(config.in_channels, C1)
        self.encoder2 = ConvStage(C1, C2)
        self.encoder3 = ConvStage(C2, C3)
        self.encoder4 = nn.Sequential(PatchEmbedding(C3, C4), _mstm(C4, config.mstm))
        self.encoder5 = nn.Sequential(PatchEmbedding(C4, C5), _mstm(C5, config.mstm))
        self.decoder5 = nn.Sequential(_refine(C5 + C4, C4, config), _mstm(C4, config.mstm))
        self.decoder4 = nn.Sequential(_refine(C4 + C3, C3, config), _mstm(C3, config.mstm))
        self.decoder3 = _refine(C3 + C2, C2, config)
        self.decoder2 = _refine(C2 + C1, C1, config)
        self.decoder1 = _refine(C1, C1, config)
        self.head = nn.Conv2d(C1, config.num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Image (B, C0, H, W) -> logits (B, num_classes, H, W)."""
        self.input_size.check(x, self.config.in_channels)
        x = x.contiguous(memory_format=torch.channels_last)  # a map in this layout is its tokens in order
        e1 = self.first(x)  # (B, C1, H/2, W/2)
        e2 = self.encoder2(e1)  # (B, C2, H/4, W/4)
        e3 = self.encoder3(e2)  # (B, C3, H/8, W/8)
        e4 = self.encoder4(e3)  # (B, C4, H/16, W/16)
        e5 = self.encoder5(e4)  # (B, C5, H/32, W/32)
        d5 = self.decode(self.decoder5, e5, e4)  # (B, C4, H/16, W/16)
        d4 = self.decode(self.decoder4, d5, e3)  # (B, C3, H/8, W/8)
        d3 = self.decode(self.decoder3, d4, e2)  # (B, C2, H/4, W/4)
        d2 = self.decode(self.decoder2, d3, e1)  # (B, C1, H/2, W/2)
        return self.last(d2, (x.shape[2], x.shape[3]))  # (B, num_classes, H, W)

    def first(self, x: Tensor) -> Tensor:
        """E1: image (B, C0, H, W) -> (B, C1, H/2, W/2)."""
        e1: Tensor = self.encoder1(x)
        return e1

    def decode(self, stage: nn.Module, x: Tensor, skip: Tensor) -> Tensor:
        """D5-D2: (B, C, h, w) and the skip connection (B, C', H, W) -> (B, C', H, W)."""
        d: Tensor = stage(torch.cat([upsample(x, (skip.shape[2], skip.shape[3])), skip], dim=1))
        return d

    def last(self, d2: Tensor, size: tuple[int, int]) -> Tensor:
        """D1 and the head: (B, C1, H/2, W/2) -> logits (B, num_classes, H, W) for H, W = `size`."""
        d1 = self.decoder1(upsample(d2, size))  # (B, C1, H, W)
        logits: Tensor = self.head(d1)
        return logits

    def inference_form(self) -> nn.Module:
        """The same function without a gradient, in less memory."""
        from tmunet.nn.inference.fused_tmunet import InferenceTMUNet

        return InferenceTMUNet(self)


class ConvStage(nn.Sequential):
    """E1-E3: 3x3 convolution, BatchNorm, ReLU, max-pooling by 2 (pooling first: the same function, a quarter of the work)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.MaxPool2d(2),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H/2, W/2)."""
        convolution, norm, pool, relu = self
        x = norm(convolution(x))
        # a compiler's convolutions end in ReLU
        y: Tensor = pool(relu(x)) if torch.compiler.is_compiling() else relu(pool(x))
        return y

    def inference_form(self) -> nn.Module:
        """The same function without a gradient, and without the places of the maxima."""
        from tmunet.nn.inference.fused_conv_stage import InferenceConvStage

        return InferenceConvStage(self)


class PatchEmbedding(nn.Sequential):
    """E4, E5: 3x3 convolution with stride 2, LayerNorm over channels."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1), LayerNorm2d(out_channels))


class SeparableRefinement(nn.Sequential):
    """D5-D1: depthwise 3x3, BatchNorm, pointwise, BatchNorm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False),
            nn.BatchNorm2d(in_channels),
            nn.Conv2d(in_channels, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class FullRefinement(nn.Sequential):
    """D5-D1: 3x3 convolution, BatchNorm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


def _refine(in_channels: int, out_channels: int, config: TMUNetConfig) -> nn.Module:
    refinements = {"separable": SeparableRefinement, "full": FullRefinement}
    if config.refine not in refinements:
        raise ValueError(f"Expected `refine` to be one of {list(refinements)}, but got {config.refine!r}.")
    return refinements[config.refine](in_channels, out_channels)


def _mstm(dim: int, config: MSTMConfig) -> nn.Module:
    return MSTMBlock(dim, config) if config.xlstm else nn.Identity()


def upsample(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear: (B, C, h, w) -> (B, C, H, W) for H, W = `size`."""
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


SIZES = {
    "tmunet_t": TMUNetConfig(widths=(8, 16, 32, 64, 128)),
    "tmunet_s": TMUNetConfig(widths=(16, 32, 64, 128, 256)),
    "tmunet_b": TMUNetConfig(widths=(32, 64, 128, 256, 512)),
}
"""The named sizes: tiny, small and base (Table 3, rows 1-3)."""
