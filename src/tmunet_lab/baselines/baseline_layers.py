"""Layers that several baselines share."""

import math

from torch import Tensor, nn


class ChannelLayerNorm(nn.Module):
    """LayerNorm over the channels of a map; a plain `nn.LayerNorm` inside, since thop counts exact classes only."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        out: Tensor = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return out


def conv_norm_relu(in_channels: int, out_channels: int, stride: int = 1, bias: bool = True) -> nn.Sequential:
    """3x3 convolution, BatchNorm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=bias),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def double_conv(in_channels: int, middle: int, out_channels: int, bias: bool = True) -> nn.Sequential:
    """Twice a 3x3 convolution, BatchNorm, ReLU."""
    return nn.Sequential(
        *conv_norm_relu(in_channels, middle, bias=bias), *conv_norm_relu(middle, out_channels, bias=bias)
    )


def init_fan_out(convolution: nn.Conv2d) -> None:
    """Initialize a convolution: weights N(0, sqrt(2 / fan-out of a group)), bias 0."""
    fan_out = convolution.weight[0, 0].numel() * convolution.out_channels / convolution.groups
    nn.init.normal_(convolution.weight, std=math.sqrt(2 / fan_out))
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
