"""Segment the images of a study in an archive: plan it, retrieve, predict, store; what is stored already is left alone.

The state of a study is what the archive holds and the folder of written segmentations, whose UIDs are made of image, weights,
version and settings. So a run that was killed goes on where it was, and no segmentation is stored twice. Patient data are in the
files, not in their names and not in messages.
"""

import logging
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tmunet.errors import ArchiveError, InputError, TMUNetWarning
from tmunet.extras import require
from tmunet.formats.dicom_file import read_dataset
from tmunet.formats.dicom_seg import MAY_BE_EMPTY, REQUIRED, SegmentationModel, SegmentationType
from tmunet.pacs.dicomweb import SOP_INSTANCE, Archive, Instance, check_uid, text_of
from tmunet.pacs.http_session import TOO_MANY_REQUESTS
from tmunet.prediction.dicom_files import DicomOptions, predict_dicom, segmentation_model
from tmunet.prediction.predictor import Predictor
from tmunet.progress import progress_bar

SegmentationFormat = Literal["dicom-seg", "dicom-labelmap"]
_KINDS: dict[str, SegmentationType] = {"dicom-seg": "BINARY", "dicom-labelmap": "LABELMAP"}
_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"  # its frames are tiles, which are no images by themselves
_HOPELESS = ("unreachable", "tls", "denied")


@dataclass(frozen=True)
class PlannedSegmentation:
    """A segmentation of one image.

    Attributes:
        image: the instance to segment.
        uid: SOP Instance UID of the segmentation.
        series: Series Instance UID of the segmentation.
        stored: whether the archive holds it.
    """

    image: Instance
    uid: str
    series: str
    stored: bool

    def file(self, folder: Path) -> Path:
        """Where the segmentation is written."""
        return folder / f"{self.uid}.dcm"

    def image_file(self, folder: Path) -> Path:
        """Where the image lies while it is predicted."""
        return folder / "images" / f"{self.uid}.dcm"


@dataclass(frozen=True)
class StudyPlan:
    """What `segment_study` would do.

    Attributes:
        study: its UID.
        segmentations: one for each image.
        left_out: number of instances that are no images, by the name of their kind.
    """

    study: str
    segmentations: tuple[PlannedSegmentation, ...]
    left_out: dict[str, int]

    @property
    def waiting(self) -> tuple[PlannedSegmentation, ...]:
        """Those that the archive does not hold."""
        return tuple(one for one in self.segmentations if not one.stored)


@dataclass
class SegmentedStudy:
    """The result of `segment_study`.

    Attributes:
        stored: number of segmentations that this call stored.
        stored_before: number of those that the archive held.
        written_before: number of those stored now that a former call had written.
        faults: images that could not be retrieved, predicted or stored, and why.
    """

    stored: int = 0
    stored_before: int = 0
    written_before: int = 0
    faults: list[str] = field(default_factory=list)


def plan_study(
    source: Archive,
    target: Archive,
    study: str,
    predictor: Predictor,
    options: DicomOptions,
    max_instances: int = 1000,
) -> StudyPlan:
    """Ask both archives what there is to do; nothing is retrieved.

    Args:
        source: holds the images.
        target: gets the segmentations.
        study: Study Instance UID.
        predictor: the model.
        options: window and format, one of segmentations.
        max_instances: of a study; more are refused.

    Raises:
        UsageError: `study` is no UID.
        InputError: no instance (code "no-study"), or too many (code "too-large").
        ArchiveError: an archive does not answer.
    """
    check_uid(study, "study")
    pydicom = require("pydicom", "dicom")
    instances: list[Instance] = []
    for one in source.find_instances(study):
        instances.append(one)
        if len(instances) > max_instances:
            raise InputError(
                f"{source.url}: expected a study of at most {max_instances:,} instances, but it has more; raise "
                "--max-instances.",
                code="too-large",
            )
    if not instances:
        raise InputError(f"{source.url}: holds no instance of this study. Check the UID.", code="no-study")
    kinds = {one.uid: _image_kind(pydicom, one.sop_class) for one in instances}
    images = [one for one in instances if kinds[one.uid] is None]
    held = {one.uid for one in (instances if target is source else target.find_instances(study))}
    model, kind = segmentation_model(predictor, options), _KINDS[options.mask_format]
    planned = [_planned(model, kind, image, held) for image in images]
    return StudyPlan(study, tuple(planned), dict(Counter(kind for kind in kinds.values() if kind is not None)))


def _planned(model: SegmentationModel, kind: SegmentationType, image: Instance, held: set[str]) -> PlannedSegmentation:
    uid = model.uid(kind, image.uid)
    return PlannedSegmentation(image, uid, model.uid(kind, "series", image.series), uid in held)


def _image_kind(pydicom: Any, sop_class: str) -> str | None:
    """The name of a SOP class whose instances are no images, or None."""
    name = str(pydicom.uid.UID(sop_class).name) if sop_class else "unknown kind"
    return None if "Image Storage" in name and sop_class != _SLIDE else name


