"""Formats of predicted masks, by their names in `tmunet predict --format`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tmunet.data.case_spacing import spacing_of_files
from tmunet.data.io.dicom import is_dicom
from tmunet.errors import InputError
from tmunet.extras import require
from tmunet.prediction.backends.names import MaskFormat
from tmunet.prediction.mask_files import confidence_in, source_of, write_mask
from tmunet.prediction.object_table import measure_objects

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
        confidences: `Confidence.to_dict()` of the mask of each frame; empty where it is unknown.
    """

    image: Path
    sha256: str
    frames: int
    classes: tuple[str, ...]
    model: "SegmentationModel | None" = None
    dataset: Any = None
    confidences: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class MaskWriter:
    """Writer of one format.

    Attributes:
        suffix: of its files.
        write: writes the masks (F, H, W) of an image to a path, atomically.
        is_done: whether the files of exactly this image, model and settings are there.
        confidences: reads, from a folder, by the stem of an image and its number of frames, the file of the mask of each frame,
            and its confidence; nothing without masks.
        needs_dicom: whether it writes masks of DICOM images only.
        packages: modules that it needs, each with the extra that installs it.
    """

    suffix: str
    write: Callable[[Path, PredictedImage, NDArray[np.uint8]], None]
    is_done: Callable[[Path, PredictedImage], bool]
    confidences: Callable[[Path, str, int], list[tuple[str, dict[str, Any]]]]
    needs_dicom: bool = False
    packages: tuple[tuple[str, str], ...] = ()

    def require(self) -> None:
        """Check, before the first image, that what it needs is installed; raises a `MissingExtraError`."""
        for module, extra in self.packages:
            require(module, extra)


def frame_paths(path: Path, frames: int) -> list[Path]:
    """Files of the frames of an image: ``NAME.png``, and of a loop ``NAME_0001.png`` and so on."""
    if frames == 1:
        return [path]
    return [path.with_name(f"{path.stem}_{frame:04d}{path.suffix}") for frame in range(1, frames + 1)]


def _write_png(path: Path, image: PredictedImage, masks: NDArray[np.uint8]) -> None:
    confidences = image.confidences or (None,) * image.frames
    for file, mask, confidence in zip(frame_paths(path, image.frames), masks, confidences, strict=True):
        write_mask(file, mask, image.classes, image.sha256, confidence)


def _has_png(path: Path, image: PredictedImage) -> bool:
    return all(file.exists() and source_of(file) == image.sha256 for file in frame_paths(path, image.frames))


def _png_confidences(out: Path, stem: str, frames: int) -> list[tuple[str, dict[str, Any]]]:
    files = [file for file in frame_paths(out / f"{stem}.png", frames) if source_of(file) is not None]
    return [(file.name, confidence_in(file)) for file in files] if len(files) == frames else []


def _segmentation_writer(kind: "SegmentationType") -> MaskWriter:
    def write(path: Path, image: PredictedImage, masks: NDArray[np.uint8]) -> None:
        from tmunet.formats.dicom_seg import write_segmentation

        assert image.model is not None
        write_segmentation(path, image.dataset, masks, image.classes, image.model, kind, image.confidences)

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

    def confidences(out: Path, stem: str, frames: int) -> list[tuple[str, dict[str, Any]]]:
        from tmunet.formats.dicom_seg import confidences_in

        path = out / f"{stem}.dcm"
        if not is_dicom(path):
            return []
        found = confidences_in(path)
        return [(path.name, one) for one in (found if len(found) == frames else [{}] * frames)]

    return MaskWriter(".dcm", write, is_done, confidences, needs_dicom=True)


def _outline_writer(
    suffix: str, write_frame: Callable[[Path, PredictedImage, NDArray[np.uint8]], None], *packages: tuple[str, str]
) -> MaskWriter:
    """A writer of outlines beside the PNG masks, which come last: they hold the hash of the image, and outlines cannot."""

    def write(path: Path, image: PredictedImage, masks: NDArray[np.uint8]) -> None:
        for file, mask in zip(frame_paths(path, image.frames), masks, strict=True):
            write_frame(file, image, mask)
        _write_png(path.with_name(f"{image.image.stem}.png"), image, masks)

    def is_done(path: Path, image: PredictedImage) -> bool:
        there = all(file.exists() for file in frame_paths(path, image.frames))
        return there and _has_png(path.with_name(f"{image.image.stem}.png"), image)

    return MaskWriter(suffix, write, is_done, _png_confidences, packages=packages)


def _write_geojson(path: Path, image: PredictedImage, mask: NDArray[np.uint8]) -> None:
    from tmunet.formats.geojson import Feature, write_geojson
    from tmunet.formats.outlines import number_objects, trace_outlines

    objects, labels = number_objects(mask, len(image.classes))
    rows = measure_objects(mask, None, image.classes, spacing_of_files([image.image])[0])
    measures = [{name: value for name, value in row.items() if name not in ("class", "object")} for row in rows]
    write_geojson(
        path,
        (
            Feature(outline, image.classes[label], label, measured, image.sha256 + path.stem)
            for outline, label, measured in zip(trace_outlines(objects), labels, measures, strict=True)
        ),
    )


def _write_imagej(path: Path, image: PredictedImage, mask: NDArray[np.uint8]) -> None:
    from tmunet.formats.imagej_roi import write_roi_zip
    from tmunet.formats.outlines import number_objects, trace_outlines

    objects, labels = number_objects(mask, len(image.classes))
    write_roi_zip(path, zip(trace_outlines(objects), labels, strict=True), (mask.shape[0], mask.shape[1]))


MASK_WRITERS: dict[MaskFormat, MaskWriter] = {
    "png": MaskWriter(".png", _write_png, _has_png, _png_confidences),
    "dicom-seg": _segmentation_writer("BINARY"),
    "dicom-labelmap": _segmentation_writer("LABELMAP"),
    "geojson": _outline_writer(".geojson", _write_geojson),
    "imagej": _outline_writer("_rois.zip", _write_imagej, ("roifile", "polygons")),
}
