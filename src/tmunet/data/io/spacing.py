"""Read the pixel spacing of an image file in mm, where the file states it; nothing is guessed."""

import math
from pathlib import Path
from typing import Any

from defusedxml import ElementTree
from tifffile import TiffFile, TiffPage

from tmunet.data.io.dicom import dicom_reader, is_dicom
from tmunet.errors import InputError

Millimeters = tuple[float, float]
"""(row, column) distance between pixel centers in mm."""

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ORIENTATION, _UNIT, _X, _Y = 274, 296, 282, 283
_CENTIMETER = 3
_TURNED = range(5, 9)  # orientations that exchange rows and columns
# what programs write for printers, in dots per inch; a physical spacing is none of them by chance
_PRINT = (72, 75, 90, 96, 100, 120, 150, 180, 200, 240, 250, 300, 350, 360, 400, 600, 720, 1200)
_MM = {
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre"), 1.0),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 10.0),
    **dict.fromkeys(("µm", "μm", "um", "\\u00b5m", "micron", "microns", "micrometer", "micrometre"), 1e-3),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1e-6),
    **dict.fromkeys(("m", "meter", "metre"), 1e3),
}


def read_spacing(path: Path) -> Millimeters | None:
    """Read the spacing of a TIFF: of its OME metadata, of ImageJ, or of its resolution in centimeters.

    A resolution in inches, and one in centimeters that is a printer's, say nothing about the object and are not used; nor are
    the densities of PNG, JPEG and BMP. Of an image that is turned upright the axes are exchanged with it.

    Args:
        path: an image file, of any format.

    Returns:
        (row, column) in mm, or None where the file states none or cannot be read as a TIFF.
    """
    if is_dicom(path):
        stated: Millimeters | None = dicom_reader().read_dicom_spacing(path)
        return stated
    try:
        with path.open("rb") as file:
            if file.read(4) not in _TIFF_STARTS:
                return None
        with TiffFile(path) as tiff:
            page = tiff.pages.first
            found = _ome(tiff.ome_metadata) or _imagej(tiff, page) or _centimeters(page)
            turned = page.tags[_ORIENTATION].value in _TURNED if _ORIENTATION in page.tags else False
    except Exception:  # whatever a damaged file leads the decoder to; reading its pixels reports it
        return None
    if found is None or not all(math.isfinite(step) and step > 0 for step in found):
        return None
    return found[::-1] if turned else found


def agree(path: Path, stated: Millimeters | None) -> Millimeters | None:
    """Return the spacing of an image: that of `dataset.json`, or else that of the file.

    Raises:
        InputError: the two differ by more than 1 %.
    """
    read = read_spacing(path)
    if stated is None or read is None:
        return stated or read
    if any(abs(a / b - 1) > 0.01 for a, b in zip(stated, read, strict=True)):
        raise InputError(
            f"{path}: dataset.json states a spacing of {stated[0]:g} x {stated[1]:g} mm (row, column), but the file "
            f"{read[0]:g} x {read[1]:g} mm; correct one of the two.",
            code="spacing",
            path=path,
        )
    return stated


def _ome(text: str | None) -> Millimeters | None:
    if not text:
        return None
    pixels = next((node for node in ElementTree.fromstring(text).iter() if node.tag.endswith("}Pixels")), None)
    if pixels is None:
        return None
    steps = []
    for axis in "YX":
        unit = _MM.get(pixels.get(f"PhysicalSize{axis}Unit", "µm").strip().lower())
        size = pixels.get(f"PhysicalSize{axis}")
        if unit is None or size is None:
            return None
        steps.append(float(size) * unit)
    return steps[0], steps[1]


def _imagej(tiff: TiffFile, page: TiffPage) -> Millimeters | None:
    unit = _MM.get(str((tiff.imagej_metadata or {}).get("unit", "")).strip().lower())
    return None if unit is None else _steps(page, unit)


def _centimeters(page: TiffPage) -> Millimeters | None:
    if _UNIT not in page.tags or page.tags[_UNIT].value != _CENTIMETER:
        return None
    steps = _steps(page, 10.0)
    if steps is None or any(abs(25.4 / steps[1] / dots - 1) < 2e-3 for dots in _PRINT):
        return None
    return steps


def _steps(page: TiffPage, unit: float) -> Millimeters | None:
    """Spacing from the resolution tags, in pixels per unit."""
    if _X not in page.tags or _Y not in page.tags:
        return None
    x, y = (_ratio(page.tags[tag].value) for tag in (_X, _Y))
    return (unit / y, unit / x) if x and y else None


def _ratio(value: Any) -> float:
    numerator, denominator = value
    return numerator / denominator if denominator else 0.0
