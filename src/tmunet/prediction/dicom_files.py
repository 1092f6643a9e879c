"""Predict DICOM files, still images and loops: every frame, in batches over files; masks as PNG or DICOM segmentations."""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tmunet.data.io.dicom import is_dicom
from tmunet.data.io.images import Pixels
from tmunet.errors import DataError, InputError, TMUNetWarning, UsageError
from tmunet.files import sha256
from tmunet.formats.dicom_file import frame_count, named, read_dataset
from tmunet.formats.dicom_image import DicomImage, Window
from tmunet.formats.dicom_seg import SegmentationModel, absent_tags, missing_tags
from tmunet.prediction.backends.names import MaskFormat
from tmunet.prediction.domain_shift import DomainShift
from tmunet.prediction.mask_files import write_overlay, write_probabilities
from tmunet.prediction.mask_writers import MASK_WRITERS, MaskWriter, PredictedImage, frame_paths
from tmunet.prediction.pipeline import Prediction
from tmunet.prediction.predictor import Predictor
from tmunet.progress import progress_bar
from tmunet.text import pluralize


@dataclass(frozen=True)
class DicomOptions:
    """How DICOM files are read, and what is written.

    Attributes:
        mask_format: a name in `tmunet.prediction.mask_writers.MASK_WRITERS`.
        window: of gray images.
    """

    mask_format: MaskFormat = "png"
    window: Window = "file"


def check_inputs(images: Sequence[Path], options: DicomOptions) -> None:
    """Check the headers of all DICOM files before anything is predicted or written.

    Raises:
        UsageError: a segmentation of an image that is no DICOM file (code "not-dicom").
        InputError: a frame of a loop would have the name of another image (code "names").
        DataError: every file whose required tags are missing, listed with these.

    Warns:
        TMUNetWarning: once about tags that a segmentation repeats, lacks and writes empty.
    """
    writer = MASK_WRITERS[options.mask_format]
    _check_names(images)
    if others := [image for image in images if writer.needs_dicom and not is_dicom(image)]:
        raise UsageError(
            f"Expected DICOM images for --format {options.mask_format}, but got {others[0]}; use --format png.",
            code="not-dicom",
            path=others[0],
        )
    if not writer.needs_dicom:
        return
    faults: list[str] = []
    absent: set[str] = set()
    incomplete = 0
    for image in images:
        try:
            dataset = read_dataset(image, pixels=False)
            with named(image):
                missing, lacking = missing_tags(dataset), absent_tags(dataset)
        except InputError:
            continue  # reading it again reports it, and the other files are predicted
        if missing:
            faults.append(f"{image}: lacks {', '.join(missing)}, without which no segmentation can refer to it.")
        if lacking:
            absent |= set(lacking)
            incomplete += 1
    if faults:
        raise DataError("DICOM tags", faults)
    if absent:
        warnings.warn(
            f"{pluralize(incomplete, 'image')} lack {', '.join(sorted(absent))}, which are written empty.",
            TMUNetWarning,
            stacklevel=2,
        )


def _check_names(images: Sequence[Path]) -> None:
    stems = {image.stem: image for image in images}
    suspects = [
        (path, stems[stem[:-5]]) for stem, path in stems.items() if re.search(r"_\d{4}$", stem) and stem[:-5] in stems
    ]
    for path, loop in suspects:
        if find_loops([loop]):
            raise InputError(
                f"{loop}: is a loop, whose masks are named {loop.stem}_0001 and so on, and {path} has such a name; rename one.",
                code="names",
                path=loop,
            )


def find_loops(images: Sequence[Path]) -> list[Path]:
    """Find the DICOM files of several frames; files that cannot be read are none."""
    loops = []
    for image in images:
        if is_dicom(image):
            with suppress(InputError), named(image):
                if frame_count(read_dataset(image, pixels=False)) > 1:
                    loops.append(image)
    return loops


@dataclass
class PredictedDicom:
    """The result of `predict_dicom`.

    Attributes:
        images: the DICOM files.
        done_before: number of those from a former call.
        faults: files that could not be predicted, and why.
        frames: number of frames of each file that could be read.
        shift: of the frames that were predicted; the caller warns.
    """

    images: frozenset[Path]
    done_before: int = 0
    faults: list[InputError] = field(default_factory=list)
    frames: dict[Path, int] = field(default_factory=dict)
    shift: DomainShift | None = None


