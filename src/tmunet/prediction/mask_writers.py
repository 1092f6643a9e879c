"""Formats of predicted masks, by their names in `tmunet predict --format`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tmunet.data.io.dicom import is_dicom
from tmunet.errors import InputError
from tmunet.prediction.backends.names import MaskFormat
from tmunet.prediction.mask_files import source_of, write_mask

if TYPE_CHECKING:
    from tmunet.formats.dicom_seg import SegmentationModel, SegmentationType


@dataclass(frozen=True)
class PredictedImage:
    """An image file, and what is written about its masks.

    Attributes:
        image: the file.
        sha256: of its content.
        frames: their number; 1 but for loops.
        classes: names of the labels.
        model: what made the masks.
        dataset: of a DICOM file, as pydicom reads it.
    """

    image: Path
    sha256: str
    frames: int
    classes: tuple[str, ...]
    model: "SegmentationModel | None" = None
    dataset: Any = None


@dataclass(frozen=True)
class MaskWriter:
    """Writer of one format.

    Attributes:
        suffix: of its files.
        write: writes the masks (F, H, W) of an image to a path, atomically.
        is_done: whether the files of exactly this image, model and settings are there.
        needs_dicom: whether it writes masks of DICOM images only.
    """

    suffix: str
    write: Callable[[Path, PredictedImage, NDArray[np.uint8]], None]
    is_done: Callable[[Path, PredictedImage], bool]
    needs_dicom: bool = False


def frame_paths(path: Path, frames: int) -> list[Path]:
    """Files of the frames of an image: ``NAME.png``, and of a loop ``NAME_0001.png`` and so on."""
    if frames == 1:
        return [path]
    return [path.with_name(f"{path.stem}_{frame:04d}{path.suffix}") for frame in range(1, frames + 1)]


def _write_png(path: Path, image: PredictedImage, masks: NDArray[np.uint8]) -> None:
    for file, mask in zip(frame_paths(path, image.frames), masks, strict=True):
        write_mask(file, mask, image.classes, image.sha256)


def _has_png(path: Path, image: PredictedImage) -> bool:
    return all(file.exists() and source_of(file) == image.sha256 for file in frame_paths(path, image.frames))


def _segmentation_writer(kind: "SegmentationType") -> MaskWriter:
    def write(path: Path, image: PredictedImage, masks: NDArray[np.uint8]) -> None:
        from tmunet.formats.dicom_seg import write_segmentation

        assert image.model is not None
        write_segmentation(path, image.dataset, masks, image.classes, image.model, kind)

    def is_done(path: Path, image: PredictedImage) -> bool:
        from tmunet.formats.dicom_file import read_dataset
        from tmunet.formats.dicom_seg import segmentation_uid

        if not is_dicom(path) or image.model is None:
            return False
        try:
            there = read_dataset(path, pixels=False).get("SOPInstanceUID")
        except InputError:
            return False
        return bool(there == segmentation_uid(image.dataset, image.model, kind))

    return MaskWriter(".dcm", write, is_done, needs_dicom=True)


MASK_WRITERS: dict[MaskFormat, MaskWriter] = {
    "png": MaskWriter(".png", _write_png, _has_png),
    "dicom-seg": _segmentation_writer("BINARY"),
    "dicom-labelmap": _segmentation_writer("LABELMAP"),
}
