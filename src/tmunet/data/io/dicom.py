"""Find DICOM files by their content; what reads them is imported when the first one is met."""

import importlib
from pathlib import Path
from typing import Any

from tmunet.errors import InputError

_PREAMBLE = 128  # bytes of any content, before the letters DICM
_DIRECTORY = "DICOMDIR"  # the index of a DICOM medium, which is no image


def is_dicom(path: Path) -> bool:
    """Check whether a file has the preamble of DICOM (PS3.10, 7.1); False if it cannot be read."""
    try:
        with path.open("rb") as file:
            return has_preamble(file.read(_PREAMBLE + 4))
    except OSError:
        return False


def has_preamble(start: bytes) -> bool:
    """Check whether the first 132 bytes of a file are those of DICOM."""
    return start[_PREAMBLE : _PREAMBLE + 4] == b"DICM"


def is_bare_dicom(path: Path) -> bool:
    """Check whether a file is a DICOM file without a suffix, as scanners and DICOM media name images: ``IM000001``."""
    return not path.suffix and path.name.upper() != _DIRECTORY and path.is_file() and is_dicom(path)


def dicom_reader() -> Any:
    """Import `tmunet.formats.dicom_image`.

    It is named by a string: `tmunet.formats` uses what is here, and a data set without DICOM needs none of it.

    Raises:
        MissingExtraError: pydicom is not installed.
    """
    return importlib.import_module("tmunet.formats.dicom_image")


def patient_of(path: Path) -> str | None:
    """Name the patient of an image, as `tmunet.formats.dicom_file.patient_group` does; None for a file that is not DICOM.

    The suffix is looked at first, so that images of other formats are not opened for it.
    """
    if path.suffix.lower() not in ("", ".dcm") or not is_dicom(path):
        return None
    try:
        group: str | None = dicom_reader().patient_group(path)
    except InputError:  # reading its pixels reports it
        return None
    return group
