"""Pictures made smaller, with outlines that survive it."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from tmunet.labels import IGNORE_LABEL

_Value = TypeVar("_Value", bound=np.generic)


def contour(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Trace the inner outline of every label: its mask minus the mask's erosion by the 4-neighborhood.

    Args:
        labels: ``(H, W)``; 0 and 255 have no outline. The picture's edge closes a region that it cuts.

    Returns:
        ``(H, W)`` bool.

    Example:
        >>> contour(np.ones((3, 3), dtype=np.uint8)).astype(int).tolist()
        [[1, 1, 1], [1, 0, 1], [1, 1, 1]]
    """
    lines = np.zeros(labels.shape, dtype=np.bool_)
    for label in np.unique(labels):
        if label not in (0, IGNORE_LABEL):
            mask = labels == label
            lines |= mask & ~ndimage.binary_erosion(mask)
    return lines


def shrink(picture: Image.Image, longest: int, resampling: Image.Resampling = Image.Resampling.LANCZOS) -> Image.Image:
    """Scale a picture down, never up, so that its longest side is at most `longest` pixels; its aspect is kept."""
    factor = min(1.0, longest / max(picture.size))
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture if size == picture.size else picture.resize(size, resampling)


def reduce_lines(lines: NDArray[_Value], size: tuple[int, int]) -> NDArray[_Value]:
    """Scale lines down; every pixel of theirs stays, as the pixel in which its center comes to lie, so no line is lost or torn.

    Args:
        lines: ``(H, W)`` bool or labels, 0 where there is no line.
        size: width and height, not above those of the lines.

    Example:
        >>> reduce_lines(np.array([[0, 0, 2, 0], [1, 0, 0, 0]]), (2, 1)).tolist()
        [[1, 2]]
    """
    (height, width), (W, H) = lines.shape, size
    rows, columns = np.nonzero(lines)
    reduced = np.zeros((H, W), lines.dtype)
    reduced[(2 * rows + 1) * H // (2 * height), (2 * columns + 1) * W // (2 * width)] = lines[rows, columns]
    return reduced
