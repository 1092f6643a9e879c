"""Read a DICOM segmentation (SEG) of one image as a mask of labels: the number of a segment is its label."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tmunet.data.io.decoders import DecodedImage
from tmunet.errors import InputError
from tmunet.formats.dicom_codecs import decode_frame
from tmunet.formats.dicom_file import frame_count, functional_group, named

if TYPE_CHECKING:
    from pydicom import Dataset

_HINT = "save one segmentation of the kind BINARY or LABELMAP for each image"


def decode_segmentation(path: Path, dataset: "Dataset") -> DecodedImage:
    """Decode a segmentation to labels (H, W, 1): 0 outside of all segments.

    Raises:
        InputError: it is of several images or frames of a loop, of probabilities, has overlapping segments or more than 255.
    """
    with named(path):
        kind = str(dataset.get("SegmentationType"))
        if kind not in ("BINARY", "LABELMAP"):
            raise _error(path, "value-type", f"expected a segmentation of labels, but it is of the type {kind}")
        labels = np.zeros((int(dataset.Rows), int(dataset.Columns)), np.uint8)
        image: object = None
        for index in range(frame_count(dataset)):
            found = _image_of(dataset, index)
            if index and found != image:
                raise _error(path, "several-images", "expected a mask of one image, but its frames are of several")
            image = found
            frame = decode_frame(path, dataset, index)
            number = 1 if kind == "LABELMAP" else _segment(dataset, index)
            top = int(frame.max(initial=0)) if kind == "LABELMAP" else number
            if not 0 <= top <= 255 or (index and kind == "LABELMAP"):
                raise _error(path, "value-type", f"expected labels from 0 to 255 in one frame, but found {top}")
            if (labels[frame != 0] != 0).any():
                raise _error(path, "overlap", f"a pixel is in segment {number} and in another one")
            labels[frame != 0] = frame[frame != 0] if kind == "LABELMAP" else number
    return DecodedImage(labels[:, :, None])


def _segment(dataset: "Dataset", index: int) -> int:
    identification = functional_group(dataset, "SegmentIdentificationSequence", index)
    if identification is None:
        raise ValueError(f"frame {index + 1} names no segment")
    return int(identification.ReferencedSegmentNumber)


def _image_of(dataset: "Dataset", index: int) -> tuple[str, str]:
    """What a frame is a mask of: the source image and its frame, and the position."""
    derivation = functional_group(dataset, "DerivationImageSequence", index)
    sources = derivation.get("SourceImageSequence") if derivation is not None else None
    source = (
        "" if not sources else f"{sources[0].ReferencedSOPInstanceUID} {sources[0].get('ReferencedFrameNumber', 1)}"
    )
    position = functional_group(dataset, "PlanePositionSequence", index)
    return source, "" if position is None else str(position.get("ImagePositionPatient"))


def _error(path: Path, code: str, what: str) -> InputError:
    return InputError(f"{path}: {what}; {_HINT}.", code=code, path=path)
