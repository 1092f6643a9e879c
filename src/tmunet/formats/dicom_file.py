"""Read DICOM files with limits: data set, frames, spacing, geometry and patient; no value is guessed."""

import hashlib
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tmunet.data.io.decoders import check_size
from tmunet.errors import InputError, TMUNetError
from tmunet.extras import require
from tmunet.file_limits import MAX_DICOM_BYTES, MAX_FRAMES, MAX_INFLATED_BYTES

if TYPE_CHECKING:
    from pydicom import Dataset

EXTRA = "dicom"

SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""SOP classes Segmentation Storage and Label Map Segmentation Storage."""

_DEFLATED = "1.2.840.10008.1.2.1.99"
_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_CENTIMETERS, _IMAGE_2D = 3, 1  # PS3.3, C.8.5.5.1: physical units, region spatial format
_SAME_SPACING = 0.01


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Turn whatever a damaged file leads pydicom and the codecs to into an `InputError` that names the file."""
    try:
        yield
    except TMUNetError:
        raise
    except OSError as error:
        raise InputError(
            f"{path}: cannot be opened: {error.strerror}. Check the path and its permissions.",
            code="unreadable",
            path=path,
        ) from error
    except Exception as error:  # pydicom and the codecs raise whatever a damaged file leads them to
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise InputError(
            f"{path}: cannot be decoded as DICOM ({reason}). The file is cut short or damaged: export it again from its source.",
            code="damaged",
            path=path,
        ) from error


def read_dataset(path: Path, pixels: bool = True) -> "Dataset":
    """Read a DICOM file.

    Args:
        path: the file.
        pixels: also read what follows the header.

    Raises:
        InputError: the file cannot be read, is damaged, or larger than `MAX_DICOM_BYTES` (inflated: `MAX_INFLATED_BYTES`).
        MissingExtraError: pydicom is not installed.
    """
    pydicom = require("pydicom", EXTRA)
    with named(path):
        size = path.stat().st_size
        if size > MAX_DICOM_BYTES:
            raise _too_large(path, f"a file of at most {MAX_DICOM_BYTES:,} bytes, but it has {size:,}")
        _check_inflated(path)
        dataset: Dataset = pydicom.dcmread(path, stop_before_pixels=not pixels)
        return dataset


def _too_large(path: Path, what: str) -> InputError:
    return InputError(f"{path}: expected {what}; export fewer frames or a smaller image.", code="too-large", path=path)


def _check_inflated(path: Path) -> None:
    """Refuse a deflated data set that expands without bound, which pydicom inflates at once."""
    with path.open("rb") as file:
        start, place = file.read(2**16), 132
        while start[place : place + 2] == b"\x02\0":
            syntax = start[place + 2 : place + 4] == b"\x10\0"
            wide = start[place + 4 : place + 6] in _LONG_VRS
            head = 12 if wide else 8
            length = int.from_bytes(start[place + (8 if wide else 6) : place + head], "little")
            value = start[place + head : place + head + length]
            place += head + length
            if syntax and value.rstrip(b"\0 ") != _DEFLATED.encode():
                return
        if _DEFLATED.encode() not in start:
            return
        file.seek(min(place, len(start)))
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        total = 0
        while (block := file.read(2**16)) and not inflater.eof:
            while block:
                total += len(inflater.decompress(block, 2**20))
                block = inflater.unconsumed_tail
                if total > MAX_INFLATED_BYTES:
                    raise _too_large(path, f"a data set of at most {MAX_INFLATED_BYTES:,} bytes when inflated")


def frame_count(dataset: "Dataset") -> int:
    """Number of frames; 1 where the file states none."""
    return int(dataset.get("NumberOfFrames") or 1)


def check_frames(path: Path, dataset: "Dataset") -> None:
    """Refuse images without pixels, and frames beyond the limits, before any of them is decoded.

    Raises:
        InputError: no pixels, pixels of floating-point numbers, or too many of them.
    """
    with named(path):
        if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
            raise InputError(
                f"{path}: its pixels are floating-point numbers without a stated range; export them as gray of 8 or 16 bits.",
                code="value-type",
                path=path,
            )
        if "PixelData" not in dataset or "Rows" not in dataset or "Columns" not in dataset:
            raise InputError(
                f"{path}: expected a DICOM image, but this object ({_kind(dataset)}) holds no pixels; leave it out.",
                code="no-pixels",
                path=path,
            )
        check_size(path, int(dataset.Columns), int(dataset.Rows), int(dataset.get("SamplesPerPixel", 1)))
        frames = frame_count(dataset)
        if not 1 <= frames <= MAX_FRAMES:
            raise _too_large(path, f"1 to {MAX_FRAMES:,} frames, but its header states {frames:,}")


