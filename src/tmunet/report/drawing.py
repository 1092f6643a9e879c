"""Draw segmentation masks into images: contours that survive downscaling, and thumbnails with the contour of every class."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from tmunet.labels import IGNORE_LABEL
from tmunet.visualize import color, to_rgb8

DARK = 60  # luma from which a color is visible on black
CROWDED = 0.1  # share of a thumbnail's pixels that lie on contours

_Value = TypeVar("_Value", bound=np.generic)


def contour(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Trace the inner contour of every label: its mask minus the mask's erosion by the 4-neighborhood.

    Args:
        labels: ``(H, W)``; 0 and 255 have no contour. The image border closes a region that it cuts.

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
    """Scale a picture down, never up, to at most `longest` pixels on its longest side, keeping its aspect."""
    factor = min(1.0, longest / max(picture.size))
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture if size == picture.size else picture.resize(size, resampling)


def reduce_lines(lines: NDArray[_Value], size: tuple[int, int]) -> NDArray[_Value]:
    """Scale lines down so that none is lost or broken: every line pixel stays, at the pixel its center falls into.

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


def label_contours(mask: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Trace every class at a size ``(width, height)`` not above the mask's: labels on contours, 0 elsewhere."""
    return reduce_lines(mask * contour(mask), size)


def thumbnail(image: NDArray[Any], mask: NDArray[np.uint8], longest: int) -> Image.Image:
    """Draw a case as a thumbnail with the contour of every class.

    Each contour has a casing that is darker than the tissue (lighter, for the few dark colors). Where contours crowd they are
    thinner and without casing. Ignored pixels are veiled in gray.

    Args:
        image: ``(H, W, C)`` values of 8 or 16 bits.
        mask: ``(H, W)`` labels of the same size; 255 marks ignored pixels.
        longest: pixels of the longest side; a smaller image keeps its size.

    Returns:
        An RGB picture.
    """
    photo = Image.fromarray(to_rgb8(image))
    small = shrink(photo, longest)
    lines = label_contours(mask, small.size)
    if photo.width >= 2 * small.width and np.count_nonzero(lines) > CROWDED * lines.size:
        finer = shrink(photo, 2 * longest)
        fine = _draw(finer, mask, label_contours(mask, finer.size), cased=False)
        return fine.resize(small.size, Image.Resampling.BOX)
    return _draw(small, mask, lines, cased=True)


def _draw(photo: Image.Image, mask: NDArray[np.uint8], lines: NDArray[np.uint8], cased: bool) -> Image.Image:
    pixels = np.array(photo)
    ignored = np.asarray(Image.fromarray(mask == IGNORE_LABEL).resize(photo.size, Image.Resampling.NEAREST))
    pixels[ignored] = pixels[ignored] // 3 + 85
    for label in np.unique(lines[lines > 0]):
        edge = ndimage.binary_dilation(lines == label) & (lines == 0) & cased
        pixels[edge] = pixels[edge] // 2 + (0 if _luma(color(int(label))) >= DARK else 128)
        pixels[lines == label] = color(int(label))
    return Image.fromarray(pixels)


def _luma(rgb: tuple[int, int, int]) -> float:
    return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]
