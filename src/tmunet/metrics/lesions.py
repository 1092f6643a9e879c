"""Objects of two masks that find each other or do not: lesions, polyps, nuclei.

An object is a connected component, neighbors by side or corner (8-connectivity), of at least `MIN_OBJECT_PIXELS` pixels. An
image score says nothing of a small object that is missed beside a large one that is found; these counts do.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from tmunet.metrics.pair import Mask, check_pair

MIN_OBJECT_PIXELS = 5
"""Pixels of the image at its own size from which on a connected component is an object; smaller ones are slips of the brush.

A number of pixels and no share of the image: a lesion does not become a slip because the image around it is large. The smallest
of the nuclei of DSB 2018 that is whole has 21.
"""

OBJECT_COUNTS = ("objects", "objects_missed", "objects_false", "objects_too_small", "objects_too_small_predicted")
"""Names of the counts in tables, of an image and, added up, of a set."""

OBJECT_COLUMNS = (*OBJECT_COUNTS, "objects_missed_largest_px")
"""Names of all that is said of the objects of an image."""

_NEIGHBOURS = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True)
class ObjectCounts:
    """Objects of one image.

    Attributes:
        reference: in the reference.
        missed: of them, those without a single predicted pixel.
        false: in the prediction, without a single pixel of the reference.
        too_small: components of the reference that are too small to be objects.
        too_small_predicted: those of the prediction.
        missed_areas: of the missed ones, ascending, in pixels of the image at its own size.

    """

    reference: int
    missed: int
    false: int
    too_small: int = 0
    too_small_predicted: int = 0
    missed_areas: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """By the names of `OBJECT_COLUMNS`."""
        counts = (self.reference, self.missed, self.false, self.too_small, self.too_small_predicted)
        largest = self.missed_areas[-1] if self.missed_areas else None
        return dict(zip(OBJECT_COLUMNS, (*counts, largest), strict=True))


def components(mask: Mask) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Number the connected components of a mask, and measure them.

    Args:
        mask: ``(H, W)`` boolean.

    Returns:
        The number of the component of each pixel, ``(H, W)``, 0 outside; the pixels of each number, that of 0 among them.

    Example:
        >>> components(np.array([[True, False, False], [False, True, False], [False, False, False]]))[1]
        array([7, 2])

    """
    numbers: npt.NDArray[np.int32]
    numbers, count = ndimage.label(mask, _NEIGHBOURS)
    return numbers, np.bincount(numbers.ravel(), minlength=count + 1)


def count_objects(
    reference: Mask, prediction: Mask, smallest: int = MIN_OBJECT_PIXELS, magnification: float = 1.0
) -> ObjectCounts:
    """Count the objects of the reference, those that are missed, and those of the prediction that are false.

    One pixel is enough to be found, whatever it belongs to; how well an object is covered, the overlap metrics tell.

    Args:
        reference: ``(H, W)`` boolean.
        prediction: ``(H, W)`` boolean.
        smallest: pixels of an object, at least, in the image at its own size.
        magnification: pixels of the masks for each pixel of the image at its own size; not 1 where they were resized.

    Raises:
        InputError: the masks are not two boolean masks of one shape.

    Example:
        >>> reference = np.array([[True, False, True, False, False]])
        >>> prediction = np.array([[True, False, False, False, True]])
        >>> found = count_objects(reference, prediction, smallest=1)
        >>> found.reference, found.missed, found.false, found.missed_areas
        (2, 1, 1, (1,))

    """
    check_pair(reference, prediction)
    limit = smallest * magnification
    there, small, missed = _untouched(reference, prediction, limit)
    _, small_predicted, false = _untouched(prediction, reference, limit)
    areas = tuple(sorted(round(area / magnification) for area in missed))
    return ObjectCounts(there, len(missed), len(false), small, small_predicted, areas)


def _untouched(mask: Mask, other: Mask, limit: float) -> tuple[int, int, list[int]]:
    """Number of the large and of the small components of a mask, and areas of the large without a pixel of the other mask."""
    numbers, areas = components(mask)
    large = areas >= limit
    large[0] = False  # the background
    touched = np.zeros(len(areas), dtype=bool)
    touched[numbers[mask & other]] = True
    count = int(np.count_nonzero(large))
    return count, len(areas) - 1 - count, areas[large & ~touched].tolist()
