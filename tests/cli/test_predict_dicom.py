"""`tmunet predict` on DICOM files."""

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tmunet import Predictor
from tmunet.data.io.masks import read_mask

from ..formats.dicom_sources import make, read, save
from ..small_models import TWO
from ..test_architecture import MODULES, imports
from .conftest import Answer

Run = Callable[..., Answer]


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    return save(tmp_path / "scan.dcm", make("ultrasound"))


def test_a_scan_gives_a_segmentation(tmunet: Run, model: Path, scan: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("predict", scan, "-m", model, "-o", out, "--format", "dicom-seg", "--overlays")
    answer = tmunet(*words)
    assert answer.code == 0
    assert "0 = background, 1 = foreground" in answer.out
    np.testing.assert_array_equal(read_mask(out / "scan.dcm", TWO), Predictor(model)(scan).mask)
    assert (out / "overlays" / "scan.png").exists()
    assert "1 of 1 masks (1 from before)" in tmunet(*words).out


def test_an_archive_of_a_study_gives_segmentations(tmunet: Run, model: Path, scan: Path, tmp_path: Path) -> None:
    save(tmp_path / "loop.dcm", make("endoscopy-loop"))
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        archive.write(scan, "study/IM0001")
        archive.write(tmp_path / "loop.dcm", "study/IM0002")
    answer = tmunet(
        "predict", tmp_path / "study.zip", "-m", model, "-o", tmp_path / "out", "--format", "dicom-labelmap"
    )
    assert answer.code == 0
    assert {path.name for path in (tmp_path / "out").glob("*.dcm")} == {"IM0001.dcm", "IM0002.dcm"}
    assert read(tmp_path / "out" / "IM0002.dcm").NumberOfFrames == 3


def test_a_table_of_a_dicom_image_is_in_mm(tmunet: Run, model: Path, tmp_path: Path) -> None:
    scan = save(tmp_path / "scan.dcm", make("xray", PixelSpacing=[0.2, 0.1]))
    table = tmp_path / "objects.csv"
    assert tmunet("predict", scan, "-m", model, "-o", tmp_path / "out", "--table", table).code == 0
    assert "area_mm2" in table.read_text("utf-8").splitlines()[0]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--format", "dicom-seg", "--table", "a.csv"), "flags"),
        (("--window", "wide"), "value"),
        (("--format", "seg"), "usage"),
    ],
)
def test_flags_that_do_not_fit(
    tmunet: Run, model: Path, scan: Path, tmp_path: Path, words: tuple[str, ...], code: str
) -> None:
    answer = tmunet("predict", scan, "-m", model, "-o", tmp_path / "out", *words)
    assert answer.code == 2
    assert code == "usage" or answer.error == code
    assert not (tmp_path / "out").exists()


def test_a_table_of_a_loop_is_refused(tmunet: Run, model: Path, tmp_path: Path) -> None:
    loop = save(tmp_path / "loop.dcm", make("ultrasound-loop"))
    answer = tmunet("predict", loop, "-m", model, "-o", tmp_path / "out", "--table", tmp_path / "a.csv")
    assert (answer.code, answer.error) == (2, "flags")


def test_without_pydicom_the_extra_is_named(
    tmunet: Run, model: Path, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    answer = tmunet("predict", scan, "-m", model, "-o", tmp_path / "out")
    assert (answer.code, answer.error) == (4, "missing-extra")
    assert "tmunet[dicom]" in answer.err


def test_nothing_imports_pydicom_before_a_dicom_file_is_met() -> None:
    found = {
        module
        for module, path in MODULES.items()
        for name in imports(path, lazy=False)
        if name.split(".")[0] in ("pydicom", "imagecodecs", "highdicom")
    }
    assert found == set()
