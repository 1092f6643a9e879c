"""`tmunet pacs` against a small archive: what is stored, once, and what is said."""

import io
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid

from tmunet.cli.pacs import PacsConfig
from tmunet.cli.predict import PredictConfig
from tmunet.data.io.masks import read_mask
from tmunet.formats.dicom_mask import decode_segmentation
from tmunet.pacs import http_session
from tmunet.prediction.predictor import Predictor

from ..cli.conftest import Answer, model, tmunet
from ..formats.dicom_sources import make, save
from ..small_models import TWO
from .archives import FakeArchive, fake_archive

__all__ = ["model", "tmunet"]  # fixtures

Run = Callable[..., Answer]
STUDY = "1.2.826.0.1.77"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_session.time, "sleep", lambda _: None)
    retries = http_session.Retries(sleep=lambda _: None)
    monkeypatch.setattr("tmunet.pacs.dicomweb.Retries", lambda: retries)


@pytest.fixture
def other() -> Iterator[FakeArchive]:
    with fake_archive() as one:
        yield one


@pytest.fixture
def images(archive: FakeArchive) -> list[Dataset]:
    """A study of two series, a report, and an image of another study."""
    series = generate_uid()
    found = [
        archive.add(make("ultrasound", seed=seed, StudyInstanceUID=STUDY, SeriesInstanceUID=series)) for seed in (1, 2)
    ]
    found.append(archive.add(make("ultrasound-loop", seed=3, StudyInstanceUID=STUDY)))
    report = make("ultrasound", StudyInstanceUID=STUDY, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Modality="SR")
    archive.add(report)
    archive.add(make("ultrasound"))
    return found


def sources(segmentations: list[Dataset]) -> list[str]:
    return sorted(
        one.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID for one in segmentations
    )


def test_a_dry_run_asks_and_changes_nothing(
    tmunet: Run, archive: FakeArchive, images: list[Dataset], model: Path, tmp_path: Path
) -> None:
    archive.add(make("dermoscopy", StudyInstanceUID=STUDY, PatientBirthDate=None))
    answer = tmunet("pacs", "--from", archive.url, "--study", STUDY, "-m", model, "-o", tmp_path / "out")
    assert answer.code == 0
    assert "4 images" in answer.out
    assert {"PatientBirthDate", "1.2.826.0.1.77", images[0].SeriesInstanceUID} & set(answer.out.split()) >= {
        "PatientBirthDate",
        images[0].SeriesInstanceUID,
    }
    assert "Basic Text SR Storage" in answer.out
    assert archive.count("POST") == archive.count("GET", r"/instances/") == 0
    assert not (tmp_path / "out").exists()


def test_each_image_gets_the_segmentation_that_predict_writes_once(
    tmunet: Run, archive: FakeArchive, images: list[Dataset], model: Path, tmp_path: Path
) -> None:
    words = ("pacs", "--from", archive.url, "--study", STUDY, "--to", archive.url + "/", "-m", model)
    assert tmunet(*words, "-o", tmp_path / "out").code == 0
    found = archive.segmentations()
    assert sources(found) == sorted(one.SOPInstanceUID for one in images)
    assert {one.StudyInstanceUID for one in found} == {STUDY}
    assert len({one.SeriesInstanceUID for one in found}) == 2
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"{one.SOPInstanceUID}.dcm" for one in found}

    save(tmp_path / "scans" / "a.dcm", images[0])
    save(tmp_path / "scans" / "loop.dcm", images[2])
    assert tmunet("predict", tmp_path / "scans", "-m", model, "-o", tmp_path / "p", "--format", "dicom-seg").code == 0
    for name in ("a", "loop"):
        alone = pydicom.dcmread(tmp_path / "p" / f"{name}.dcm")
        assert archive.held[alone.SOPInstanceUID]
        assert pydicom.dcmread(io.BytesIO(archive.held[alone.SOPInstanceUID])).PixelData == alone.PixelData
    mask = read_mask(tmp_path / "out" / f"{pydicom.dcmread(tmp_path / 'p' / 'a.dcm').SOPInstanceUID}.dcm", TWO)
    np.testing.assert_array_equal(mask, Predictor(model)(tmp_path / "scans" / "a.dcm").mask)
    assert 0 < mask.mean() < 1

    before, posts, reads = dict(archive.held), archive.count("POST"), archive.count("GET", "/instances/")
    assert tmunet(*words, "-o", tmp_path / "elsewhere").code == 0
    assert (archive.held, archive.count("POST"), archive.count("GET", "/instances/")) == (before, posts, reads)


