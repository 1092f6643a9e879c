"""Pixel spacing of the cases of a set: in mm if every image states it, else in pixels, never mixed."""

from collections.abc import Sequence

from tmunet.data.cases import Case
from tmunet.data.io.spacing import Millimeters, agree
from tmunet.data.reader import collect_errors
from tmunet.errors import DataError

MM, PIXELS = "mm", "pixels"
"""Units of distances."""


def common_spacing(cases: Sequence[Case], where: str) -> list[Millimeters] | None:
    """Read the spacing of all cases, from `dataset.json` or the image files.

    Args:
        cases: of one set.
        where: the data set, for messages.

    Returns:
        (row, column) in mm of each case; None if one of them states none, so that all are measured in pixels.

    Raises:
        DataError: `dataset.json` and image files contradict each other.
    """
    faults: list[str] = []
    found = [
        None if case.arrays is not None else collect_errors(faults, lambda case=case: agree(case.image, case.spacing))  # type: ignore[misc]
        for case in cases
    ]
    if faults:
        raise DataError(where, faults)
    known = [spacing for spacing in found if spacing is not None]
    return known if known and len(known) == len(found) else None
