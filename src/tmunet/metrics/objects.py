"""Objects of two masks that find each other or do not: lesions, polyps, nuclei.

An object is a connected component, neighbours by side or corner (8-connectivity). An image score says nothing of a small
object that is missed beside a large one that is found; these counts do.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from tmunet.metrics.pair import Mask, check_pair

OBJECT_COUNTS = ("objects", "objects_missed", "objects_false")
"""Names of the counts in tables, of an image and, added up, of a set."""

_NEIGHBOURS = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True)
class ObjectCounts:
    """Objects of one image.

    Attributes:
        reference: in the reference.
        missed: of them, those without a single predicted pixel.
        false: in the prediction, without a single pixel of the reference.

    """

    reference: int
    missed: int
    false: int

    def to_dict(self) -> dict[str, int]:
        """By the names of `OBJECT_COUNTS`."""
        return dict(zip(OBJECT_COUNTS, (self.reference, self.missed, self.false), strict=True))


def count_objects(reference: Mask, prediction: Mask) -> ObjectCounts:
    """Count the objects of the reference, those that are missed, and those of the prediction that are false.

    One pixel is enough to be found; how well an object is covered, the overlap metrics tell.

    Args:
        reference: ``(H, W)`` boolean.
        prediction: ``(H, W)`` boolean.

    Raises:
        InputError: the masks are not two boolean masks of one shape.

    Example:
        >>> reference = np.array([[True, False, True, False, False]])
        >>> prediction = np.array([[True, False, False, False, True]])
        >>> count_objects(reference, prediction)
        ObjectCounts(reference=2, missed=1, false=1)

    """
    check_pair(reference, prediction)
    there, missed = _untouched(reference, prediction)
    _, false = _untouched(prediction, reference)
    return ObjectCounts(there, missed, false)


def _untouched(mask: Mask, other: Mask) -> tuple[int, int]:
    """Components of a mask, and those that share no pixel with another."""
    numbers: npt.NDArray[np.int32]
    numbers, count = ndimage.label(mask, _NEIGHBOURS)
    touched = np.zeros(count + 1, dtype=bool)
    touched[numbers[mask & other]] = True  # never 0, which is the background
    return count, count - int(np.count_nonzero(touched))
