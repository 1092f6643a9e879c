"""`tmunet predict` on DICOM files: still images, loops, archives; PNG masks and segmentations."""

import csv
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tmunet.data.io.masks import read_mask
from tmunet.errors import DataError, InputError, TMUNetWarning, UsageError
from tmunet.prediction.backends.names import MaskFormat
from tmunet.prediction.confidence_table import CONFIDENCE_FILE
from tmunet.prediction.dicom_files import find_loops
from tmunet.prediction.folder import MANIFEST, PredictedFiles, find_images, predict_files
from tmunet.prediction.image_archives import unpacked
from tmunet.prediction.predictor import Predictor

from ..coded_errors import coded
from ..formats.dicom_sources import make, read, rgb_of, save
from ..small_models import TWO, bright_model, colored_model

pytest.importorskip("pydicom")


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(bright_model())


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    save(folder / "us.dcm", make("ultrasound", size=(32, 44)))
    save(folder / "loop.dcm", make("ultrasound-loop", size=(32, 41)))
    save(folder / "IM0001", make("xray", size=(40, 32)))
    return folder


def files(folder: Path) -> set[str]:
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return found - {CONFIDENCE_FILE}


def counts(found: PredictedFiles) -> tuple[int, int, tuple[str, ...]]:
    return found.done, found.done_before, found.faults


def write(
    predictor: Predictor, scans: Path, out: Path, mask_format: MaskFormat = "png", **more: object
) -> PredictedFiles:
    return predict_files(predictor, find_images([str(scans)]), out, batch_size=2, mask_format=mask_format, **more)  # type: ignore[arg-type]