def test_another_archive_gets_the_segmentations_and_no_token_of_the_first(
    tmunet: Run, archive: FakeArchive, other: FakeArchive, images: list[Dataset], model: Path, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("first", "utf-8")
    (tmp_path / "second").write_text("second", "utf-8")
    words = ("pacs", "--from", archive.url, "--study", STUDY, "--token-file", tmp_path / "token", "-m", model)
    words = (*words, "-o", tmp_path / "out", "--to", other.url)
    assert tmunet(*words).code == 0
    assert {headers.get("Authorization") for _, _, headers in archive.requests} == {"Bearer first"}
    assert {headers.get("Authorization") for _, _, headers in other.requests} == {None}
    assert len(other.held) == 3
    assert archive.count("POST") == 0
    other.requests.clear()
    assert tmunet(*words, "--to-token-file", tmp_path / "second").code == 0
    assert {headers.get("Authorization") for _, _, headers in other.requests} == {"Bearer second"}


def test_a_run_that_could_not_store_goes_on_with_what_it_wrote(
    tmunet: Run, archive: FakeArchive, images: list[Dataset], model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ("pacs", "--from", archive.url, "--study", STUDY, "--to", archive.url, "-m", model, "-o", out)
    archive.fail("POST", "studies", *[(503, {}, b"")] * 5)
    answer = tmunet(*words)
    assert (answer.code, answer.error) == (3, "http")
    written = {path.name: path.read_bytes() for path in out.iterdir()}
    assert len(written) == 3
    (out / ".2.25.1234.tmp").write_bytes(b"of a killed call")
    (out / "images").mkdir()
    for name in written:
        (out / "images" / name).write_bytes(b"an image that it had not removed yet")
    reads = archive.count("GET", "/instances/")
    assert tmunet(*words).code == 0
    assert archive.count("GET", "/instances/") == reads
    assert {f"{uid}.dcm": archive.held[uid] for uid in archive.held if f"{uid}.dcm" in written} == written
    assert {path.name for path in out.iterdir()} == set(written)


def test_images_that_fail_are_listed_and_the_others_stored(
    tmunet: Run, archive: FakeArchive, images: list[Dataset], model: Path, tmp_path: Path
) -> None:
    missing, swapped, damaged = images[0], images[1], make("dermoscopy", StudyInstanceUID=STUDY)
    content = archive.held[swapped.SOPInstanceUID]
    archive.fail("GET", f"instances/{missing.SOPInstanceUID}", (404, {}, b""))
    archive.fail("GET", f"instances/{swapped.SOPInstanceUID}", (200, {"Content-Type": "application/dicom"}, b"x"))
    archive.add(damaged)
    cut = archive.held[damaged.SOPInstanceUID]
    archive.held[damaged.SOPInstanceUID] = cut[:-1000]
    out = tmp_path / "out"
    words = ("pacs", "--from", archive.url, "--study", STUDY, "--to", archive.url, "-m", model, "-o", out)
    answer = tmunet(*words)
    assert answer.code == 3
    for one in (missing, swapped, damaged):
        assert f"image {one.SOPInstanceUID}" in answer.err
    assert sources(archive.segmentations()) == [images[2].SOPInstanceUID]
    assert {path.suffix for path in out.iterdir()} == {".dcm"}
    archive.held[damaged.SOPInstanceUID] = cut
    archive.held[swapped.SOPInstanceUID] = content
    assert tmunet(*words).code == 0
    assert len(archive.segmentations()) == 4


@pytest.mark.slow
def test_limits(tmunet: Run, archive: FakeArchive, images: list[Dataset], model: Path, tmp_path: Path) -> None:
    large = archive.add(make("ultrasound", size=(600, 600), StudyInstanceUID=STUDY))
    words = ("pacs", "--from", archive.url, "--study", STUDY, "--to", archive.url, "-m", model, "-o", tmp_path / "o")
    answer = tmunet(*words, "--max-instances", 4)
    assert (answer.code, answer.error) == (3, "too-large")
    assert archive.count("GET", "/instances/") == 0
    answer = tmunet(*words, "--max-instances", 5, "--max-mb", 1)
    assert answer.code == 3
    assert f"image {large.SOPInstanceUID}" in answer.err
    assert len(archive.segmentations()) == 3


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("--study", "1.2.3"), 3, "no-study"),
        (("--study", "one"), 2, "uid"),
        (("--study", STUDY, "--to-token-file", "x"), 2, "flags"),
        (("--study", STUDY, "--max-mb", "0"), 2, "value"),
        (("--study", STUDY, "--token-file", "none"), 3, "unreadable"),
        (("--study", STUDY, "--window", "wide"), 2, "value"),
        ((), 2, "missing"),
    ],
)
def test_calls_that_do_not_fit(
    tmunet: Run, archive: FakeArchive, model: Path, words: tuple[str, ...], code: int, error: str
) -> None:
    answer = tmunet("pacs", "--from", archive.url, "-m", model, *words)
    assert (answer.code, answer.error) == (code, error)


