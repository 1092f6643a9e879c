#!/usr/bin/env bash
# SimpleITK 2.5.7 chooses by the DICOM class, not by the tags present, where the size of a pixel comes from. So the same
# PixelSpacing (0028,0030) of 0.3 x 0.2 mm is used in one class and silently replaced by 1 mm, or by another tag, in the next.
# A guess that "(0028,0030) if present, else (0018,1164)" is right for none of the projection radiographs.
#
# Seen with SimpleITK 2.5.7 and pydicom 3.0.2 (x, y in mm; every file has PixelSpacing 0.3 \ 0.2):
#   Ultrasound, Secondary Capture, CT, VL Photographic:                    0.2, 0.3
#   CR, DX, Mammography, XA, RF without ImagerPixelSpacing:                1, 1        (the spacing is lost)
#   the same with ImagerPixelSpacing 0.6 \ 0.5:                            0.5, 0.6    (at the detector, although PixelSpacing,
#                                                                                       which a calibration corrects, is there)
#   VL Endoscopic, Ophthalmic Photography:                                 1, 1
#   Ultrasound with regions in cm (PhysicalDeltaX) and no PixelSpacing:    1, 1
# Nothing is raised and a spacing of exactly 1 mm cannot be told from "unknown".
#
# For users of 2D segmentation: areas and HD95 in mm computed through SimpleITK (or a PNG, NIfTI or MHA made with it) are those of
# another pixel size than in pydicom. For us: the tags are read with pydicom in every class, PixelSpacing before the detector's.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check SimpleITK==2.5.7 pydicom==3.0.2
cd "$dir"
"$dir/venv/bin/python" - <<'PYTHON'
import SimpleITK
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

CLASSES = {
    "Ultrasound": ("1.2.840.10008.5.1.4.1.1.6.1", "US"),
    "Secondary Capture": ("1.2.840.10008.5.1.4.1.1.7", "OT"),
    "CT": ("1.2.840.10008.5.1.4.1.1.2", "CT"),
    "VL Photographic": ("1.2.840.10008.5.1.4.1.1.77.1.4", "XC"),
    "CR": ("1.2.840.10008.5.1.4.1.1.1", "CR"),
    "DX": ("1.2.840.10008.5.1.4.1.1.1.1", "DX"),
    "Mammography": ("1.2.840.10008.5.1.4.1.1.1.2", "MG"),
    "XA": ("1.2.840.10008.5.1.4.1.1.12.1", "XA"),
    "RF": ("1.2.840.10008.5.1.4.1.1.12.2", "RF"),
    "VL Endoscopic": ("1.2.840.10008.5.1.4.1.1.77.1.1", "ES"),
    "Ophthalmic": ("1.2.840.10008.5.1.4.1.1.77.1.5.1", "OP"),
}


def spacing(name, **tags):
    """(x, y) in mm as SimpleITK reads a file of this class with these tags."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.SOPClassUID, data.Modality = CLASSES[name]
    data.SOPInstanceUID, data.StudyInstanceUID, data.SeriesInstanceUID = generate_uid(), generate_uid(), generate_uid()
    data.file_meta.MediaStorageSOPClassUID, data.file_meta.MediaStorageSOPInstanceUID = data.SOPClassUID, data.SOPInstanceUID
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.PatientName = data.PatientID = data.PatientBirthDate = data.PatientSex = data.StudyDate = data.StudyTime = ""
    data.StudyID = data.AccessionNumber = data.ReferringPhysicianName = ""
    data.ImageType, data.ConversionType, data.SeriesNumber, data.InstanceNumber = ["ORIGINAL", "PRIMARY"], "WSD", 1, 1
    color = data.Modality in ("XC", "ES", "OP")
    data.SamplesPerPixel, data.PhotometricInterpretation = (3, "RGB") if color else (1, "MONOCHROME2")
    if color:
        data.PlanarConfiguration = 0
    data.Rows, data.Columns, data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 10, 8, 8, 7, 0
    data.PixelData = bytes(80 * data.SamplesPerPixel)
    for tag, value in tags.items():
        setattr(data, tag, value)
    data.save_as("image.dcm", enforce_file_format=True)
    return tuple(round(value, 6) for value in SimpleITK.ReadImage("image.dcm").GetSpacing()[:2])


stated = {"PixelSpacing": [0.3, 0.2]}
for name in ("Ultrasound", "Secondary Capture", "CT", "VL Photographic"):
    found = spacing(name, **stated)
    print(name, found)
    assert found == (0.2, 0.3)
for name in ("CR", "DX", "Mammography", "XA", "RF"):
    alone, both = spacing(name, **stated), spacing(name, **stated, ImagerPixelSpacing=[0.6, 0.5])
    print(name, alone, "with ImagerPixelSpacing", both)
    assert alone == (1.0, 1.0)
    assert both == (0.5, 0.6)
for name in ("VL Endoscopic", "Ophthalmic"):
    found = spacing(name, **stated)
    print(name, found)
    assert found == (1.0, 1.0)

region = Dataset()
region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
region.RegionLocationMinX0, region.RegionLocationMinY0, region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 0, 0, 9, 7
region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
region.PhysicalDeltaX, region.PhysicalDeltaY = 0.02, 0.03
found = spacing("Ultrasound", SequenceOfUltrasoundRegions=[region])
print("Ultrasound, regions", found)
assert found == (1.0, 1.0)
PYTHON
