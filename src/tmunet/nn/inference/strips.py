"""A stage strip by strip: fine maps stay in the processor's cache, and need no large pieces of memory, which are slow to come by.

A strip is some rows of the coarser of a stage's two maps, and one row more on either side: enough for a 3x3 convolution at twice
the resolution next to a 2x2 pooling or a bilinear upsampling. What the additional rows would give is cut off, so nothing differs.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

LARGE = 8 * 2**20  # bytes of a map: what is no larger is as fast in one piece (benchmarks/strips.md)
STRIP = 4 * 2**20  # bytes of a strip's map


def tile_rows(x: Tensor, height: int, channels: int, width: int) -> int:
    """Rows of the coarser map, of `height` rows, in one strip; 0 is the whole map at once.

    Args:
        x: a map of the stage, whose images, device and type count.
        height: rows of the coarser map.
        channels: of the finer map.
        width: of the finer map, which has twice the rows.
    """
    if torch.compiler.is_compiling() or x.device.type != "cpu":  # compilers and GPUs have better ways
        return 0
    row = 2 * channels * width * x.element_size()
    large = len(x) * row * height > LARGE
    return max(STRIP // row, 1) if large else 0


def run_tiled(stage: Callable[[int, int, int], Tensor], images: int, height: int, rows: int, scale: int) -> Tensor:
    """What `stage` makes of one image from row `low` to row `high`, without the additional rows, put together.

    Args:
        stage: of the number of the image, `low` and `high` -> (1, C, scale * (high - low), W).
        images: B.
        height: rows of the coarser map, in which all rows are counted.
        rows: of one strip.
        scale: the result's resolution over that of the coarser map.
    """
    whole = []
    for image in range(images):
        strips = [
            stage(image, low, high)[:, :, scale * (start - low) : scale * (stop - low)]
            for start, stop, low, high in _strips(height, rows)
        ]
        whole.append(torch.cat(strips, dim=2))
    return torch.cat(whole) if images > 1 else whole[0]


def _strips(height: int, rows: int) -> Iterator[tuple[int, int, int, int]]:
    """First row and end of each strip, without and with the additional rows."""
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        yield start, stop, max(start - 1, 0), min(stop + 1, height)
