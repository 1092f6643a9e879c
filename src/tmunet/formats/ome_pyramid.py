"""Write pyramids of labels or probabilities as OME-TIFF, tile by tile, in memory of one row of blocks."""

import uuid
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffWriter

from tmunet.files import open_atomic

TILE = 512  # side of the tiles of the file in pixels
_SMALLEST = 512  # no level is made of one that is not larger

Block = Callable[[int, int], NDArray[np.uint8] | None]
"""Row and column of a block -> its values (block, block), cut at the edge of the image; None is a block of zeros."""


def write_pyramid(path: Path, size: tuple[int, int], block: int, read: Block, mpp: float, name: str) -> int:
    """Write a pyramid atomically; a level has every second pixel of the one before, so that no value is invented.

    Args:
        path: the file.
        size: (H, W) of the full resolution.
        block: side of a block, a power of two times 16 or more.
        read: reads a block; it is called several times for each.
        mpp: micrometers per pixel.
        name: of the image in the OME metadata.

    Returns:
        The number of levels.
    """
    levels = 1
    while max(size) >> (levels - 1) > _SMALLEST and (block >> levels) << levels == block:
        levels += 1
    cached = lru_cache(maxsize=-(-size[1] // block))(read)
    metadata = {
        "axes": "YX",
        "Name": name,
        "PhysicalSizeX": mpp,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": mpp,
        "PhysicalSizeYUnit": "µm",
        "UUID": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, f'{name} {size} {mpp}')}",  # the same file again, not a random one
    }
    with open_atomic(path) as file, TiffWriter(file, bigtiff=True, ome=True) as tiff:
        for level in range(levels):
            shape = -(-size[0] // 2**level), -(-size[1] // 2**level)
            tiff.write(
                _tiles(cached, size, block, level),
                shape=shape,
                dtype=np.uint8,
                tile=(TILE, TILE),
                compression="zlib",
                compressionargs={"level": 1},
                photometric="minisblack",
                resolution=(1e4 / mpp / 2**level, 1e4 / mpp / 2**level),
                resolutionunit="CENTIMETER",
                subifds=levels - 1 if level == 0 else None,
                subfiletype=1 if level else 0,
                metadata=metadata if level == 0 else None,
            )
    return levels


def _tiles(read: Block, size: tuple[int, int], block: int, level: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the tiles of a level in reading order, each of its full size."""
    step = 2**level
    height, width = -(-size[0] // step), -(-size[1] // step)
    side = block // step
    for top in range(0, height, TILE):
        bottom = min(top + TILE, height)
        strip = np.zeros((TILE, -(-width // TILE) * TILE), np.uint8)
        for row in range(top // side, -(-bottom // side)):
            for column in range(-(-width // side)):
                values = read(row, column)
                if values is None:
                    continue
                small = values[::step, ::step]
                first, last = max(top, row * side), min(bottom, row * side + small.shape[0])
                if first < last:
                    part = small[first - row * side : last - row * side]
                    strip[first - top : last - top, column * side : column * side + small.shape[1]] = part
        for left in range(0, width, TILE):
            yield np.ascontiguousarray(strip[:, left : left + TILE])
