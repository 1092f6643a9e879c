"""DICOM images of the kinds that a 2D network meets, small, with known pixels."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

KINDS: Mapping[str, tuple[str, str]] = {  # SOP class, modality
    "ultrasound": ("1.2.840.10008.5.1.4.1.1.6.1", "US"),
    "ultrasound-loop": ("1.2.840.10008.5.1.4.1.1.3.1", "US"),
    "endoscopy": ("1.2.840.10008.5.1.4.1.1.77.1.1", "ES"),
    "endoscopy-loop": ("1.2.840.10008.5.1.4.1.1.77.1.1.1", "ES"),
    "dermoscopy": ("1.2.840.10008.5.1.4.1.1.77.1.4", "XC"),
    "fundus": ("1.2.840.10008.5.1.4.1.1.77.1.5.1", "OP"),
    "capture": ("1.2.840.10008.5.1.4.1.1.7", "OT"),
    "xray": ("1.2.840.10008.5.1.4.1.1.1.1", "DX"),
    "computed-xray": ("1.2.840.10008.5.1.4.1.1.1", "CR"),
    "mammogram": ("1.2.840.10008.5.1.4.1.1.1.2", "MG"),
    "ct": ("1.2.840.10008.5.1.4.1.1.2", "CT"),
    "mr": ("1.2.840.10008.5.1.4.1.1.4", "MR"),
}
GRAY = ("xray", "computed-xray", "mammogram", "ct", "mr")
IN_SPACE = ("ct", "mr")
FRAMES = 3


def make(kind: str, size: tuple[int, int] = (32, 44), seed: int = 0, **tags: Any) -> FileDataset:
    """A valid image of a kind; `tags` replace or add, None leaves a tag out, `pixels` are given as an array."""
    sop_class, modality = KINDS[kind]
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    frames = FRAMES if kind.endswith("loop") else 1
    gray = kind in GRAY
    shape = (frames, *size) if gray else (frames, *size, 3)
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 4096 if gray else 256, shape).astype(np.uint16 if gray else np.uint8)
    content: dict[str, Any] = {
        "SOPClassUID": sop_class,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "PatientName": "PLANTED^NAME",
        "PatientID": f"ID{seed}",
        "PatientBirthDate": "",
        "PatientSex": "O",
        "StudyDate": "20261101",
        "StudyTime": "120000",
        "StudyID": "1",
        "AccessionNumber": "",
        "ReferringPhysicianName": "",
        "SeriesNumber": 1,
        "InstanceNumber": 1,
        "Modality": modality,
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "PatientOrientation": "",
        "LossyImageCompression": "00",
        "Rows": size[0],
        "Columns": size[1],
        "SamplesPerPixel": 1 if gray else 3,
        "PhotometricInterpretation": "MONOCHROME2" if gray else "RGB",
        "BitsAllocated": 16 if gray else 8,
        "BitsStored": 12 if gray else 8,
        "HighBit": 11 if gray else 7,
        "PixelRepresentation": 0,
    }
    if not gray:
        content["PlanarConfiguration"] = 0
    if frames > 1:
        content |= {"NumberOfFrames": frames, "FrameTime": "40", "FrameIncrementPointer": 0x00181063}
    if kind in IN_SPACE:
        content |= {
            "FrameOfReferenceUID": generate_uid(),
            "PositionReferenceIndicator": "",
            "ImageOrientationPatient": [0, 1, 0, 0, 0, -1],
            "ImagePositionPatient": [-17.5, 3.25, 40],
            "PixelSpacing": [0.7, 0.5],
            "SliceThickness": 2,
        }
    pixels = tags.pop("pixels", None)
    for keyword, value in (content | tags).items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.PixelData = (values if pixels is None else pixels).tobytes()
    if len(dataset.PixelData) % 2:
        dataset.PixelData += b"\0"
    dataset["PixelData"].VR = "OW" if dataset.BitsAllocated == 16 else "OB"
    return dataset


def save(path: Path, dataset: Dataset) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def read(path: Path) -> Dataset:
    return pydicom.dcmread(path)


def rgb_of(dataset: Dataset) -> np.ndarray:
    """(F, H, W, 3) of an uncompressed color image."""
    frames = int(dataset.get("NumberOfFrames", 1))
    return np.frombuffer(dataset.PixelData, np.uint8)[: frames * dataset.Rows * dataset.Columns * 3].reshape(
        frames, dataset.Rows, dataset.Columns, 3
    )


def compressed_originals(folder: Path) -> list[bytes]:
    """Contents of valid files of several kinds and transfer syntaxes; the last one is a segmentation."""
    import imagecodecs

    from tmunet.formats.dicom_seg import SegmentationModel, write_segmentation

    ramp = np.add.outer(np.arange(32), np.arange(44)).astype(np.uint16)
    streams = {
        JPEGLSLossless: imagecodecs.jpegls_encode(ramp),
        JPEG2000Lossless: imagecodecs.jpeg2k_encode(ramp, level=0, reversible=True, codecformat="j2k"),
        JPEGLosslessSV1: imagecodecs.jpeg8_encode(ramp, lossless=True, predictor=1, bitspersample=12),
    }
    datasets: list[Dataset] = [make("ultrasound-loop"), make("ct", WindowCenter=40, WindowWidth=400)]
    for syntax, data in streams.items():
        dataset = make("xray", pixels=ramp)
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.PixelData = encapsulate([data])
        dataset["PixelData"].VR = "OB"
        datasets.append(dataset)
    rle, deflated = make("endoscopy"), make("mr")
    rle.compress(RLELossless)
    deflated.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = folder / "original.dcm"
    contents = [save(path, dataset).read_bytes() for dataset in (*datasets, rle, deflated)]
    mask = np.eye(32, 44, dtype=np.uint8)[None]
    write_segmentation(
        path, make("ultrasound"), mask, ("background", "foreground"), SegmentationModel("tmunet_t", "0" * 64)
    )
    contents.append(path.read_bytes())
    path.unlink()
    return contents
