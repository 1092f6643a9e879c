"""Write masks as DICOM segmentations (SEG) that viewers open, also for images without a frame of reference and for loops.

A two-dimensional image (ultrasound, endoscopy, a photograph) has no place in the patient, and the standard asks for none in its
SEG. OHIF and dcmqi, with which 3D Slicer reads, refuse such a SEG. So each frame has a plane here (pixel measures, orientation,
position; the frames of a loop one after the other), but no frame of reference is made up: nothing relates these planes to a
patient. Where the image states no spacing, the plane has pixels of 1 x 1 mm, and Content Description says so: lengths in mm mean
nothing then.
"""

import io
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tmunet import __version__
from tmunet.errors import InputError, UsageError
from tmunet.extras import require
from tmunet.files import write_bytes
from tmunet.formats.dicom_file import (
    EXTRA,
    SEGMENTATIONS,
    FrameGeometry,
    frame_count,
    functional_group,
    geometry_of,
    named,
    read_dataset,
    spacing_of,
)
from tmunet.visualize import color

if TYPE_CHECKING:
    from pydicom import Dataset

SegmentationType = Literal["BINARY", "LABELMAP"]

REQUIRED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
"""Without these a segmentation cannot say which image it belongs to."""

MAY_BE_EMPTY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
"""A segmentation repeats these of its image, and nothing else of patient and study; a missing one is written empty."""

_EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_MAX_LABEL = 64  # characters of the VR LO
_PRIVATE = (0x0075, "TMUNET")  # group and creator of the block of private tags
_CONFIDENCES = 0x01
_FLAT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_PLACEHOLDER = "Pixel spacing is unknown: 1 x 1 mm is a placeholder"


@dataclass(frozen=True)
class SegmentationModel:
    """What made the masks.

    Attributes:
        network: its name.
        weights_sha256: of the weights, 64 hexadecimal digits.
        settings: of inference, such as the threshold.
    """

    network: str
    weights_sha256: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> str:
        """Network, weights and settings as the text of Algorithm Parameters."""
        pairs = {"network": self.network, "weights_sha256": self.weights_sha256, **self.settings}
        return "\n".join(f"{key}={value}" for key, value in pairs.items())

    def uid(self, *parts: object) -> str:
        """A UID that is the same for the same image, weights, version and settings, so that nothing is stored twice."""
        text = "\n".join(map(str, (__version__, self.parameters, *parts)))
        return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, text).int}"


def missing_tags(dataset: "Dataset") -> list[str]:
    """Names of required tags that an image lacks."""
    return [key for key in REQUIRED if not str(dataset.get(key) or "").strip()]


def absent_tags(dataset: "Dataset") -> list[str]:
    """Names of tags that an image should have, if only empty, and lacks."""
    return [key for key in MAY_BE_EMPTY if key not in dataset]


def segmentation_uid(dataset: "Dataset", model: SegmentationModel, kind: SegmentationType) -> str:
    """The SOP Instance UID of the segmentation of an image."""
    return model.uid(kind, dataset.SOPInstanceUID)