PLANTED = {
    "PatientName": "Planted^Agatha",
    "PatientID": "PLANTEDID",
    "PatientBirthDate": "19330230",  # is no date, which pydicom warns of
    "AccessionNumber": "PLANTEDACC",
    "ReferringPhysicianName": "Planted^Doctor",
    "StudyID": "PLANTEDSTUDY",
    "StudyDate": "19330231",
    "SeriesDescription": "Planted Agatha, left",
    "InstitutionName": "Planted hospital",
    "OtherPatientIDs": "PLANTEDOTHER",
    "PatientAge": "PLANTED",
}
TRACES = ("planted", "agatha", "19330230", "19330231")


@pytest.mark.filterwarnings("ignore")
def test_no_patient_data_are_shown_logged_or_in_names(
    tmunet: Run, archive: FakeArchive, other: FakeArchive, model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = make("ultrasound", StudyInstanceUID=STUDY, **PLANTED)
    archive.add(good)
    archive.add(make("ultrasound", StudyInstanceUID=STUDY, NumberOfFrames="1", WindowCenter=None, **PLANTED))
    cut = archive.add(make("dermoscopy", StudyInstanceUID=STUDY, **PLANTED))
    archive.held[cut.SOPInstanceUID] = archive.held[cut.SOPInstanceUID][:-1000]
    strange = archive.add(make("xray", StudyInstanceUID=STUDY, PixelSpacing=["1", "1"], **PLANTED))
    content = archive.held[strange.SOPInstanceUID]
    archive.held[strange.SOPInstanceUID] = content.replace(b"DS\x04\x001\\1 ", b"DS\x04\x00PLAN").replace(
        b"Planted^Agatha", b"Planted\xff\xfe\x1bAgat"
    )
    other.fail("POST", "studies", (409, {}, b'{"PatientName": "PLANTED"}'))
    words = ("pacs", "--from", archive.url, "--study", STUDY, "-m", model, "-o", tmp_path / "out")
    shown = []
    caplog.clear()  # of making the images
    with caplog.at_level(logging.DEBUG):
        for more in ((), ("--to", other.url), ("--to", other.url)):
            answer = tmunet(*words, *more)
            shown += [answer.out, answer.err]
        assert answer.code == 3
    names = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")]
    logged = [one.getMessage() for one in caplog.records if one.threadName == "MainThread"]  # not of the archive
    everything = "\n".join([*shown, *names, *logged]).lower()
    assert [trace for trace in TRACES if trace in everything] == []
    assert len(other.held) >= 2
    kept = pydicom.dcmread(io.BytesIO(next(iter(other.held.values()))))
    assert (kept.PatientName, kept.PatientID, kept.AccessionNumber) == ("Planted^Agatha", "PLANTEDID", "PLANTEDACC")
    assert not {"InstitutionName", "OtherPatientIDs", "PatientAge"} & {element.keyword for element in kept}


@pytest.mark.slow
def test_the_segmentations_lie_in_a_folder_of_the_user_alone(
    tmunet: Run, archive: FakeArchive, images: list[Dataset], model: Path, tmp_path: Path
) -> None:
    words = ("pacs", "--from", archive.url, "--study", STUDY, "--to", archive.url, "-m", model, "-o", tmp_path / "out")
    assert tmunet(*words).code == 0
    assert (tmp_path / "out").stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_labelmaps_are_other_instances(
    tmunet: Run, archive: FakeArchive, images: list[Dataset], model: Path, tmp_path: Path
) -> None:
    words = ("pacs", "--from", archive.url, "--study", STUDY, "--to", archive.url, "-m", model, "-o", tmp_path / "out")
    assert tmunet(*words).code == tmunet(*words, "--format", "dicom-labelmap").code == 0
    found = archive.segmentations()
    assert sorted(one.SegmentationType for one in found) == ["BINARY"] * 3 + ["LABELMAP"] * 3
    assert len({one.SeriesInstanceUID for one in found}) == 4
    by_source: dict[str, list[np.ndarray]] = {}
    for one in found:
        if int(one.NumberOfFrames) == 1:
            one.filename = ""
            decoded = decode_segmentation(Path("a.dcm"), one)
            by_source.setdefault(sources([one])[0], []).append(np.asarray(decoded.pixels).squeeze())
    assert [len(masks) for masks in by_source.values()] == [2, 2]
    for binary, labelmap in by_source.values():
        np.testing.assert_array_equal(binary, labelmap)


def test_the_extra_is_named(tmunet: Run, archive: FakeArchive, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "requests", None)
    answer = tmunet("pacs", "--from", archive.url, "--study", STUDY, "-m", model)
    assert (answer.code, answer.error) == (4, "missing-extra")
    assert "tmunet[pacs]" in answer.err


def test_settings_shared_with_predict_have_its_defaults() -> None:
    own = {one.name: one.default for one in fields(PacsConfig)}
    shared = {one.name: one.default for one in fields(PredictConfig) if one.name in own}
    chosen = {"out", "format", "backend", "model"}
    assert {name: own[name] for name in shared if name not in chosen} == {
        name: value for name, value in shared.items() if name not in chosen
    }
