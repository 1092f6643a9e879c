"""A case in small: its image with the outline of every class drawn in."""

from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from tmunet.labels import IGNORE_LABEL
from tmunet.report.outlines import contour, reduce_lines, shrink
from tmunet.visualize import color, to_rgb8

DARK = 60  # luma from which a color is seen against black
CROWDED = 0.1  # share of a thumbnail's pixels that lie on outlines


def thumbnail(image: NDArray[Any], mask: NDArray[np.uint8], longest: int) -> Image.Image:
    """Draw a case so that people see what is marked on it.

    Each outline lies in a casing that is darker than the tissue (lighter, for the few dark colors), so that it is seen
    on any tissue. Where outlines crowd they are drawn thinner and without casing, so that the tissue is seen too. Ignored
    pixels are veiled in gray.

    Args:
        image: ``(H, W, C)`` values of 8 or 16 bits.
        mask: ``(H, W)`` labels of the same size; 255 marks ignored pixels.
        longest: pixels of the longest side; a smaller image keeps its size.

    Returns:
        An RGB picture.
    """
    photo = Image.fromarray(to_rgb8(image))
    small = shrink(photo, longest)
    lines = outlines(mask, small.size)
    if photo.width >= 2 * small.width and np.count_nonzero(lines) > CROWDED * lines.size:
        finer = shrink(photo, 2 * longest)
        fine = _draw(finer, mask, outlines(mask, finer.size), cased=False)
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


def outlines(mask: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Trace every class at a size ``(width, height)`` not above the mask's: labels on outlines, and 0 elsewhere."""
    return reduce_lines(mask * contour(mask), size)


def reason(fault: str) -> str:
    """What is wrong, of a fault that begins with the path of its file; the place beside the picture says which case it is.

    >>> reason("nuclei/images/12.png: the file is empty (0 bytes); copy it again from its source.")
    'images/12.png: the file is empty (0 bytes); copy it again from its source.'
    """
    path, colon, rest = fault.partition(": ")
    return f"{'/'.join(PurePath(path).parts[-2:])}{colon}{rest}" if colon else fault


def _luma(rgb: tuple[int, int, int]) -> float:
    return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]