def write_segmentation(
    path: Path,
    source: "Dataset",
    masks: NDArray[np.uint8],
    classes: Sequence[str],
    model: SegmentationModel,
    kind: SegmentationType = "BINARY",
    confidences: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write the segmentation of a DICOM image, atomically.

    Every class but the first is a segment, whose number is its label; each segment has a frame for each frame of the image, also
    where it is empty.

    Args:
        path: the file to write.
        source: the image's data set.
        masks: (F, H, W) labels 0..K-1 of its frames; they are not changed.
        classes: names of the K labels.
        model: what made the masks.
        kind: "BINARY": one bit a pixel and segment, which every viewer reads. "LABELMAP": one byte a pixel, of 2024; servers that
            serve no frames of single bits, such as Orthanc for widths that are no multiple of 8, serve these.
        confidences: numbers and words about the mask of each frame, kept in a private tag for `confidences_in`.

    Raises:
        InputError: the image lacks a required tag (code "tags"), or a tag that is repeated holds an invalid value.
        UsageError: masks of another size than the image, labels without class, or a class name of more than 64 characters.
    """
    with named(Path(str(source.filename))):
        if missing := missing_tags(source):
            raise InputError(
                f"{source.filename}: cannot be given a segmentation, since it lacks the DICOM tags {', '.join(missing)}.",
                code="tags",
                path=str(source.filename),
            )
        frames = frame_count(source)
        if masks.shape != (frames, source.Rows, source.Columns) or masks.max(initial=0) >= len(classes):
            raise UsageError(
                f"Expected masks of the shape {(frames, source.Rows, source.Columns)} with labels below {len(classes)}, but got "
                f"{masks.shape} with {masks.max(initial=0)}.",
                code="shape",
            )
        if long := [name for name in classes if len(name) > _MAX_LABEL or "\\" in name]:
            raise UsageError(
                f"Expected class names of at most {_MAX_LABEL} characters without backslash, but got {long}.",
                code="value",
            )
        dataset = _segmentation(source, masks, classes, model, kind)
        if confidences:
            block = dataset.private_block(*_PRIVATE, create=True)
            block.add_new(_CONFIDENCES, "UT", json.dumps([dict(one) for one in confidences]))
        buffer = io.BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
    write_bytes(path, buffer.getvalue())


def confidences_in(path: Path) -> list[dict[str, Any]]:
    """Read what `write_segmentation` kept about the mask of each frame; empty without it.

    Raises:
        InputError: the file cannot be read.
    """
    dataset = read_dataset(path, pixels=False)
    try:
        found = json.loads(dataset.private_block(*_PRIVATE)[_CONFIDENCES].value)
    except (KeyError, TypeError, ValueError):
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _segmentation(
    source: "Dataset", masks: NDArray[np.uint8], classes: Sequence[str], model: SegmentationModel, kind: str
) -> "Dataset":
    now = datetime.now()
    pydicom = require("pydicom", EXTRA)
    meta = pydicom.dataset.FileMetaDataset()
    dataset: Dataset = pydicom.Dataset()
    dataset.file_meta = meta
    dataset.SpecificCharacterSet = "ISO_IR 192"
    for key in MAY_BE_EMPTY:
        setattr(dataset, key, str(source.get(key) or ""))
    dataset.StudyInstanceUID = source.StudyInstanceUID
    dataset.SOPClassUID = SEGMENTATIONS[kind == "LABELMAP"]
    dataset.SOPInstanceUID = model.uid(kind, source.SOPInstanceUID)
    dataset.SeriesInstanceUID = model.uid(kind, "series", source.SeriesInstanceUID)
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    meta.TransferSyntaxUID = _EXPLICIT_LITTLE_ENDIAN
    dataset.update(
        _item(
            Modality="SEG",
            SeriesNumber=100,
            SeriesDescription="Segmentation by tmunet",
            InstanceNumber=int(source.get("InstanceNumber") or 1),
            Manufacturer="tmunet",
            ManufacturerModelName=model.network[:_MAX_LABEL],
            DeviceSerialNumber=model.weights_sha256,
            SoftwareVersions=__version__,
            ImageType=["DERIVED", "PRIMARY"],
            ContentDate=f"{now:%Y%m%d}",
            ContentTime=f"{now:%H%M%S}",
            ContentLabel="TMUNET",
            ContentDescription="Segmentation by tmunet" if spacing_of(source) else _PLACEHOLDER,
            ContentCreatorName="",
            SamplesPerPixel=1,
            PhotometricInterpretation="MONOCHROME2",
            Rows=source.Rows,
            Columns=source.Columns,
            PixelRepresentation=0,
            SegmentationType=kind,
        )
    )
    _copy_lossy(source, dataset)
    dataset.SegmentsOverlap = "NO"
    dataset.SegmentSequence = [
        _segment(label, name, model) for label, name in enumerate(classes) if label or kind == "LABELMAP"
    ]
    _add_references(source, dataset)
    _add_frames(source, dataset, len(masks), len(classes), kind, model)
    bits = 8 if kind == "LABELMAP" else 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    if kind == "LABELMAP":
        dataset.PixelPaddingValue = 0
        content = masks.tobytes()
    else:
        segments = np.stack(
            [masks == label for label in range(1, len(classes))]
        )  # (K - 1, F, H, W): frames of a segment follow
        content = np.packbits(segments.ravel(), bitorder="little").tobytes()
    dataset.PixelData = content + b"\0" * (len(content) % 2)
    dataset["PixelData"].VR = "OB"
    return dataset


def _item(**values: Any) -> "Dataset":
    item: Dataset = require("pydicom", EXTRA).Dataset()
    for key, value in values.items():
        setattr(item, key, value)
    return item


def _code(value: str, scheme: str, meaning: str) -> list["Dataset"]:
    return [_item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)]


def _segment(label: int, name: str, model: SegmentationModel) -> "Dataset":
    """Describe a segment. What a class is in terms of a coding scheme is not known, so its codes say no more than that."""
    segment = _item(SegmentNumber=label, SegmentLabel=name, SegmentAlgorithmType="AUTOMATIC")
    segment.SegmentAlgorithmName = f"tmunet {model.network}"[:_MAX_LABEL]
    segment.SegmentedPropertyCategoryCodeSequence = _code("309825002", "SCT", "Spatial and Relational Concept")
    segment.SegmentedPropertyTypeCodeSequence = _code("111030", "DCM", "Image Region")
    segment.SegmentationAlgorithmIdentificationSequence = [
        _item(
            AlgorithmFamilyCodeSequence=_code("123110", "DCM", "Artificial Intelligence"),
            AlgorithmName="tmunet",
            AlgorithmVersion=__version__,
            AlgorithmParameters=model.parameters,
        )
    ]
    if label:
        segment.RecommendedDisplayCIELabValue = _cielab(color(label))
    return segment


def _cielab(rgb: tuple[int, int, int]) -> list[int]:
    """Convert sRGB (0 to 255) to CIELab as PS3.3, C.10.7.1.1 encodes it: L* 0..100 and a*, b* -128..127 as 0..65535."""
    levels = np.array(rgb) / 255
    light = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    matrix = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    ratio = matrix @ light / (matrix @ np.ones(3))
    x, y, z = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    lab = (116 * y - 16) / 100, (500 * (x - y) + 128) / 255, (200 * (y - z) + 128) / 255
    return [round(min(max(float(value), 0.0), 1.0) * 65535) for value in lab]


def _copy_lossy(source: "Dataset", dataset: "Dataset") -> None:
    """An image that once lost data keeps that remark; its ratio and method belong to it."""
    lossy = str(source.get("LossyImageCompression") or "") == "01" and "LossyImageCompressionRatio" in source
    dataset.LossyImageCompression = "01" if lossy else "00"
    if lossy:
        for key in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
            if key in source:
                dataset[key] = source[key]


def _add_references(source: "Dataset", dataset: "Dataset") -> None:
    image = _item(ReferencedSOPClassUID=source.SOPClassUID, ReferencedSOPInstanceUID=source.SOPInstanceUID)
    series = _item(SeriesInstanceUID=source.SeriesInstanceUID, ReferencedInstanceSequence=[image])
    dataset.ReferencedSeriesSequence = [series]


def _add_frames(
    source: "Dataset", dataset: "Dataset", frames: int, classes: int, kind: str, model: SegmentationModel
) -> None:
    """Add the functional groups and their dimensions: a frame for each segment and each frame of the image, in that order."""
    stated = [geometry_of(source, frame) for frame in range(frames)]
    places = [place for place in stated if place is not None and place.orientation == _orientation(stated)]
    if len(places) == frames:
        dataset.FrameOfReferenceUID = source.FrameOfReferenceUID
        dataset.PositionReferenceIndicator = str(source.get("PositionReferenceIndicator") or "")
    else:
        dataset.PatientOrientation = ""  # required of an image without geometry, and unknown
        places = [FrameGeometry(_FLAT, (0.0, 0.0, float(frame))) for frame in range(frames)]
    measures = functional_group(source, "PixelMeasuresSequence") or source
    thickness = _positive(measures.get("SliceThickness"))
    shared = _item(
        PixelMeasuresSequence=[
            _item(
                PixelSpacing=[_decimal(step) for step in spacing_of(source) or (1.0, 1.0)],
                SliceThickness=_decimal(thickness),
                SpacingBetweenSlices=_decimal(_positive(measures.get("SpacingBetweenSlices"), thickness)),
            )
        ],
        PlaneOrientationSequence=[_item(ImageOrientationPatient=[_decimal(v) for v in places[0].orientation])],
    )
    labelmap = kind == "LABELMAP"
    dataset.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for label in (0,) if labelmap else range(1, classes):
        for frame, place in enumerate(places, start=1):
            group = _item(
                FrameContentSequence=[_item(DimensionIndexValues=[frame] if labelmap else [label, frame])],
                PlanePositionSequence=[_item(ImagePositionPatient=[_decimal(value) for value in place.position])],
                DerivationImageSequence=[_derivation(source, frame, frames)],
            )
            if not labelmap:
                group.SegmentIdentificationSequence = [_item(ReferencedSegmentNumber=label)]
            groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = groups
    dataset.NumberOfFrames = len(groups)
    organization = model.uid(kind, "dimensions", source.SOPInstanceUID)
    pointers = [("ImagePositionPatient", "PlanePositionSequence")]
    if not labelmap:
        pointers.insert(0, ("ReferencedSegmentNumber", "SegmentIdentificationSequence"))
    tag = require("pydicom.datadict", EXTRA).tag_for_keyword
    dataset.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=organization)]
    dataset.DimensionIndexSequence = [
        _item(
            DimensionOrganizationUID=organization,
            DimensionIndexPointer=tag(value),
            FunctionalGroupPointer=tag(sequence),
            DimensionDescriptionLabel=value,
        )
        for value, sequence in pointers
    ]


def _orientation(places: Sequence[FrameGeometry | None]) -> tuple[float, ...] | None:
    return places[0].orientation if places and places[0] is not None else None


def _derivation(source: "Dataset", frame: int, frames: int) -> "Dataset":
    image = _item(
        ReferencedSOPClassUID=source.SOPClassUID,
        ReferencedSOPInstanceUID=source.SOPInstanceUID,
        SpatialLocationsPreserved="YES",
        PurposeOfReferenceCodeSequence=_code("121322", "DCM", "Source image for image processing operation"),
    )
    if frames > 1 or "NumberOfFrames" in source:
        image.ReferencedFrameNumber = frame
    return _item(SourceImageSequence=[image], DerivationCodeSequence=_code("113076", "DCM", "Segmentation"))


def _positive(value: Any, default: float = 1.0) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return default
    return number if np.isfinite(number) and number > 0 else default


def _decimal(value: float) -> str:
    """Write a number in the 16 characters that the VR DS has."""
    text = repr(value)
    for digits in range(16, 8, -1):
        if len(text) <= 16:
            break
        text = f"{value:.{digits}g}"
    return text
