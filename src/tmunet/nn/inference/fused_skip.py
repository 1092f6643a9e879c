"""The separable refinement of an upsampled map and its skip connection, for inference, without joining the two.

A convolution of joined maps is the sum of the convolutions of each.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmunet.nn.inference.strips import run_tiled, tile_rows
from tmunet.nn.tmunet import SeparableRefinement, upsample


class SkipRefinement(nn.Module):
    """A `SeparableRefinement` whose BatchNorms are folded, without a gradient.

    Args:
        refinement: of the joined maps.
        channels: those of the upsampled map, which come first.
    """

    up_depthwise: Tensor
    up_bias: Tensor
    up_pointwise: Tensor
    skip_depthwise: Tensor
    skip_bias: Tensor
    skip_pointwise: Tensor
    bias: Tensor

    @torch.no_grad()
    def __init__(self, refinement: SeparableRefinement, channels: int) -> None:
        super().__init__()
        depthwise, pointwise = (layer for layer in refinement if isinstance(layer, nn.Conv2d))
        assert depthwise.bias is not None  # that of its BatchNorm
        assert pointwise.bias is not None
        for name, part in (("up", slice(None, channels)), ("skip", slice(channels, None))):
            self.register_buffer(f"{name}_depthwise", depthwise.weight[part].clone())
            self.register_buffer(f"{name}_bias", depthwise.bias[part].clone())
            self.register_buffer(f"{name}_pointwise", pointwise.weight[:, part].clone())
        self.register_buffer("bias", pointwise.bias.clone())

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, C, h, w) and (B, C', H, W) -> (B, out_channels, H, W)."""
        height, (H, W) = x.shape[2], skip.shape[2:]
        rows = tile_rows(x, height, x.shape[1], W)
        if not rows or 2 * height != H:
            return self._refine(upsample(x, (H, W)), skip)

        def strip(image: int, low: int, high: int) -> Tensor:
            up = upsample(x[image : image + 1, :, low:high], (2 * (high - low), W))
            return self._refine(up, skip[image : image + 1, :, 2 * low : 2 * high])

        return run_tiled(strip, len(x), height, rows, scale=2)

    def _refine(self, up: Tensor, skip: Tensor) -> Tensor:
        up = F.conv2d(up, self.up_depthwise, self.up_bias, padding=1, groups=up.shape[1])
        skip = F.conv2d(skip, self.skip_depthwise, self.skip_bias, padding=1, groups=skip.shape[1])
        return F.conv2d(up, self.up_pointwise, self.bias).add_(F.conv2d(skip, self.skip_pointwise)).relu_()