def _kind(dataset: "Dataset") -> str:
    uid = dataset.get("SOPClassUID")
    return str(getattr(uid, "name", "of unknown kind"))


def functional_group(dataset: "Dataset", keyword: str, frame: int = 0) -> "Dataset | None":
    """The functional group of a frame (from 0) of a multi-frame image (PS3.3, C.7.6.16): shared, or of the frame; or None."""
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    own = dataset.get("PerFrameFunctionalGroupsSequence") or []
    for item in (*shared[:1], *own[frame : frame + 1]):
        if group := item.get(keyword):
            found: Dataset = group[0]
            return found
    return None


def spacing_of(dataset: "Dataset") -> tuple[float, float] | None:
    """The spacing that a data set states.

    It is that of Pixel Spacing, of Imager Pixel Spacing (projections; at the detector, without the magnification of the object),
    of Nominal Scanned Pixel Spacing (digitized film), or of the calibrated two-dimensional regions of an ultrasound image, if all
    of them agree. Where two of these differ by more than 1 %, none is taken.

    Returns:
        (row, column) distance between pixel centers in mm, or None.
    """
    measures = functional_group(dataset, "PixelMeasuresSequence")
    calibrated = _pair(dataset.get("PixelSpacing")) or (_pair(measures.get("PixelSpacing")) if measures else None)
    detector = _pair(dataset.get("ImagerPixelSpacing")) or _pair(dataset.get("NominalScannedPixelSpacing"))
    regions = [
        (abs(float(region.PhysicalDeltaY)) * 10, abs(float(region.PhysicalDeltaX)) * 10)
        for region in dataset.get("SequenceOfUltrasoundRegions") or []
        if region.get("RegionSpatialFormat") == _IMAGE_2D
        and region.get("PhysicalUnitsXDirection") == region.get("PhysicalUnitsYDirection") == _CENTIMETERS
    ]
    # a calibrated Pixel Spacing of a projection differs from that of its detector, and is the better one
    found = [calibrated or detector, *regions]
    known = [pair for pair in found if pair is not None and all(math.isfinite(step) and step > 0 for step in pair)]
    if not known:
        return None
    same = all(abs(a / b - 1) <= _SAME_SPACING for pair in known for a, b in zip(pair, known[0], strict=True))
    return known[0] if same else None


def _pair(value: Any) -> tuple[float, float] | None:
    if value is None or isinstance(value, str) or not hasattr(value, "__len__") or len(value) != 2:
        return None
    row, column = float(value[0]), float(value[1])
    return (row, column) if math.isfinite(row) and math.isfinite(column) and row > 0 and column > 0 else None


def patient_group(path: Path) -> str | None:
    """Name the patient of a file for a split, without giving the patient's ID away.

    Returns:
        ``"patient "`` and the first 16 digits of the SHA-256 of issuer and Patient ID: equal for images of one patient. It is a
        pseudonym: who knows an ID can compute it. None where the file states no ID.

    Raises:
        InputError: the file cannot be read.
    """
    dataset = read_dataset(path, pixels=False)
    with named(path):
        identity = str(dataset.get("PatientID") or "").strip()
        issuer = str(dataset.get("IssuerOfPatientID") or "").strip()
    if not identity:
        return None
    return "patient " + hashlib.sha256("\n".join((issuer, identity)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class FrameGeometry:
    """Where a frame is in the patient: direction cosines of rows and columns, position of the first pixel in mm."""

    orientation: tuple[float, ...]
    position: tuple[float, ...]


def geometry_of(dataset: "Dataset", frame: int = 0) -> FrameGeometry | None:
    """The geometry that a data set states for a frame (from 0), in its frame of reference; None without one."""
    if not dataset.get("FrameOfReferenceUID"):
        return None
    planes = functional_group(dataset, "PlaneOrientationSequence", frame) or dataset
    places = functional_group(dataset, "PlanePositionSequence", frame) or dataset
    orientation, position = planes.get("ImageOrientationPatient"), places.get("ImagePositionPatient")
    if orientation is None or position is None or len(orientation) != 6 or len(position) != 3:
        return None
    numbers = [float(value) for value in (*orientation, *position)]
    if not all(math.isfinite(value) for value in numbers):
        return None
    return FrameGeometry(tuple(numbers[:6]), tuple(numbers[6:]))