def predict_dicom(
    predictor: Predictor,
    images: Sequence[Path],
    out: Path,
    options: DicomOptions,
    overlays: bool = False,
    batch_size: int = 8,
    probabilities: bool = False,
) -> PredictedDicom:
    """Write `out/NAME.png` or `out/NAME.dcm` for each DICOM file; those whose masks are already there are skipped.

    Of a loop the PNG files are `NAME_0001.png` and so on, and so are overlays and probabilities; the segmentation is one file.

    Args:
        predictor: the model.
        images: files of different stems; those that are not DICOM are left to `predict_files`.
        out: folder.
        options: window and format.
        overlays: also write `out/overlays/NAME.png`.
        batch_size: frames in one call of the network.
        probabilities: also write `out/probabilities/NAME.npz`.
    """
    dicom = [image for image in images if is_dicom(image)]
    result = PredictedDicom(frozenset(dicom))
    if not dicom:
        return result
    work = _Work(predictor, out, options, overlays, probabilities, result)
    with progress_bar(total=len(dicom), desc="predict DICOM", unit="file") as bar:
        frames = work.frames(dicom, bar)
        while batch := list(islice(frames, batch_size)):
            predictions = predictor.pipeline([frame.pixels for frame in batch])
            for frame, prediction in zip(batch, predictions, strict=True):
                work.keep(frame, prediction)
    return replace(result, shift=work.shift)


@dataclass
class _File:
    """A file in work: its masks, of the frames that are predicted."""

    image: PredictedImage
    masks: NDArray[np.uint8]
    left: int
    confidences: list[dict[str, Any]]


@dataclass(frozen=True)
class _Frame:
    file: _File
    index: int
    pixels: Pixels


class _Work:
    def __init__(
        self,
        predictor: Predictor,
        out: Path,
        options: DicomOptions,
        overlays: bool,
        probabilities: bool,
        result: PredictedDicom,
    ) -> None:
        self.predictor, self.out, self.options, self.result = predictor, out, options, result
        self.overlays, self.probabilities = overlays, probabilities
        self.writer: MaskWriter = MASK_WRITERS[options.mask_format]
        self.shift = DomainShift(predictor.config, predictor.tile_size)
        self.model = segmentation_model(predictor, options)

    def frames(self, images: Sequence[Path], bar: Any) -> Iterator[_Frame]:
        """Yield the frames of all files that are not done; a file with a fault is left out from there on."""
        for path in images:
            try:
                yield from self._frames_of(path)
            except InputError as error:
                self.result.faults.append(error)
            bar.update()

    def _frames_of(self, path: Path) -> Iterator[_Frame]:
        opened = DicomImage.open(path)
        if opened.is_segmentation:
            raise InputError(f"{path}: is a segmentation, not an image; leave it out.", code="segmentation", path=path)
        self.result.frames[path] = opened.frames
        classes = tuple(self.predictor.config.classes)
        image = PredictedImage(path, sha256(path), opened.frames, classes, self.model, opened.dataset)
        if self._is_done(image):
            self.result.done_before += 1
            return
        size = (opened.frames, int(opened.dataset.Rows), int(opened.dataset.Columns))
        file = _File(image, np.zeros(size, np.uint8), opened.frames, [{} for _ in range(opened.frames)])
        for index in range(opened.frames):
            frame = opened.frame(index, self.options.window)
            try:
                pixels = self.predictor.pipeline.load(frame)
            except InputError as error:
                raise InputError(f"{path}: {error}", code=error.code, path=path) from error
            self.shift.add(str(path), pixels)
            yield _Frame(file, index, pixels)

    def _files(self, image: PredictedImage, index: int) -> tuple[Path, Path]:
        name = frame_paths(Path(f"{image.image.stem}.png"), image.frames)[index].stem
        return self.out / "overlays" / f"{name}.png", self.out / "probabilities" / f"{name}.npz"

    def _is_done(self, image: PredictedImage) -> bool:
        for index in range(image.frames):
            overlay, archive = self._files(image, index)
            if (self.overlays and not overlay.exists()) or (self.probabilities and not archive.exists()):
                return False
        return self.writer.is_done(self._path(image), image)

    def _path(self, image: PredictedImage) -> Path:
        return self.out / f"{image.image.stem}{self.writer.suffix}"

    def keep(self, frame: _Frame, prediction: Prediction) -> None:
        """Write what belongs to a frame, and the masks once those of all frames are there."""
        file = frame.file
        overlay, archive = self._files(file.image, frame.index)
        if self.overlays:
            write_overlay(overlay, frame.pixels, prediction.mask, prediction.confidence)
        else:
            overlay.unlink(missing_ok=True)  # of a former image of this name
        if self.probabilities:
            write_probabilities(archive, prediction.probability, prediction.classes)
        else:
            archive.unlink(missing_ok=True)
        file.masks[frame.index] = prediction.mask
        file.confidences[frame.index] = prediction.confidence.to_dict()
        file.left -= 1
        if not file.left:
            image = replace(file.image, confidences=tuple(file.confidences))
            try:
                self.writer.write(self._path(image), image, file.masks)
            except InputError as error:
                self.result.faults.append(error)


def segmentation_model(predictor: Predictor, options: DicomOptions) -> SegmentationModel:
    """What `predict_dicom` writes into segmentations about their making, and makes their UIDs of."""
    window = options.window if isinstance(options.window, str) else ",".join(f"{value:g}" for value in options.window)
    settings = {
        "tile_size": predictor.tile_size,
        "tta": predictor.tta,
        "precision": predictor.precision,
        "window": window,
        **predictor.postprocess.to_dict(),
    }
    return SegmentationModel(predictor.config.model, predictor.weights_sha256(), settings)
