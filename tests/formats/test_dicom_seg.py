"""DICOM segmentations: written, and read back by readers that we did not write."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import UID

from tmunet import __version__
from tmunet.data.io.masks import read_mask
from tmunet.errors import InputError, UsageError
from tmunet.formats.dicom_image import decode_dicom
from tmunet.formats.dicom_seg import SegmentationModel, SegmentationType, absent_tags, missing_tags, write_segmentation

from ..coded_errors import coded
from .dicom_sources import FRAMES, IN_SPACE, KINDS, make, read, save

CLASSES = ("background", "polyp", "Läsion")
MODEL = SegmentationModel("tmunet_t", "0123456789abcdef" * 4, {"threshold": 0.5})
TYPES: tuple[SegmentationType, ...] = ("BINARY", "LABELMAP")


def masks_of(dataset: Dataset, classes: int = 3) -> np.ndarray:
    """(F, H, W) labels that differ by frame, without any symmetry."""
    frames = int(dataset.get("NumberOfFrames", 1))
    masks = np.zeros((frames, dataset.Rows, dataset.Columns), np.uint8)
    for frame in range(frames):
        masks[frame, 3 : 9 + frame, 5:30] = 1
        masks[frame, 12:14, 1 + frame : 20] = classes - 1
        masks[frame, -1, -1] = 1
    return masks


def written(
    tmp_path: Path, kind: str, type_: SegmentationType = "BINARY", **tags: Any
) -> tuple[Path, Dataset, np.ndarray]:
    """A segmentation of an image of a kind, the image and the masks."""
    source = read(save(tmp_path / "source.dcm", make(kind, **tags)))
    masks = masks_of(source)
    path = tmp_path / "seg.dcm"
    write_segmentation(path, source, masks, CLASSES, MODEL, type_)
    return path, source, masks


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("kind", list(KINDS))
def test_highdicom_reads_the_same_masks_by_the_source_image(tmp_path: Path, kind: str, type_: SegmentationType) -> None:
    highdicom = pytest.importorskip("highdicom")
    path, source, masks = written(tmp_path, kind, type_, size=(33, 41))  # bits that fill no bytes
    seg = highdicom.seg.segread(str(path))
    uid = source.SOPInstanceUID
    if kind.endswith("loop"):
        found = seg.get_pixels_by_source_frame(uid, list(range(1, FRAMES + 1)), combine_segments=True)
    else:
        found = seg.get_pixels_by_source_instance([uid], combine_segments=True)
    np.testing.assert_array_equal(found, masks)


@pytest.mark.parametrize("kind", ["ultrasound", "ultrasound-loop", "endoscopy-loop", "ct"])
def test_dcmqi_reads_the_same_masks(tmp_path: Path, kind: str) -> None:
    """By the program with which 3D Slicer reads segmentations."""
    pytest.importorskip("dcmqi")
    nibabel = pytest.importorskip("nibabel")
    program = Path(shutil.which("segimage2itkimage") or Path(sys.executable).with_name("segimage2itkimage"))
    if not program.exists():
        pytest.skip("segimage2itkimage of dcmqi is not installed")
    path, _, masks = written(tmp_path, kind, size=(33, 41))
    out = tmp_path / "itk"
    out.mkdir()
    done = subprocess.run(
        [program, "--inputDICOM", path, "--outputDirectory", out, "--outputType", "nii"],
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    for label in (1, 2):
        image = nibabel.load(out / f"{label}.nii.gz")
        found = np.asarray(image.dataobj).T  # (columns, rows, slices) to (F, H, W)
        np.testing.assert_array_equal(found != 0, masks == label)
        if kind == "ct":
            assert sorted(map(float, image.header.get_zooms())) == pytest.approx([0.5, 0.7, 2])


@pytest.mark.parametrize("kind", list(KINDS))
def test_dciodvfy_finds_no_error(tmp_path: Path, kind: str) -> None:
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy of dicom3tools is not installed")
    path, _, _ = written(tmp_path, kind)
    done = subprocess.run([program, path], capture_output=True, text=True, timeout=60)
    said = done.stdout + done.stderr
    assert "Segmentation" in said
    assert [line for line in said.splitlines() if line.startswith("Error")] == []


@pytest.mark.parametrize("type_", TYPES)
def test_it_is_read_as_a_mask_of_a_data_set(tmp_path: Path, type_: SegmentationType) -> None:
    path, _, masks = written(tmp_path, "ultrasound", type_)
    np.testing.assert_array_equal(read_mask(path, CLASSES), masks[0])


def test_masks_are_not_changed_by_writing(tmp_path: Path) -> None:
    source = read(save(tmp_path / "source.dcm", make("ultrasound")))
    for type_ in TYPES:
        masks = masks_of(source)
        masks.flags.writeable = False
        write_segmentation(tmp_path / "seg.dcm", source, masks, CLASSES, MODEL, type_)
        np.testing.assert_array_equal(masks, masks_of(source))


@pytest.mark.parametrize("kind", list(KINDS))
def test_no_frame_of_reference_is_made_up(tmp_path: Path, kind: str) -> None:
    path, source, _ = written(tmp_path, kind)
    seg = read(path)
    assert seg.get("FrameOfReferenceUID") == source.get("FrameOfReferenceUID")
    assert ("FrameOfReferenceUID" in seg) == (kind in IN_SPACE)
    shared = seg.SharedFunctionalGroupsSequence[0]
    places = [group.PlanePositionSequence[0].ImagePositionPatient for group in seg.PerFrameFunctionalGroupsSequence]
    if kind in IN_SPACE:
        assert shared.PlaneOrientationSequence[0].ImageOrientationPatient == source.ImageOrientationPatient
        assert places == [source.ImagePositionPatient] * 2
    else:
        frames = int(source.get("NumberOfFrames", 1))
        assert places == [[0, 0, frame] for frame in range(frames)] * 2


@pytest.mark.parametrize(
    ("kind", "tags", "spacing"),
    [
        ("ultrasound", {}, None),
        ("xray", {"ImagerPixelSpacing": [0.2, 0.1]}, [0.2, 0.1]),
        ("ct", {}, [0.7, 0.5]),
        ("mr", {"PixelSpacing": [1 / 3, 0.123456789012]}, [1 / 3, 0.123456789012]),
    ],
)
def test_spacing_is_the_source_s_or_said_to_be_unknown(
    tmp_path: Path, kind: str, tags: dict[str, Any], spacing: list[float] | None
) -> None:
    path, _, _ = written(tmp_path, kind, **tags)
    seg = read(path)
    found = [float(v) for v in seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing]
    assert found == pytest.approx(spacing or [1, 1], rel=1e-9)
    assert ("unknown" in seg.ContentDescription) == (spacing is None)


def test_it_refers_to_its_image_and_to_nothing_else(tmp_path: Path) -> None:
    path, source, _ = written(tmp_path, "ultrasound-loop")
    seg = read(path)
    referenced = {str(e.value) for e in seg.iterall() if e.keyword == "ReferencedSOPInstanceUID"}
    assert referenced == {source.SOPInstanceUID}
    assert seg.StudyInstanceUID == source.StudyInstanceUID
    assert seg.SeriesInstanceUID != source.SeriesInstanceUID
    groups = seg.PerFrameFunctionalGroupsSequence
    frames = [g.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber for g in groups]
    segments = [g.SegmentIdentificationSequence[0].ReferencedSegmentNumber for g in groups]
    assert list(zip(segments, frames, strict=True)) == [(s, f) for s in (1, 2) for f in (1, 2, 3)]


def test_it_says_what_made_it(tmp_path: Path) -> None:
    seg = read(written(tmp_path, "ultrasound")[0])
    assert seg.DeviceSerialNumber == MODEL.weights_sha256
    assert (seg.ManufacturerModelName, seg.SoftwareVersions) == ("tmunet_t", __version__)
    assert [segment.SegmentLabel for segment in seg.SegmentSequence] == list(CLASSES[1:])
    for segment in seg.SegmentSequence:
        algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
        assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("tmunet", __version__)
        assert MODEL.weights_sha256 in algorithm.AlgorithmParameters
        assert "threshold=0.5" in algorithm.AlgorithmParameters


def test_no_tag_is_copied_that_is_not_needed(tmp_path: Path) -> None:
    planted = {
        "InstitutionName": "Planted",
        "OperatorsName": "Planted",
        "PatientAddress": "Planted",
        "OtherPatientIDs": "Planted",
        "PatientComments": "Planted",
        "DeviceUID": "1.2.3.999",
        "PatientAge": "099Y",
    }
    source = make("ultrasound", **planted)
    source.private_block(0x0009, "Planted", create=True).add_new(1, "LO", "Planted")
    path = tmp_path / "seg.dcm"
    write_segmentation(path, source, masks_of(source), CLASSES, MODEL)
    content = path.read_bytes()
    assert not any(text in content for text in (b"Planted", b"1.2.3.999", b"099Y"))
    assert read(path).PatientName == "PLANTED^NAME"


@pytest.mark.parametrize("name", ["Ωμέγα^Άλφα", "山田^太郎", "Müller^Jürgen"])
def test_names_of_patients_in_any_script_are_kept(tmp_path: Path, name: str) -> None:
    path, source, _ = written(tmp_path, "ultrasound", SpecificCharacterSet="ISO_IR 192", PatientName=name)
    assert str(read(path).PatientName) == str(source.PatientName) == name


def test_uids_are_the_same_for_the_same_image_weights_and_settings(tmp_path: Path) -> None:
    source = read(save(tmp_path / "source.dcm", make("ultrasound")))
    other = read(save(tmp_path / "other.dcm", make("ultrasound")))

    def uid(image: Dataset, model: SegmentationModel, type_: SegmentationType = "BINARY") -> UID:
        write_segmentation(tmp_path / "seg.dcm", image, masks_of(image), CLASSES, model, type_)
        found = read(tmp_path / "seg.dcm").SOPInstanceUID
        assert found.is_valid
        return found

    assert uid(source, MODEL) == uid(source, SegmentationModel("tmunet_t", MODEL.weights_sha256, {"threshold": 0.5}))
    different = [
        uid(source, MODEL),
        uid(other, MODEL),
        uid(source, MODEL, "LABELMAP"),
        uid(source, SegmentationModel("tmunet_t", "f" * 64, {"threshold": 0.5})),
        uid(source, SegmentationModel("tmunet_t", MODEL.weights_sha256, {"threshold": 0.6})),
    ]
    assert len(set(different)) == len(different)


def test_an_empty_mask_is_written_with_its_frames(tmp_path: Path) -> None:
    source = read(save(tmp_path / "source.dcm", make("ultrasound-loop")))
    path = tmp_path / "seg.dcm"
    write_segmentation(path, source, np.zeros((3, 32, 44), np.uint8), CLASSES, MODEL)
    assert read(path).NumberOfFrames == 6
    assert not np.frombuffer(read(path).PixelData, np.uint8).any()


def test_missing_tags_are_listed_and_nothing_is_written(tmp_path: Path) -> None:
    source = read(save(tmp_path / "source.dcm", make("ultrasound")))
    del source.StudyInstanceUID
    source.SeriesInstanceUID = ""
    del source.PatientBirthDate
    assert missing_tags(source) == ["StudyInstanceUID", "SeriesInstanceUID"]
    assert absent_tags(source) == ["PatientBirthDate"]
    with pytest.raises(InputError, check=coded("tags", tmp_path / "source.dcm")) as error:
        write_segmentation(tmp_path / "seg.dcm", source, masks_of(source), CLASSES, MODEL)
    assert "StudyInstanceUID, SeriesInstanceUID" in str(error.value)
    assert not (tmp_path / "seg.dcm").exists()


def test_tags_that_may_be_empty_are_written_empty(tmp_path: Path) -> None:
    path, _, _ = written(tmp_path, "ultrasound", PatientBirthDate=None, StudyID=None, PatientName=None)
    seg = read(path)
    assert [seg.PatientBirthDate, seg.StudyID, str(seg.PatientName)] == ["", "", ""]


@pytest.mark.parametrize(
    ("shape", "top", "classes"), [((1, 32, 43), 1, CLASSES), ((2, 32, 44), 1, CLASSES), ((1, 32, 44), 3, CLASSES)]
)
def test_masks_that_do_not_fit_are_refused(
    tmp_path: Path, shape: tuple[int, ...], top: int, classes: tuple[str, ...]
) -> None:
    source = read(save(tmp_path / "source.dcm", make("ultrasound")))
    with pytest.raises(UsageError, check=coded("shape")):
        write_segmentation(tmp_path / "seg.dcm", source, np.full(shape, top, np.uint8), classes, MODEL)


def test_a_class_name_that_dicom_cannot_hold_is_refused(tmp_path: Path) -> None:
    source = read(save(tmp_path / "source.dcm", make("ultrasound")))
    with pytest.raises(UsageError, check=coded("value")):
        write_segmentation(tmp_path / "seg.dcm", source, masks_of(source), ("background", "x" * 65, "y"), MODEL)


def test_a_segmentation_of_a_loop_is_no_mask_of_one_image(tmp_path: Path) -> None:
    path, _, _ = written(tmp_path, "ultrasound-loop")
    with pytest.raises(InputError, check=coded("several-images", path)):
        decode_dicom(path)


def test_overlapping_segments_and_probabilities_are_no_mask(tmp_path: Path) -> None:
    path, _, masks = written(tmp_path, "ultrasound")
    seg = read(path)
    bits = np.packbits(np.stack([masks == 1, masks == 1]).ravel(), bitorder="little").tobytes()
    seg.PixelData = bits
    save(path, seg)
    with pytest.raises(InputError, check=coded("overlap", path)):
        decode_dicom(path)
    seg.SegmentationType = "FRACTIONAL"
    save(path, seg)
    with pytest.raises(InputError, check=coded("value-type", path)):
        decode_dicom(path)


def test_planes_of_an_enhanced_image_are_kept(tmp_path: Path) -> None:
    def item(sequence: str, **values: Any) -> Dataset:
        outer, inner = Dataset(), Dataset()
        for key, value in values.items():
            setattr(inner, key, value)
        setattr(outer, sequence, [inner])
        return outer

    shared = item("PlaneOrientationSequence", ImageOrientationPatient=[1, 0, 0, 0, 0, -1])
    shared.PixelMeasuresSequence = item(
        "PixelMeasuresSequence", PixelSpacing=[0.3, 0.4], SliceThickness=2, SpacingBetweenSlices=2.5
    ).PixelMeasuresSequence
    frames = [item("PlanePositionSequence", ImagePositionPatient=[1, y, 3]) for y in (0, 2.5, 5)]
    tags = {"FrameOfReferenceUID": "1.2.3", "SharedFunctionalGroupsSequence": [shared]}
    path, _, _masks = written(tmp_path, "ultrasound-loop", **tags, PerFrameFunctionalGroupsSequence=frames)
    seg = read(path)
    assert seg.FrameOfReferenceUID == "1.2.3"
    measures = seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert (measures.PixelSpacing, measures.SliceThickness, measures.SpacingBetweenSlices) == ([0.3, 0.4], 2, 2.5)
    places = [group.PlanePositionSequence[0].ImagePositionPatient for group in seg.PerFrameFunctionalGroupsSequence]
    assert places == [[1, y, 3] for y in (0, 2.5, 5)] * 2
    del frames[1].PlanePositionSequence  # then no frame has a known place
    path, _, _ = written(tmp_path, "ultrasound-loop", **tags, PerFrameFunctionalGroupsSequence=frames)
    assert "FrameOfReferenceUID" not in read(path)


def test_that_an_image_once_lost_data_is_kept(tmp_path: Path) -> None:
    tags = {
        "LossyImageCompression": "01",
        "LossyImageCompressionRatio": 20,
        "LossyImageCompressionMethod": "ISO_10918_1",
    }
    seg = read(written(tmp_path, "ultrasound", **tags)[0])
    assert {key: seg.get(key) for key in tags} == tags
    assert read(written(tmp_path, "ultrasound")[0]).LossyImageCompression == "00"
