"""The table of objects, against shapes whose measures are known."""

import csv
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from tmunet.cli.main import main
from tmunet.files import write_json
from tmunet.model import save_model
from tmunet.prediction.mask_files import write_mask
from tmunet.prediction.object_table import IN_MM, IN_PIXELS, measure_objects, write_object_table

from ..small_models import THREE, TWO, random_model


def test_a_rectangle_and_a_pixel() -> None:
    mask, image = np.zeros((20, 30), np.uint8), np.full((20, 30, 1), 10, np.uint8)
    mask[2:5, 10:21] = 1  # 3 x 11 pixels
    mask[10, 0] = 1
    image[2:5, 10:21] = 40
    image[3, 15] = 73
    first, second = measure_objects(mask, image, TWO)
    # variance of n equally spaced points: (n^2 - 1) / 12
    assert first == pytest.approx(
        {
            "class": "foreground",
            "object": 1,
            "area_px": 33,
            "centroid_row_px": 3.0,
            "centroid_column_px": 15.0,
            "major_axis_px": 4 * math.sqrt(120 / 12),
            "minor_axis_px": 4 * math.sqrt(8 / 12),
            "mean_intensity": 41.0,
        }
    )
    assert (second["object"], second["area_px"], second["centroid_row_px"], second["major_axis_px"]) == (
        2,
        1,
        10.0,
        0.0,
    )


def test_the_axes_of_a_turned_ellipse_are_its_own_and_scale_with_the_spacing() -> None:
    y, x = np.mgrid[:200, :200] - 100.0
    angle = 0.6
    u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    mask = ((u / 60) ** 2 + (v / 25) ** 2 <= 1).astype(np.uint8)
    (row,) = measure_objects(mask, np.zeros((200, 200, 3), np.uint8), TWO, spacing=(0.5, 0.5))
    assert (row["major_axis_px"], row["minor_axis_px"]) == pytest.approx((120, 50), rel=0.01)
    assert (row["major_axis_mm"], row["minor_axis_mm"]) == pytest.approx((60, 25), rel=0.01)
    assert row["area_mm2"] == row["area_px"] * 0.25
    (row,) = measure_objects(mask[:, :], np.zeros((200, 200, 3), np.uint8), TWO, spacing=(2.0, 0.5))
    stretched = np.repeat(np.repeat(mask, 4, axis=0), 1, axis=1)  # rows of 2 mm as four of 0.5 mm
    (fine,) = measure_objects(stretched, np.zeros((800, 200, 3), np.uint8), TWO, spacing=(0.5, 0.5))
    assert row["major_axis_mm"] == pytest.approx(fine["major_axis_mm"], rel=0.01)


def test_objects_of_each_class_are_numbered_and_many_channels_have_their_mean() -> None:
    mask = np.array([[1, 0, 2], [0, 1, 0], [0, 0, 2]], np.uint8)
    image = np.zeros((3, 3, 5), np.uint16)
    image[..., 0] = 50_000
    rows = measure_objects(mask, image, THREE)
    assert [(row["class"], row["object"], row["area_px"]) for row in rows] == [("a", 1, 2), ("b", 1, 1), ("b", 2, 1)]
    assert {row["mean_intensity"] for row in rows} == {10_000.0}
    assert measure_objects(np.zeros((3, 3), np.uint8), image, THREE) == []


@pytest.mark.parametrize("all_know", [True, False])
def test_units_are_mm_only_if_every_image_says_so(tmp_path: Path, all_know: bool) -> None:
    masks = {}
    for name, meta in (("a", {"unit": "mm"}), ("b", {"unit": "mm"} if all_know else {})):
        image = tmp_path / f"{name}.tif"
        tifffile.imwrite(image, np.zeros((6, 8), np.uint8), imagej=True, resolution=(2, 4), metadata=meta)
        mask = np.zeros((6, 8), np.uint8)
        mask[1:3, 2:6] = 1
        write_mask(tmp_path / f"{name}.png", mask, TWO)
        masks[tmp_path / f"{name}.png"] = image
    unit = write_object_table(tmp_path / "objects.csv", masks, TWO)
    with (tmp_path / "objects.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert (unit, len(rows)) == ("mm" if all_know else "pixels", 2)
    assert list(rows[0]) == [*IN_PIXELS, *(IN_MM if all_know else ())]
    if all_know:
        assert float(rows[1]["area_mm2"]) == pytest.approx(8 * 0.5 * 0.25)  # 2 pixels a mm across, 4 down


def test_the_spacing_of_dataset_json_counts_and_may_not_contradict_a_file(
    make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    data, model = make_dataset(train=2, val=0, test=0), tmp_path / "model"
    random = random_model()
    save_model(model, random.network, random.config)
    tifffile.imwrite(
        data / "images" / "case1.tif",
        np.zeros((48, 48), np.uint8),
        imagej=True,
        resolution=(2, 4),
        metadata={"unit": "mm"},
    )
    (data / "images" / "case1.png").unlink()
    words = [
        "predict",
        str(data / "images"),
        "-m",
        str(model),
        "-o",
        str(tmp_path / "out"),
        "--table",
        str(tmp_path / "o.csv"),
    ]
    for spacing, code, unit in (({"case0": [0.5, 0.25]}, 0, IN_MM), ({}, 0, ()), ({"case1": [0.5, 0.5]}, 3, None)):
        write_json(data / "dataset.json", {"spacing_mm": spacing})
        assert main(words) == code
        if unit is None:
            assert not (tmp_path / "o.csv").exists()
            continue
        with (tmp_path / "o.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == [*IN_PIXELS, *unit]
        if unit:
            assert float(rows[0]["area_mm2"]) == pytest.approx(int(rows[0]["area_px"]) * 0.125)
        shutil.rmtree(tmp_path / "out")
        (tmp_path / "o.csv").unlink()


def test_the_command_writes_the_table_of_what_it_predicted_and_the_probabilities(
    make_dataset: Callable[..., Path], tmp_path: Path
) -> None:

    data, out, folder = make_dataset(train=2, val=0, test=0), tmp_path / "out", tmp_path / "model"
    random = random_model()
    save_model(folder, random.network, random.config)
    (data / "images" / "case9.png").write_bytes(b"")
    table = tmp_path / "objects.csv"
    words = [
        "predict",
        str(data / "images"),
        "-m",
        str(folder),
        "-o",
        str(out),
        "--table",
        str(table),
        "--probabilities",
    ]
    assert main([*words, "--keep", "largest"]) == 3  # one image cannot be read
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [Path(row["image"]).name for row in rows] == ["case0.png", "case1.png"]
    mask = np.asarray(Image.open(out / "case0.png")) > 0
    assert int(rows[0]["area_px"]) == mask.sum()
    with np.load(out / "probabilities" / "case1.npz") as archive:
        probability = archive["probabilities"]
        assert archive["classes"].tolist() == list(TWO)
    assert (probability.shape, probability.dtype) == ((2, 48, 48), np.float32)
    assert np.allclose(probability.sum(0), 1)
    assert main([*words[:-3], "--table", "objects.txt"]) == 2