def test_every_frame_gets_the_png_mask_of_its_pixels(predictor: Predictor, scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert counts(write(predictor, scans, out)) == (3, 0, ())
    loop = [f"loop_{frame:04d}.png" for frame in (1, 2, 3)]
    assert files(out) == {"us.png", "IM0001.png", *loop, MANIFEST}
    for name, pixels in zip(loop, rgb_of(read(scans / "loop.dcm")), strict=True):
        np.testing.assert_array_equal(read_mask(out / name, TWO), predictor(pixels).mask)
    assert counts(write(predictor, scans, out)) == (3, 3, ())


@pytest.mark.parametrize("mask_format", ["png", "dicom-seg", "dicom-labelmap", "geojson"])
def test_each_frame_has_its_confidence_also_after_a_second_call(
    predictor: Predictor, scans: Path, tmp_path: Path, mask_format: MaskFormat
) -> None:
    out = tmp_path / "out"
    write(predictor, scans, out, mask_format)
    table = (out / CONFIDENCE_FILE).read_bytes()
    rows = list(csv.DictReader(table.decode("utf-8").splitlines()))
    expected = {
        ("loop.dcm", str(frame)): predictor(pixels).confidence
        for frame, pixels in enumerate(rgb_of(read(scans / "loop.dcm")), start=1)
    }
    expected[("us.dcm", "")] = predictor(scans / "us.dcm").confidence
    found = {(Path(row["image"]).name, row["frame"]): row for row in rows}
    assert len(rows) == len(found) == 5
    assert all((out / row["mask"]).is_file() for row in rows)
    for key, confidence in expected.items():
        assert float(found[key]["agreement"]) == pytest.approx(confidence.agreement, abs=1e-4)
        assert found[key]["flags"] == ", ".join(confidence.flags)
    assert [bool(row["flags"]) for row in rows] == sorted((bool(row["flags"]) for row in rows), reverse=True)
    assert write(predictor, scans, out, mask_format).done_before == 3
    assert (out / CONFIDENCE_FILE).read_bytes() == table


@pytest.mark.parametrize("mask_format", ["dicom-seg", "dicom-labelmap"])
def test_a_segmentation_holds_the_masks_of_all_frames(
    predictor: Predictor, scans: Path, tmp_path: Path, mask_format: MaskFormat
) -> None:
    highdicom = pytest.importorskip("highdicom")
    out = tmp_path / "out"
    assert counts(write(predictor, scans, out, mask_format)) == (3, 0, ())
    assert files(out) == {"us.dcm", "loop.dcm", "IM0001.dcm", MANIFEST}
    source = read(scans / "loop.dcm")
    seg = highdicom.seg.segread(str(out / "loop.dcm"))
    found = seg.get_pixels_by_source_frame(source.SOPInstanceUID, [1, 2, 3], combine_segments=True)
    expected = [predictor(pixels).mask for pixels in rgb_of(source)]
    np.testing.assert_array_equal(found, expected)
    assert 0 < np.mean(expected) < 1
    np.testing.assert_array_equal(read_mask(out / "us.dcm", TWO), predictor(scans / "us.dcm").mask)
    assert read(out / "us.dcm").DeviceSerialNumber == predictor.weights_sha256()


def test_segmentations_that_are_there_stay_and_those_of_other_images_are_replaced(
    predictor: Predictor, scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    write(predictor, scans, out, "dicom-seg")
    before = {path.name: path.read_bytes() for path in out.glob("*.dcm")}
    save(scans / "us.dcm", make("ultrasound", seed=5))
    assert counts(write(predictor, scans, out, "dicom-seg")) == (3, 2, ())
    assert {name for name, content in before.items() if (out / name).read_bytes() != content} == {"us.dcm"}


def test_overlays_and_probabilities_of_frames(predictor: Predictor, scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(predictor, scans, out, "dicom-seg", overlays=True, probabilities=True)
    names = {"us", "IM0001", "loop_0001", "loop_0002", "loop_0003"}
    assert {path.stem for path in (out / "overlays").iterdir()} == names
    assert {path.stem for path in (out / "probabilities").iterdir()} == names
    assert np.load(out / "probabilities" / "loop_0002.npz")["probabilities"].shape == (2, 32, 41)


def test_a_window_changes_the_image_and_is_a_setting(predictor: Predictor, tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 4095, 44).astype(np.uint16), (32, 1))
    save(tmp_path / "scans" / "x.dcm", make("xray", pixels=ramp))
    wide, narrow = tmp_path / "wide", tmp_path / "narrow"
    write(predictor, tmp_path / "scans", wide)
    write(predictor, tmp_path / "scans", narrow, window="1000,200")
    assert read_mask(narrow / "x.png", TWO).mean() > read_mask(wide / "x.png", TWO).mean() + 0.2
    assert json.loads((narrow / MANIFEST).read_text("utf-8"))["window"] == "1000,200"
    with pytest.raises(InputError, check=coded("other-masks", narrow)):
        write(predictor, tmp_path / "scans", narrow)


def test_several_classes_are_several_segments(tmp_path: Path) -> None:
    predictor = Predictor(colored_model())
    path = save(tmp_path / "scans" / "a.dcm", make("dermoscopy", size=(32, 32)))
    write(predictor, path.parent, tmp_path / "out", "dicom-seg")
    seg = read(tmp_path / "out" / "a.dcm")
    assert [segment.SegmentLabel for segment in seg.SegmentSequence] == ["a", "b"]
    np.testing.assert_array_equal(read_mask(tmp_path / "out" / "a.dcm", predictor.config.classes), predictor(path).mask)


def test_a_damaged_file_is_a_fault_and_the_others_are_predicted(
    predictor: Predictor, scans: Path, tmp_path: Path
) -> None:
    content = (scans / "loop.dcm").read_bytes()
    (scans / "loop.dcm").write_bytes(content[: -32 * 41 * 3])  # the last frame is missing
    done = write(predictor, scans, tmp_path / "out", "dicom-seg")
    assert (done.done, len(done.faults)) == (2, 1)
    assert "loop.dcm" in done.faults[0]
    assert files(tmp_path / "out") == {"us.dcm", "IM0001.dcm", MANIFEST}


def test_missing_tags_of_all_files_are_listed_before_anything_is_written(
    predictor: Predictor, scans: Path, tmp_path: Path
) -> None:
    save(scans / "a.dcm", make("ultrasound", StudyInstanceUID=None))
    save(scans / "b.dcm", make("ultrasound", SeriesInstanceUID=None))
    with pytest.raises(DataError) as error:
        write(predictor, scans, tmp_path / "out", "dicom-seg")
    assert [("a.dcm" in f, "StudyInstanceUID" in f) for f in error.value.faults] == [(True, True), (False, False)]
    assert not (tmp_path / "out").exists()
    assert write(predictor, scans, tmp_path / "out").done == 5  # PNG needs none of them


def test_tags_that_are_written_empty_are_said(predictor: Predictor, tmp_path: Path) -> None:
    save(tmp_path / "scans" / "a.dcm", make("ultrasound", PatientBirthDate=None))
    with pytest.warns(TMUNetWarning, match="PatientBirthDate"):
        write(predictor, tmp_path / "scans", tmp_path / "out", "dicom-seg")
    assert read(tmp_path / "out" / "a.dcm").PatientBirthDate == ""


def test_a_png_image_has_no_segmentation(predictor: Predictor, scans: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(scans / "photo.png")
    with pytest.raises(UsageError, check=coded("not-dicom", scans / "photo.png")):
        write(predictor, scans, tmp_path / "out", "dicom-seg")
    assert not (tmp_path / "out").exists()
    assert counts(write(predictor, scans, tmp_path / "out")) == (4, 0, ())
    assert (tmp_path / "out" / "photo.png").exists()


def test_a_segmentation_is_no_image(predictor: Predictor, scans: Path, tmp_path: Path) -> None:
    write(predictor, scans, tmp_path / "seg", "dicom-seg")
    done = write(predictor, tmp_path / "seg", tmp_path / "out")
    assert (done.done, len(done.faults)) == (0, 3)


def test_loops_are_found(scans: Path) -> None:
    (scans / "damaged.dcm").write_bytes(b"\0" * 128 + b"DICM")
    assert find_loops(find_images([str(scans)])) == [scans / "loop.dcm"]


def test_an_archive_is_the_images_in_it(predictor: Predictor, scans: Path, tmp_path: Path) -> None:
    archive = tmp_path / "study.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in scans.iterdir():
            file.write(path, f"study/series1/{path.name}")
        file.write(scans / "us.dcm", "study/series2/us.dcm")
        file.writestr("study/DICOMDIR", b"\0" * 128 + b"DICM")
        file.writestr("study/readme.txt", "no image")
    with unpacked([str(archive), "other"]) as (folder, other):
        assert other == "other"
        names = {"series1_us.dcm", "series1_loop.dcm", "series1_IM0001", "series2_us.dcm"}
        assert files(Path(folder)) == names
        done = predict_files(predictor, find_images([folder]), tmp_path / "out", mask_format="dicom-seg")
    assert counts(done) == (4, 0, ())
    assert not Path(folder).exists()


def test_a_frame_does_not_take_the_name_of_another_image(predictor: Predictor, scans: Path, tmp_path: Path) -> None:
    save(scans / "loop_0002.dcm", make("ultrasound"))
    with pytest.raises(InputError, check=coded("names", scans / "loop.dcm")):
        write(predictor, scans, tmp_path / "out")
    (scans / "loop_0002.dcm").rename(scans / "us_0002.dcm")  # of a still image, which has no frames
    assert write(predictor, scans, tmp_path / "out").done == 4


def test_the_index_of_a_medium_is_no_image(scans: Path) -> None:
    (scans / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    assert "DICOMDIR" not in [image.name for image in find_images([str(scans)])]
