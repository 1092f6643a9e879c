"""Find tiny isolated components of a mask: probable annotation artifacts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tmunet.metrics.functional import MIN_OBJECT_PIXELS, components

_MAX_SHARE = 2e-5  # of the pixels of the image: in a large one an artifact is larger
_BESIDE_TYPICAL = 0.01
_AWAY = 3  # pixels


@dataclass(frozen=True)
class TinyComponents:
    """Tiny components of a mask: their number, pixels of the largest one, and of the typical component of its class."""

    count: int
    pixels: int
    typical: int


def find_tiny_components(labels: NDArray[np.uint8], values: tuple[int, ...]) -> TinyComponents | None:
    """Find tiny components of the classes with these values in labels (H, W).

    A tiny component has fewer than `MIN_OBJECT_PIXELS` pixels or at most 0.002 % of the image, is smaller than a
    hundredth of the typical component of its class (that of its median pixel), more than 3 pixels away from others, and not at
    the edge of the image. The limits were chosen on real masks: no nucleus of the 664 images of DSB 2018 is one (the smallest
    has 21 pixels), nor is a single pixel beside its object; dots of 1 to 4 pixels far from any polyp or lesion are.

    >>> mask = np.zeros((50, 50), np.uint8)
    >>> mask[10:40, 10:40] = mask[2, 2] = 1
    >>> find_tiny_components(mask, (1,))
    TinyComponents(count=1, pixels=1, typical=900)
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
        found += [(int(areas[part]), typical) for part in small if _is_isolated(parts, part, places[part - 1])]
    return TinyComponents(len(found), *max(found)) if found else None


def _is_isolated(parts: NDArray[np.int32], part: int, place: tuple[slice, slice]) -> bool:
    """Whether neither another component nor the edge of the image is within a margin around a component."""
    (top, bottom), (left, right) = ((along.start, along.stop) for along in place)
    if top == 0 or left == 0 or bottom == parts.shape[0] or right == parts.shape[1]:
        return False
    around = parts[max(0, top - _AWAY) : bottom + _AWAY, max(0, left - _AWAY) : right + _AWAY]
    return bool(np.isin(around, (0, part)).all())
