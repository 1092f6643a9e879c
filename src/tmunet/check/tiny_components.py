"""Specks: parts of a mask so small and lonely that they are slips of the brush."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tmunet.metrics.functional import MIN_OBJECT_PIXELS, components

_MAX_SHARE = (
    2e-5  # of the pixels of the image: in a large one a slip of the brush is larger, and still no crumb to the counts
)
_BESIDE_TYPICAL = 0.01
_AWAY = 3  # pixels


@dataclass(frozen=True)
class Specks:
    """What was found in a mask.

    Attributes:
        count: number of specks.
        pixels: of the largest of them.
        typical: pixels of the part in which the median pixel of the class lies, for comparison.
    """

    count: int
    pixels: int
    typical: int


def find_specks(labels: NDArray[np.uint8], values: tuple[int, ...]) -> Specks | None:
    """Look for specks in each class of a mask.

    A speck is a connected part that is too small to be an object of the scores (`MIN_OBJECT_PIXELS`) or, if that is more, of at
    most 0.002 % of the image, smaller than a hundredth of the typical part of its class, more than 3 pixels away from other
    pixels of it, and not at the edge of the image. Scores leave all that is too small out of the counts of objects; a speck of
    more pixels counts. The limits were chosen on real masks: no nucleus of the 664 images of DSB 2018 is a speck (the smallest
    has 21 pixels), nor are single pixels that a drawn outline leaves beside its object; dots of 1 to 4 pixels far from any polyp
    or lesion are.

    Args:
        labels: (H, W).
        values: the labels to look at.

    >>> mask = np.zeros((50, 50), np.uint8)
    >>> mask[10:40, 10:40] = mask[2, 2] = 1
    >>> find_specks(mask, (1,))
    Specks(count=1, pixels=1, typical=900)
    """
    limit = max(MIN_OBJECT_PIXELS - 1, _MAX_SHARE * labels.size)
    found: list[tuple[int, int]] = []
    for value in values:
        parts, areas = components(labels == value)
        if len(areas) < 3:
            continue
        areas[0] = 0
        by_size = np.sort(areas)
        typical = int(by_size[np.searchsorted(by_size.cumsum(), areas.sum() / 2)])
        small = np.flatnonzero((areas > 0) & (areas <= limit) & (areas < _BESIDE_TYPICAL * typical)).tolist()
        places = ndimage.find_objects(parts) if small else []
        found += [(int(areas[part]), typical) for part in small if _is_lonely(parts, part, places[part - 1])]
    return Specks(len(found), *max(found)) if found else None


def _is_lonely(parts: NDArray[np.int32], part: int, place: tuple[slice, slice]) -> bool:
    """Whether a part has a margin around it in which there is neither another part nor the edge of the image."""
    (top, bottom), (left, right) = ((along.start, along.stop) for along in place)
    if top == 0 or left == 0 or bottom == parts.shape[0] or right == parts.shape[1]:
        return False
    around = parts[max(0, top - _AWAY) : bottom + _AWAY, max(0, left - _AWAY) : right + _AWAY]
    return bool(np.isin(around, (0, part)).all())
