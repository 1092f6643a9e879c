"""Pixel spacing of the cases of a set: in mm if every image states it, else in pixels, never mixed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tmunet.data.cases import Case
from tmunet.data.io.spacing import Millimeters, agree
from tmunet.data.json_object import read_json_object
from tmunet.data.reader import collect_errors
from tmunet.data.records import read_spacings
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


def spacing_of_files(images: Sequence[Path]) -> list[Millimeters | None]:
    """Read the spacing of image files, from themselves or, for files in the `images/` of a data set, from its `dataset.json`.

    Args:
        images: files.

    Returns:
        (row, column) in mm of each file; None for one that no file states.

    Raises:
        DataError: the two contradict each other, or `spacing_mm` of a `dataset.json` has faults.
    """
    stated: dict[Path, Mapping[str, Millimeters]] = {folder: {} for folder in dict.fromkeys(i.parent for i in images)}
    faults: list[str] = []
    for folder in stated:
        if folder.name == "images" and (path := folder.parent / "dataset.json").is_file():
            # of another program's dataset.json nothing else is asked
            stated[folder] = read_spacings(read_json_object(path).get("spacing_mm", {}), faults)
    found = [
        collect_errors(faults, lambda image=image: agree(image, stated[image.parent].get(image.stem)))  # type: ignore[misc]
        for image in images
    ]
    if faults:
        raise DataError("spacing of the images", faults)
    return found
