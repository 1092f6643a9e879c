"""Spacing from file or dataset.json to tables, JSON and report: mm where every image states it, pixels else."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from tmunet.cli.main import main
from tmunet.cli.score_table import score_table
from tmunet.data.dataset import open_dataset
from tmunet.errors import DataError
from tmunet.evaluate_predictions import evaluate_predictions, open_masks
from tmunet.evaluation import Evaluation, evaluate
from tmunet.files import write_json
from tmunet.metrics import PROTOCOLS
from tmunet.prediction.predictor import Predictor
from tmunet.report.build import assemble
from tmunet.report.evaluation_page import render

from .small_models import bright_model

ROW, COLUMN = 0.5, 0.25  # mm


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two bright rectangles of 20 x 30 pixels; the masks that are to be scored lie 4 columns to the right, or miss one."""
    folder = tmp_path / "set"
    for part in (folder / "images", folder / "masks", tmp_path / "predicted"):
        part.mkdir(parents=True)
    for name, shift in (("a", 4), ("b", None)):
        mask = np.zeros((60, 80), np.uint8)
        mask[20:40, 20:50] = 1
        tifffile.imwrite(
            folder / "images" / f"{name}.tif", np.repeat(mask[..., None] * 255, 3, 2), photometric="rgb",
            resolution=(10 / COLUMN, 10 / ROW), resolutionunit="CENTIMETER",
        )  # fmt: skip
        Image.fromarray(mask).save(folder / "masks" / f"{name}.png")
        found = np.zeros_like(mask) if shift is None else np.roll(mask, shift, axis=1)
        Image.fromarray(found).save(tmp_path / "predicted" / f"{name}.png")
    return folder


def score(data: Path, protocol: str = "strict") -> Evaluation:
    dataset = open_dataset(data, unsplit="test")
    masks = open_masks(data.parent / "predicted", dataset, "test")
    return evaluate_predictions(masks, dataset, "test", PROTOCOLS[protocol])


def test_distances_and_areas_are_in_mm_where_every_image_says_it(data: Path, tmp_path: Path) -> None:
    found = score(data)
    diagonal = np.hypot(60 * ROW, 80 * COLUMN)
    assert [row["hd"] for row in found.rows] == [pytest.approx(4 * COLUMN), pytest.approx(diagonal)]
    assert [row["unit"] for row in found.rows] == ["mm", "mm"]
    summary = found.summaries["foreground"]
    assert summary["unit"] == found.unit == "mm"
    assert summary["objects_missed_largest_px"] == 600
    assert summary["objects_missed_largest_mm2"] == pytest.approx(600 * ROW * COLUMN)
    assert "HD95 (mm)" in score_table(found)
    assert "75 mm²" in score_table(found)
    dataset = open_dataset(data, unsplit="test")
    page = render(assemble(found, open_masks(tmp_path / "predicted", dataset, "test"), dataset))
    assert "HD95 (mm)" in page
    assert "HD95 (pixels)" not in page
    found.write(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))["unit"] == "mm"
    with (tmp_path / "out" / "per_image.csv").open(newline="") as file:
        assert {row["unit"] for row in csv.DictReader(file)} == {"mm"}


def test_one_image_without_a_spacing_measures_all_in_pixels(data: Path) -> None:
    tifffile.imwrite(data / "images" / "b.tif", np.zeros((60, 80, 3), np.uint8), photometric="rgb")
    found = score(data)
    assert [row["hd"] for row in found.rows] == [4.0, 100.0]
    summary = found.summaries["foreground"]
    assert (found.unit, summary["unit"], summary["objects_missed_largest_mm2"]) == ("pixels", "pixels", None)
    write_json(data / "dataset.json", {"spacing_mm": {"b": [ROW, COLUMN]}})
    assert score(data).unit == "mm"  # one of its file, one of dataset.json


def test_the_paper_protocol_stays_in_pixels_of_512(data: Path) -> None:
    found = score(data, "paper")
    assert found.unit == "pixels"
    assert found.rows[0]["hd"] == pytest.approx(4 * 512 / 80, abs=2)


def test_dataset_json_and_a_file_that_contradict_each_other_are_a_fault(data: Path) -> None:
    write_json(data / "dataset.json", {"spacing_mm": {"a": [COLUMN, ROW]}})
    with pytest.raises(DataError) as caught:
        score(data)
    assert [Path(fault.split(":")[0]).name for fault in caught.value.faults] == ["a.tif"]


@pytest.mark.parametrize(
    "wrong", [[0.5, 0.5], {"a": 0.5}, {"a": [0.5]}, {"a": [0.5, -1]}, {"a": [0.5, True]}, {"A": [0.5, 0.5]}]
)
def test_a_spacing_that_does_not_fit_is_a_fault_of_dataset_json(data: Path, wrong: object) -> None:
    write_json(data / "dataset.json", {"spacing_mm": wrong})
    with pytest.raises(DataError) as caught:
        open_dataset(data)
    assert "spacing_mm" in caught.value.faults[0]


def test_a_model_whose_input_has_another_size_measures_at_the_size_of_the_image(data: Path) -> None:
    dataset = open_dataset(data, unsplit="test")
    found = evaluate(Predictor(bright_model(size=64), device="cpu"), dataset, "test", PROTOCOLS["strict"])
    assert found.unit == "mm"
    assert max(row["hd"] for row in found.rows) <= 2 * ROW  # resizing moves the outline by a pixel or two
    write_json(data / "dataset.json", {})
    assert (
        main(
            [
                "evaluate",
                "--predictions",
                str(data.parent / "predicted"),
                "--data",
                str(data),
                "-o",
                str(data.parent / "x"),
            ]
        )
        == 0
    )
