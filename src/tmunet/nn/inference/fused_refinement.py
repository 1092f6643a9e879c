"""The refinement of a decoder stage for inference, without the concatenation of the upsampled map and its skip connection.

A convolution of [u, s] is the sum of one of u and one of s, so that the map with all channels is never written:

    pointwise(depthwise([u, s])) = pointwise_u(depthwise_u(u)) + pointwise_s(depthwise_s(s))
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmunet.nn.layers import DepthwiseSeparableConv, upsample_like


class InferenceRefinement(nn.Module):
    """The function of upsampling, concatenation and a `DepthwiseSeparableConv` whose BatchNorms are folded.

    Args:
        refinement: of C + C' channels; it stays as it is.
        skip_channels: C', those of the skip connection, the last ones.
    """

    up_depthwise: Tensor
    up_bias: Tensor
    up_pointwise: Tensor
    skip_depthwise: Tensor
    skip_bias: Tensor
    skip_pointwise: Tensor
    bias: Tensor

    def __init__(self, refinement: DepthwiseSeparableConv, skip_channels: int) -> None:
        super().__init__()
        depthwise, pointwise = refinement.get_submodule("0"), refinement.get_submodule("2")
        assert isinstance(depthwise, nn.Conv2d)
        assert isinstance(pointwise, nn.Conv2d)
        assert depthwise.bias is not None
        channels = depthwise.in_channels - skip_channels
        for name, part in (("up", slice(channels)), ("skip", slice(channels, None))):
            self.register_buffer(f"{name}_depthwise", depthwise.weight[part])
            self.register_buffer(f"{name}_bias", depthwise.bias[part])
            self.register_buffer(f"{name}_pointwise", pointwise.weight[:, part].contiguous())
        self.register_buffer("bias", pointwise.bias)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, C, h, w) and the skip connection (B, C', H, W) -> (B, C', H, W)."""
        up = upsample_like(x, skip)
        up = F.conv2d(up, self.up_depthwise, self.up_bias, padding=1, groups=up.shape[1])
        skip = F.conv2d(skip, self.skip_depthwise, self.skip_bias, padding=1, groups=skip.shape[1])
        return F.conv2d(up, self.up_pointwise, self.bias).add_(F.conv2d(skip, self.skip_pointwise)).relu_()


class InferenceConcatRefinement(nn.Module):
    """Upsampling, concatenation and any other refinement, in the order of the paper."""

    def __init__(self, refinement: nn.Module) -> None:
        super().__init__()
        self.refinement = refinement

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, C, h, w) and the skip connection (B, C', H, W) -> (B, C', H, W)."""
        y: Tensor = self.refinement(torch.cat([upsample_like(x, skip), skip], 1))
        return y