def lacking_tags(source: Archive, plan: StudyPlan) -> dict[str, int]:
    """Count the images that lack tags which their segmentations repeat, by the keyword of the tag; those are written empty.

    Only headers are retrieved.
    """
    tag_of = require("pydicom.datadict", "dicom").tag_for_keyword
    tags = {f"{tag_of(key):08X}": key for key in (*REQUIRED, *MAY_BE_EMPTY)}
    images = {one.image.uid for one in plan.waiting}
    found: Counter[str] = Counter()
    for series in dict.fromkeys(one.image.series for one in plan.waiting):
        for header in source.metadata(plan.study, series):
            if text_of(header, SOP_INSTANCE) in images:
                found.update(key for tag, key in tags.items() if tag not in header)
    return dict(found)


def segment_study(
    predictor: Predictor,
    source: Archive,
    target: Archive,
    plan: StudyPlan,
    out: Path,
    options: DicomOptions,
    batch_size: int = 8,
) -> SegmentedStudy:
    """Retrieve and predict what the target does not hold, and store it.

    Args:
        predictor: the model, that of the plan.
        source: holds the images.
        target: gets the segmentations.
        plan: of the study.
        out: folder of the segmentations, which stay there; a call that was killed goes on with it. One call at a time.
        options: those of the plan.
        batch_size: frames in one call of the network.

    Raises:
        ArchiveError: an archive is away, or denies access; what is written stays.
    """
    done = SegmentedStudy(stored_before=len(plan.segmentations) - len(plan.waiting))
    out.mkdir(mode=0o700, parents=True, exist_ok=True)  # what is in it names patients
    _remove_remains(out)
    written = {one.uid for one in plan.waiting if _holds(one.file(out), one.uid)}
    retrieved = _retrieve(source, [one for one in plan.waiting if one.uid not in written], out, done)
    if retrieved:
        with _no_patient_data():
            images = {one.image_file(out): one for one in retrieved}
            outcome = predict_dicom(predictor, list(images), out, options, batch_size=batch_size)
        done.faults += [_describe(error, images) for error in outcome.faults]
    for one in plan.segmentations:  # all of them: a killed call may have left images whose segmentations it had written
        one.image_file(out).unlink(missing_ok=True)
    if (out / "images").is_dir() and not any((out / "images").iterdir()):
        (out / "images").rmdir()
    ready = [one for one in plan.waiting if _holds(one.file(out), one.uid)]
    for one in progress_bar(ready, desc="store", unit="file"):
        try:
            target.store(plan.study, one.uid, one.file(out))
        except ArchiveError as error:
            _raise_if_hopeless(error)
            done.faults.append(f"image {one.image.uid}: {error}")
        else:
            done.stored += 1
            done.written_before += one.uid in written
    return done


def _retrieve(
    source: Archive, waiting: Sequence[PlannedSegmentation], out: Path, done: SegmentedStudy
) -> list[PlannedSegmentation]:
    there = []
    for one in progress_bar(waiting, desc="retrieve", unit="file"):
        file = one.image_file(out)
        try:
            if not _holds(file, one.image.uid):
                source.retrieve(one.image, file)
        except ArchiveError as error:
            _raise_if_hopeless(error)
            done.faults.append(f"image {one.image.uid}: {error}")
            continue
        if _holds(file, one.image.uid):
            there.append(one)
        else:
            file.unlink()
            done.faults.append(f"image {one.image.uid}: the archive sent something else than this DICOM file.")
    return there


def _raise_if_hopeless(error: ArchiveError) -> None:
    """Go on with the next image only if that may go better."""
    if error.code in _HOPELESS or (
        error.status is not None and (error.status >= 500 or error.status == TOO_MANY_REQUESTS)
    ):
        raise error


def _holds(path: Path, uid: str) -> bool:
    """Return whether a file is there and is the instance of a UID."""
    if not path.is_file():
        return False
    try:
        with _no_patient_data():
            return bool(read_dataset(path, pixels=False).get("SOPInstanceUID") == uid)
    except InputError:
        return False


def _remove_remains(out: Path) -> None:
    """Remove the temporary files that a killed call left; no other call works in this folder."""
    for folder in (out, out / "images"):
        for path in folder.glob(".2.25.*"):
            path.unlink(missing_ok=True)


def _describe(error: InputError, images: dict[Path, PlannedSegmentation]) -> str:
    """A fault by the UID of its image; what a decoder says of a damaged file may hold values of it, and is left out."""
    if error.path not in images:
        return str(error)
    text = str(error).removeprefix(f"{error.path}: ")
    if error.code == "damaged":
        text = "cannot be decoded as DICOM, or repeats an invalid value; the file is damaged."
    return f"image {images[error.path].image.uid}: {text}"


@contextmanager
def _no_patient_data() -> Iterator[None]:
    """Keep what pydicom warns and logs about values out of sight."""
    logger = logging.getLogger("pydicom")
    disabled, logger.disabled = logger.disabled, True
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Warning | str, *details: Any) -> None:
            if isinstance(message, TMUNetWarning):
                shown(message, *details)

        warnings.showwarning = show  # type: ignore[assignment]
        try:
            yield
        finally:
            logger.disabled = disabled
