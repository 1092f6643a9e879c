#!/usr/bin/env bash
# imageio.v2.imread of imageio 2.38.1 reads an uncompressed RGB DICOM file (ultrasound with Doppler, endoscopy, dermoscopy, secondary
# capture) as ONE gray image of the right height and width that holds the first third of the bytes: with colors by pixel three columns
# stand for one, and the picture is the top third of the image stretched over the whole; with colors by plane it is the red channel.
# Samples per Pixel is read from the file and not used. Nothing is raised or logged.
#
# A guess: (H, W, 3), or an error, as for compressed files, which it refuses by name.
#
# Seen with imageio 2.38.1 and pydicom 3.0.2 (which reads both files right), 6 x 8 pixels, rows 1 to 3, columns 2 to 4 red (200, 30, 10):
#   Planar Configuration 0: shape (6, 8); rows 3 and 4 hold 200 30 10 200 30 10 ...; the other rows are 0
#   Planar Configuration 1: shape (6, 8); the red channel alone
#   MONOCHROME2, 8 and 16 bits, signed too: right
#
# For users of 2D segmentation: a network gets a torn gray picture whose mask cannot fit, from a reader that is right for CT. For us:
# DICOM is read with pydicom, and color images keep their three channels (tests/formats).
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check imageio==2.38.1 pydicom==3.0.2 numpy==2.4.6
mkdir "$dir/files"
cd "$dir/files"
"$dir/venv/bin/python" - <<'PYTHON'
import imageio.v2
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

RED = np.zeros((6, 8, 3), np.uint8)
RED[1:4, 2:5] = (200, 30, 10)


def both(pixels, planar=None):
    """The image of a file with these pixels as imageio and as pydicom read it."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.StudyInstanceUID, data.SeriesInstanceUID, data.Modality, data.InstanceNumber = generate_uid(), generate_uid(), "OT", 1
    data.Rows, data.Columns = pixels.shape[:2]
    data.SamplesPerPixel, data.PhotometricInterpretation = (1, "MONOCHROME2") if planar is None else (3, "RGB")
    if planar is not None:
        data.PlanarConfiguration = planar
    data.BitsAllocated = data.BitsStored = pixels.itemsize * 8
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(pixels.dtype.kind == "i")
    data.PixelData = np.ascontiguousarray(pixels.transpose(2, 0, 1) if planar else pixels).tobytes()
    data.save_as("image.dcm", enforce_file_format=True)
    return np.asarray(imageio.v2.imread("image.dcm", format="DICOM")), pydicom.dcmread("image.dcm").pixel_array


found, expected = both(RED, planar=0)
print("colors by pixel:", found.shape, "pydicom", expected.shape)
print(found)
assert np.array_equal(expected, RED)
assert np.array_equal(found, RED.reshape(-1)[:48].reshape(6, 8))

found, expected = both(RED, planar=1)
print("colors by plane:", found.shape, "pydicom", expected.shape)
assert np.array_equal(expected, RED)
assert np.array_equal(found, RED[..., 0])

for kind in (np.uint8, np.uint16, np.int16):
    assert np.array_equal(*both(np.arange(48).reshape(6, 8).astype(kind)))
PYTHON
