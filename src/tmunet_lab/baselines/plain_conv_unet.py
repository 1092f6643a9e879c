"""nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation. Isensee et al., Nature Methods 2021.

The network that nnU-Net plans for 512 x 512 pixels, and no more of nnU-Net than that: eight resolutions of two 3x3 convolutions,
InstanceNorm and LeakyReLU each, strided convolutions on the way down, transposed ones on the way up, and logits at every
resolution of the decoder for deep supervision.

The layers are those of nnU-Net itself, from the authors' package dynamic-network-architectures 0.3.1 (Apache-2.0); the plan is
the one that their planner yields for RGB images of 512 x 512.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from tmunet.extras import require
from tmunet.nn.input_size import InputSize


@dataclass(frozen=True)
class NNUNetConfig:
    """Configuration of the network."""

    in_channels: int = 3
    """C0, channels of the image."""
    num_classes: int = 1
    """Channels of the output: 1 is binary (sigmoid), K > 1 is K classes (softmax; nnU-Net's way for two classes as well)."""


class NNUNet(nn.Module):
    """The network of the plan.

    Input (B, C0, H, W) with H, W >= 256 and divisible by 128; output in eval mode: logits (B, num_classes, H, W); in training
    mode: a tuple of logits at H x W, H/2 x W/2, ... H/64 x W/64, which the loss weighs by `supervision_weights`.

    Raises:
        MissingExtraError: the package is not installed.
        ValueError: the image has another size or other channels than C0.
    """

    # seven halvings; InstanceNorm needs more than one pixel at the last
    input_size = InputSize(minimum=256, multiple=128)

    supervision_weights = tuple(weight * 32 / 63 for weight in (1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 0))
    """Of the losses at the resolutions of the training output, finest first; they add up to 1."""

    def __init__(self, config: NNUNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or NNUNetConfig()
        unet = require("dynamic_network_architectures.architectures.unet", extra="nnunet")
        self.unet: Any = unet.PlainConvUNet(
            input_channels=config.in_channels,
            n_stages=8,
            features_per_stage=(32, 64, 128, 256, 512, 512, 512, 512),
            conv_op=nn.Conv2d,
            kernel_sizes=3,
            strides=(1, 2, 2, 2, 2, 2, 2, 2),
            n_conv_per_stage=2,
            num_classes=config.num_classes,
            n_conv_per_stage_decoder=2,
            conv_bias=True,
            norm_op=nn.InstanceNorm2d,
            norm_op_kwargs={"eps": 1e-5, "affine": True},
            nonlin=nn.LeakyReLU,
            nonlin_kwargs={"inplace": True},
            deep_supervision=True,
        )
        self.unet.apply(unet.PlainConvUNet.initialize)
        _register_once(self.unet)

    def train(self, mode: bool = True) -> "NNUNet":
        """Set training mode, with deep supervision, or eval mode, without it."""
        super().train(mode)
        self.unet.decoder.deep_supervision = mode
        return self

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Image (B, C0, H, W) -> logits (B, num_classes, H, W), or in training mode those of seven resolutions."""
        self.input_size.check(x, self.config.in_channels)
        logits: Tensor | list[Tensor] = self.unet(x)  # (B, num_classes, H, W), (B, num_classes, H/2, W/2), ...
        return tuple(logits) if isinstance(logits, list) else logits


def _register_once(unet: Any) -> None:
    """Drop the second names under which the package registers its layers: a file of weights has each tensor once."""
    del unet.decoder.encoder
    for block in unet.modules():
        if hasattr(block, "all_modules"):  # a convolution block; it runs this Sequential
            del block.conv, block.norm, block.nonlin


SIZES = {"nnunet": NNUNetConfig()}
"""The one plan."""
