"""EfficientNet-Lite, an encoder of inverted residual blocks (MBConv) without squeeze-and-excitation, with ReLU6.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019, Table 1 and section 3.3. The
Lite networks (TensorFlow, 2020) are the same table without squeeze-and-excitation, with ReLU6 in place of Swish, and with a stem
of 32 channels and a first and last stage of one block at every size. Here without the classifier.
"""

import math
from dataclasses import dataclass

from torch import Tensor, nn

STEM = 32  # channels, at every size


@dataclass(frozen=True)
class Stage:
    """A row of the published table.

    Attributes:
        channels: of its output, at width 1.
        blocks: at depth 1.
        kernel: side of the depthwise convolution, in pixels.
        stride: of the first block.
        expansion: channels inside a block over those at its entry.
    """

    channels: int
    blocks: int
    kernel: int
    stride: int
    expansion: int


STAGES = (
    Stage(channels=16, blocks=1, kernel=3, stride=1, expansion=1),
    Stage(channels=24, blocks=2, kernel=3, stride=2, expansion=6),
    Stage(channels=40, blocks=2, kernel=5, stride=2, expansion=6),
    Stage(channels=80, blocks=3, kernel=3, stride=2, expansion=6),
    Stage(channels=112, blocks=3, kernel=5, stride=1, expansion=6),
    Stage(channels=192, blocks=4, kernel=5, stride=2, expansion=6),
    Stage(channels=320, blocks=1, kernel=3, stride=1, expansion=6),
)
LEVELS = ((0,), (1,), (2,), (3, 4), (5, 6))  # stages of one resolution: 1/2, 1/4, 1/8, 1/16, 1/32
COEFFICIENTS = {  # name: (width, depth)
    "efficientnet_lite0": (1.0, 1.0),
    "efficientnet_lite1": (1.0, 1.1),
    "efficientnet_lite2": (1.1, 1.2),
}


class EfficientNetLite(nn.ModuleList):
    """The encoder: image (B, C0, H, W) -> its last maps at 1/2, 1/4, 1/8, 1/16 and 1/32 of the resolution, rounded up.

    In the smallest network these are the outputs of blocks 1, 3, 5, 11 and 16, of 16, 24, 40, 112 and 320 channels. Its items
    are the five levels.

    Args:
        name: one of `COEFFICIENTS`.
        in_channels: C0, channels of the image.

    Attributes:
        name: which of the networks it is.
        channels: of the five maps, the finest first.

    Raises:
        ValueError: there is no such network.

    >>> import torch
    >>> [tuple(x.shape[1:]) for x in EfficientNetLite("efficientnet_lite0")(torch.zeros(1, 3, 64, 70))]
    [(16, 32, 35), (24, 16, 18), (40, 8, 9), (112, 4, 5), (320, 2, 3)]
    """

    def __init__(self, name: str = "efficientnet_lite0", in_channels: int = 3) -> None:
        if name not in COEFFICIENTS:
            raise ValueError(f"Expected `encoder` to be one of {list(COEFFICIENTS)}, but got {name!r}.")
        width, depth = COEFFICIENTS[name]
        outputs = [_scaled_channels(stage.channels, width) for stage in STAGES]
        levels = []
        for level in LEVELS:
            layers: list[nn.Module] = [_conv_bn_relu6(in_channels, STEM, 3, stride=2)] if level == (0,) else []
            for row in level:
                stage, entry = STAGES[row], outputs[row - 1] if row else STEM
                blocks = stage.blocks if row in (0, len(STAGES) - 1) else math.ceil(depth * stage.blocks)
                for block in range(blocks):
                    first = block == 0
                    layers.append(
                        MBConv(
                            entry if first else outputs[row],
                            outputs[row],
                            stage.kernel,
                            stage.stride if first else 1,
                            stage.expansion,
                        )
                    )
            levels.append(nn.Sequential(*layers))
        super().__init__(levels)
        self.name = name
        self.channels = tuple(outputs[level[-1]] for level in LEVELS)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(B, C0, H, W) -> five maps (B, C, ceil(H / s), ceil(W / s)), s = 2, 4, 8, 16, 32."""
        maps = []
        for level in self:
            x = level(x)
            maps.append(x)
        return tuple(maps)


class MBConv(nn.Module):
    """Inverted residual block: 1x1 expansion, depthwise convolution, 1x1 projection, added to the input where shapes agree."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = in_channels * expansion
        self.expand = _conv_bn_relu6(in_channels, inner, 1) if expansion > 1 else nn.Identity()
        self.depthwise = _conv_bn_relu6(inner, inner, kernel, stride, groups=inner)
        self.project = nn.Sequential(nn.Conv2d(inner, out_channels, 1, bias=False), _batch_norm(out_channels))
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', ceil(H / stride), ceil(W / stride))."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class StridedConv2d(nn.Conv2d):
    """Convolution of stride 2 whose first window begins (k - 2) // 2 pixels before the map: TensorFlow's padding "same".

    The weights were learned with it. torch pads both sides alike, and so samples a grid that lies one pixel before. TensorFlow
    has the grid of torch where a side is odd; here it is the same for all sides.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, groups: int = 1) -> None:
        super().__init__(
            in_channels, out_channels, kernel, stride=2, padding=kernel // 2 + 1, groups=groups, bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', ceil(H / 2), ceil(W / 2))."""
        return super().forward(x)[:, :, 1:, 1:]  # cheaper than to pad the map at its end, which copies the larger one


def _conv_bn_relu6(in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = (
        StridedConv2d(in_channels, out_channels, kernel, groups)
        if stride == 2
        else nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, groups=groups, bias=False)
    )
    return nn.Sequential(conv, _batch_norm(out_channels), nn.ReLU6(inplace=True))


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)  # TensorFlow counts momentum the other way: 0.99


def _scaled_channels(channels: int, width: float, divisor: int = 8) -> int:
    """Scale channels to the nearest multiple of 8, at most a tenth below."""
    scaled = channels * width
    rounded = max(divisor, int(scaled + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * scaled else rounded + divisor
