"""TM-UNet for inference: the two stages whose maps are as fine as the image run strip by strip, in the processor's cache.

A strip is some rows of the half-resolution map, and one row more on either side: enough for a 3x3 convolution at full resolution
next to a 2x2 pooling or a bilinear upsampling. What the additional rows would give is cut off, so nothing differs.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from tmunet.nn.tmunet import TMUNet

LARGE = 16 * 2**20  # bytes of a map: what is smaller is as fast in one piece; measured on 32 MiB of shared cache
STRIP = 4 * 2**20  # bytes of a strip's map


class FoldedTMUNet(TMUNet):
    """A `TMUNet` without a gradient, made of its stages.

    Args:
        network: in eval mode.
    """

    def __init__(self, network: TMUNet) -> None:
        nn.Module.__init__(self)
        self.config = network.config
        for name, stage in network.named_children():
            self.add_module(name, stage)
        self.eval()

    def first(self, x: Tensor) -> Tensor:
        """Image (B, C0, H, W) -> (B, C1, H/2, W/2)."""
        whole = super().first
        height, rows = x.shape[2] // 2, self._rows(x, x.shape[3])
        if not rows:
            return whole(x)

        def strip(image: Tensor, low: int, high: int) -> Tensor:
            return whole(image[:, :, 2 * low : x.shape[2] if high == height else 2 * high])

        return _in_strips(strip, x, height, rows, scale=1)

    def last(self, d2: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, C1, H/2, W/2) -> logits (B, num_classes, H, W)."""
        whole = super().last
        height, rows = d2.shape[2], self._rows(d2, size[1])
        if not rows or size[0] != 2 * height:  # rows of an odd image lie otherwise between those of the map
            return whole(d2, size)

        def strip(image: Tensor, low: int, high: int) -> Tensor:
            return whole(image[:, :, low:high], (2 * (high - low), size[1]))

        return _in_strips(strip, d2, height, rows, scale=2)

    def _rows(self, x: Tensor, width: int) -> int:
        """Rows at half resolution of one strip; 0 is the whole map at once."""
        if torch.compiler.is_compiling() or x.device.type != "cpu":  # compilers and GPUs have better ways
            return 0
        row = 2 * self.config.widths[0] * width * x.element_size()
        large = len(x) * row * x.shape[2] > LARGE
        return max(STRIP // row, 1) if large else 0


def _in_strips(stage: Callable[[Tensor, int, int], Tensor], x: Tensor, height: int, rows: int, scale: int) -> Tensor:
    """What `stage` makes of each image from row `low` to row `high`, without the additional rows, put together.

    `height` and rows count at half resolution; `scale` is the output's resolution over that.
    """
    images = []
    for image in x.chunk(len(x)):
        strips = [
            stage(image, low, high)[:, :, scale * (start - low) : scale * (stop - low)]
            for start, stop, low, high in _strips(height, rows)
        ]
        images.append(torch.cat(strips, dim=2))
    return torch.cat(images) if len(images) > 1 else images[0]


def _strips(height: int, rows: int) -> Iterator[tuple[int, int, int, int]]:
    """First row and end of each strip, without and with the additional rows."""
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        yield start, stop, max(start - 1, 0), min(stop + 1, height)
