"""Read DICOM images as arrays, frame by frame, as a viewer shows them: window, inversion, palette and color applied."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tmunet.data.io.decoders import DecodedImage
from tmunet.errors import InputError, UsageError
from tmunet.extras import require
from tmunet.formats.dicom_codecs import decode_frame
from tmunet.formats.dicom_file import (
    EXTRA,
    SEGMENTATIONS,
    check_frames,
    frame_count,
    functional_group,
    named,
    patient_group,
    read_dataset,
    spacing_of,
)
from tmunet.formats.dicom_mask import decode_segmentation

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["DicomImage", "Window", "decode_dicom", "parse_window", "patient_group", "read_dicom_spacing"]

Window = Literal["file", "full"] | tuple[float, float]
"""How gray values become black and white: the first VOI LUT or window of the file, the full range, or (center, width)."""

_COLORS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_GRAYS = ("MONOCHROME1", "MONOCHROME2")


@dataclass(frozen=True)
class DicomImage:
    """A DICOM image file whose header was checked.

    Attributes:
        path: the file.
        dataset: what pydicom read.
        frames: their number; 1 for a still image.
        is_segmentation: whether it is a mask and no image.
    """

    path: Path
    dataset: "Dataset"
    frames: int
    is_segmentation: bool

    @classmethod
    def open(cls, path: Path) -> "DicomImage":
        """Read a file and check its header; no frame is decoded.

        Raises:
            InputError: damaged, without pixels, or beyond the limits.
            MissingExtraError: pydicom is not installed.
        """
        dataset = read_dataset(path)
        check_frames(path, dataset)
        with named(path):
            return cls(path, dataset, frame_count(dataset), str(dataset.get("SOPClassUID")) in SEGMENTATIONS)

    def frame(self, index: int = 0, window: Window = "file") -> NDArray[np.uint8 | np.uint16]:
        """Decode a frame as a viewer shows it.

        Gray values run from black to white: those of 8 bits and fewer as uint8 from 0 to 255, others as uint16 from 0 to 65535.
        With "file" that is what the first VOI LUT or window of the file makes of them, after its rescale; without one in the
        file, and with "full", the range of the stored bits, whatever the values are: 12 bits are multiplied by 65535 / 4095.
        MONOCHROME1 is inverted, so that 0 is black. A palette becomes RGB.

        Args:
            index: of the frame, from 0.
            window: for gray images; color has none.

        Returns:
            (H, W, C) with C = 1 or 3.

        Raises:
            InputError: the frame is damaged, of a kind that is not read, or there is no such frame.
        """
        if not 0 <= index < self.frames:
            raise InputError(
                f"{self.path}: expected a frame from 1 to {self.frames}, but got {index + 1}.",
                code="frame",
                path=self.path,
            )
        with named(self.path):
            model, bits = str(self.dataset.PhotometricInterpretation), int(self.dataset.BitsAllocated)
            if model not in (*_GRAYS, *_COLORS, "PALETTE COLOR"):
                raise self._error("color-model", f"its color model {model} is not gray, RGB, YBR or palette")
            if bits not in (1, 8, 16):
                raise self._error("value-type", f"expected 1, 8 or 16 bits for a value, but its header states {bits}")
            if bits != 8 and model.startswith("YBR_FULL"):
                raise self._error("color-model", f"its color model {model} is of {bits} bits, and defined for 8 only")
            stored = decode_frame(self.path, self.dataset, index)
            if model == "PALETTE COLOR":
                return _from_palette(self.dataset, stored)
            if model in _COLORS:
                return self._color(stored)
            return _gray(self.dataset, stored, index, window)[:, :, None]

    def _color(self, stored: NDArray[Any]) -> NDArray[np.uint8 | np.uint16]:
        if stored.ndim != 3 or stored.shape[2] != 3 or stored.dtype.kind != "u":
            raise self._error("channels", f"expected three unsigned channels, but found {stored.shape} {stored.dtype}")
        bits = int(self.dataset.BitsStored)
        if stored.dtype == np.uint16 and bits < 16:
            top = (1 << bits) - 1
            scaled: NDArray[np.uint16] = ((np.minimum(stored, top).astype(np.uint32) * 65535 + top // 2) // top).astype(
                np.uint16
            )
            return scaled
        return stored

    def _error(self, code: str, what: str) -> InputError:
        return InputError(f"{self.path}: {what}; export it as gray or RGB of 8 or 16 bits.", code=code, path=self.path)


def decode_dicom(path: Path) -> DecodedImage:
    """Decode a DICOM file for `tmunet.data.io`: an image as `DicomImage.frame` shows it, a segmentation as its labels.

    Raises:
        InputError: damaged, of another kind, or of several frames.
        MissingExtraError: pydicom or imagecodecs is not installed.
    """
    image = DicomImage.open(path)
    if image.is_segmentation:
        return decode_segmentation(path, image.dataset)
    if image.frames > 1:
        raise InputError(
            f"{path}: expected one image, but it holds {image.frames} frames; `tmunet predict` takes all of them, a data set "
            "needs each as a file of its own: save them as PNG or single DICOM images.",
            code="several-images",
            path=path,
        )
    return DecodedImage(image.frame())


def read_dicom_spacing(path: Path) -> tuple[float, float] | None:
    """Read (row, column) spacing in mm from a DICOM file; None where it states none, or the file cannot be read."""
    try:
        dataset = read_dataset(path, pixels=False)
        with named(path):
            return spacing_of(dataset)
    except InputError:
        return None


def parse_window(text: str) -> Window:
    """Read a window as the command line has it: ``file``, ``full`` or ``CENTER,WIDTH``.

    Raises:
        UsageError: anything else.

    >>> parse_window("40,400")
    (40.0, 400.0)
    """
    if text in ("file", "full"):
        return "file" if text == "file" else "full"
    try:
        center, width = (float(part) for part in text.split(","))
    except ValueError:
        center, width = 0.0, 0.0
    if not np.isfinite(center) or not np.isfinite(width) or width < 1:
        raise UsageError(
            f"Expected --window to be file, full or CENTER,WIDTH with a width of at least 1, such as 40,400, but got {text!r}.",
            code="value",
        )
    return center, width


def _from_palette(dataset: "Dataset", stored: NDArray[Any]) -> NDArray[np.uint8 | np.uint16]:
    colors: NDArray[np.uint8 | np.uint16] = require("pydicom.pixels", EXTRA).apply_color_lut(stored, dataset)[:, :, :3]
    if colors.dtype == np.uint8:
        return colors
    # most palettes of 16 bits hold 8, in the high byte alone or in both
    low, high = colors & 255, colors >> 8
    return high.astype(np.uint8) if not low.any() or np.array_equal(low, high) else colors


def _gray(
    dataset: "Dataset", stored: NDArray[Any], frame: int, window: Window
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Map stored values (H, W) to black to white by a table of all values that the stored bits can hold."""
    bits = int(dataset.get("BitsStored", dataset.BitsAllocated))
    signed = bool(dataset.get("PixelRepresentation", 0))
    low = -(1 << (bits - 1)) if signed else 0
    table = np.arange(low, low + (1 << bits), dtype=np.float64)
    levels = None if window == "full" else _windowed(dataset, table, frame, window)
    if levels is None:
        levels = (table - low) / max(1, (1 << bits) - 1)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        levels = 1 - levels
    values = np.clip(stored.astype(np.int32) - low, 0, len(table) - 1)
    if bits <= 8:
        return np.rint(levels * 255).astype(np.uint8)[values]
    return np.rint(levels * 65535).astype(np.uint16)[values]


