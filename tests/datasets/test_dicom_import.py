"""Import of DICOM images: pixels as PNG, spacing and patients in dataset.json."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tmunet.cli.main import main
from tmunet.data.dataset import open_dataset
from tmunet.data.io.images import read_image
from tmunet.data.io.masks import read_mask
from tmunet.formats.dicom_seg import SegmentationModel, write_segmentation

from ..formats.dicom_sources import make, save

CLASSES = ("background", "foreground")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two images of one patient and one of another; a mask is PNG, the others are segmentations."""
    folder = tmp_path / "source"
    images = {"a": make("xray", PixelSpacing=[0.2, 0.1]), "b": make("xray"), "c": make("endoscopy", seed=1)}
    for name, image in images.items():
        save(folder / f"{name}.dcm", image)
        mask = np.zeros((1, 32, 44), np.uint8)
        mask[0, 3:7, 5 : 9 + ord(name) - ord("a")] = 1
        if name == "a":
            (folder / "masks").mkdir()
        write_segmentation(folder / "masks" / f"{name}.dcm", image, mask, CLASSES, SegmentationModel("n", "0" * 64))
    return folder


def test_dicom_is_imported_with_spacing_and_patients(source: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    words = ["import", "folders", str(source), str(data), "--images", "*.dcm", "--masks", "masks/{name}.dcm"]
    assert main(words) == 0
    assert {path.name for path in (data / "images").iterdir()} == {"a.png", "b.png", "c.png"}
    for name in "abc":
        np.testing.assert_array_equal(read_image(data / "images" / f"{name}.png"), read_image(source / f"{name}.dcm"))
        assert read_mask(data / "masks" / f"{name}.png", CLASSES).sum() == 4 * (4 + ord(name) - ord("a"))
    content = json.loads((data / "dataset.json").read_text("utf-8"))
    assert content["spacing_mm"] == {"a": [0.2, 0.1]}
    groups = {name: case["group"] for name, case in content["cases"].items()}
    assert groups["a"] == groups["b"] != groups["c"]
    cases = open_dataset(data, unsplit="test").cases
    assert [case.spacing for case in cases] == [(0.2, 0.1), None, None]
    text = b"".join(path.read_bytes() for path in data.rglob("*") if path.is_file())
    assert b"PLANTED" not in text


def test_check_reads_dicom_in_a_data_set(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    for name in "abc":
        (data / "images").mkdir(parents=True, exist_ok=True)
        (source / f"{name}.dcm").rename(data / "images" / f"{name}.dcm")
    (source / "masks").rename(data / "masks")
    Image.fromarray(read_mask(data / "masks" / "a.dcm", CLASSES) * 255).save(data / "masks" / "a.png")
    (data / "masks" / "a.dcm").unlink()
    (data / "split.json").write_text(json.dumps({"train": ["a"], "val": ["c"], "test": ["b"]}), "utf-8")
    assert main(["check", str(data), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    kinds = {finding["kind"] for finding in report["findings"]}
    assert "unreadable" not in kinds
    assert "leak" in kinds  # a and b are of one patient, on two sides of the split