def _windowed(dataset: "Dataset", table: NDArray[np.float64], frame: int, window: Window) -> NDArray[np.float64] | None:
    """Levels 0 to 1 of stored values after rescale and window; None where the file has no window and none is given."""
    processing = require("pydicom.pixels", EXTRA)
    transform = functional_group(dataset, "PixelValueTransformationSequence", frame) or dataset
    voi = functional_group(dataset, "FrameVOILUTSequence", frame) or dataset
    if transform.get("ModalityLUTSequence"):
        values = processing.apply_modality_lut(table.astype(np.int32), transform).astype(np.float64)
    else:
        values = table * float(transform.get("RescaleSlope") or 1) + float(transform.get("RescaleIntercept") or 0)
    if not isinstance(window, str):
        return linear_window(values, *window)
    if voi.get("VOILUTSequence"):
        count, first, bits = (int(number) for number in voi.VOILUTSequence[0].LUTDescriptor)
        data = voi.VOILUTSequence[0].LUTData
        entries = np.frombuffer(data, "<u2") if isinstance(data, bytes) else np.atleast_1d(np.asarray(data, np.float64))
        if first >= 2**15 and table[0] < 0:  # written as unsigned, meant as signed
            first -= 2**16
        index = np.clip(np.rint(values) - first, 0, min(count or 2**16, len(entries)) - 1).astype(np.intp)
        return _clip(entries[index] / ((1 << bits) - 1))
    center, width = (_first(voi.get(key)) for key in ("WindowCenter", "WindowWidth"))
    if center is None or width is None or not np.isfinite(center + width) or width <= 0:
        return None  # a width of 0 is no window (PS3.3, C.11.2.1.2)
    kind = str(voi.get("VOILUTFunction") or "LINEAR")
    if kind == "SIGMOID":
        return _clip(1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -500, 500))))
    if kind == "LINEAR_EXACT":
        return _clip((values - center) / width + 0.5)
    return linear_window(values, center, width)


def linear_window(values: NDArray[np.float64], center: float, width: float) -> NDArray[np.float64]:
    """Apply a window of the function LINEAR (PS3.3, C.11.2.1.2.1): values to levels from 0 to 1.

    >>> linear_window(np.array([0.0, 127.5, 255.0, 300.0]), 128, 256).tolist()
    [0.0, 0.5, 1.0, 1.0]
    """
    if width <= 1:
        return (values > center - 0.5).astype(np.float64)
    return _clip((values - (center - 0.5)) / (width - 1) + 0.5)


def _clip(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(levels, 0.0, 1.0)


def _first(value: Any) -> float | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    several = not isinstance(value, str | int | float) and hasattr(value, "__len__")
    return float(value[0] if several else value) if not several or len(value) else None
