"""ISIC 2016, 2017 and 2018: the official sides are the folders."""

import shutil

import numpy as np
import pytest

from tmunet.datasets import isic2016, isic2017, isic2018
from tmunet.datasets.importers import get_importer

from .miniatures import SMALL, box, faults_of, make_isic, photograph, save, source_of


def test_isic_sides_are_the_folders(tmp_path):
    make_isic(tmp_path)
    plan = isic2018.plan(source_of(tmp_path))
    assert plan.official == {
        "train": ["ISIC_0000000", "ISIC_0000001"],
        "val": ["ISIC_0000012"],
        "test": ["ISIC_0000050"],
    }
    assert [case.name for case in plan.cases] == [name for side in plan.official.values() for name in side]
    assert np.array_equal(plan.cases[1].read_mask(SMALL), box(2, 1, 1))
    (remark,) = plan.remarks
    assert remark.startswith("Not used: ")
    assert "12 files" not in remark


def test_isic_training_alone_has_no_official_split(tmp_path):
    make_isic(tmp_path, ["Training"])
    plan = isic2018.plan(source_of(tmp_path))
    assert len(plan.cases) == 2
    assert plan.official == {}
    assert plan.remarks[:2] == ("The validation images are not here.", "The test images are not here.")


def test_isic_faults_are_told_at_once(tmp_path):
    make_isic(tmp_path)
    shutil.rmtree(tmp_path / "ISIC2018_Task1_Test_GroundTruth")
    shutil.rmtree(tmp_path / "ISIC2018_Task1-2_Validation_Input")
    (tmp_path / "ISIC2018_Task1_Training_GroundTruth/ISIC_0000001_segmentation.png").unlink()
    save(tmp_path / "ISIC2018_Task1-2_Test_Input" / "ISIC_0000000.jpg", photograph(0))
    assert faults_of(isic2018.plan, tmp_path) == {
        ("missing-mask", "ISIC2018_Task1-2_Training_Input/ISIC_0000001.jpg"),
        ("missing-folder", "ISIC2018_Task1_Validation_GroundTruth"),
        ("missing-folder", "ISIC2018_Task1-2_Test_Input"),
        ("duplicate-file", "ISIC2018_Task1-2_Test_Input/ISIC_0000000.jpg"),
    }


def test_isic_masks_of_another_folder_are_no_counterpart(tmp_path):
    make_isic(tmp_path)
    truths = tmp_path / "ISIC2018_Task1_Training_GroundTruth", tmp_path / "ISIC2018_Task1_Test_GroundTruth"
    (truths[0] / "ISIC_0000001_segmentation.png").rename(truths[1] / "ISIC_0000001_segmentation.png")
    assert faults_of(isic2018.plan, tmp_path) == {
        ("missing-mask", "ISIC2018_Task1-2_Training_Input/ISIC_0000001.jpg"),
        ("missing-image", "ISIC2018_Task1_Test_GroundTruth/ISIC_0000001_segmentation.png"),
    }


def test_another_layout_is_refused(tmp_path):
    save(tmp_path / "scans" / "1.png", photograph(0))
    assert faults_of(isic2018.plan, tmp_path) == {("layout", "")}


@pytest.mark.parametrize(
    ("year", "images", "masks", "ending"),
    [
        (isic2016, "ISBI2016_ISIC_Part1_{}_Data", "ISBI2016_ISIC_Part1_{}_GroundTruth", "Segmentation"),
        (isic2017, "ISIC-2017_{}_Data", "ISIC-2017_{}_Part1_GroundTruth", "segmentation"),
    ],
)
def test_the_earlier_challenges(tmp_path, year, images, masks, ending):
    sides = {"train": "Training", "val": "Validation", "test": "Test_v2"}
    if year is isic2016:
        sides = {"train": "Training", "test": "Test"}
    for number, side in enumerate(sides.values()):
        for name in (f"ISIC_{number:07d}", f"ISIC_{number + 5:07d}"):
            save(tmp_path / images.format(side) / f"{name}.jpg", photograph(number))
            save(tmp_path / images.format(side) / f"{name}_superpixels.png", photograph(number))
            save(tmp_path / masks.format(side) / f"{name}_{ending}.png", box(2, number))
    assert get_importer(year.FACTS.name) is year.plan
    plan = year.plan(source_of(tmp_path))
    assert plan.official == {
        side: [f"ISIC_{number:07d}", f"ISIC_{number + 5:07d}"] for number, side in enumerate(sides)
    }
    assert np.array_equal(plan.cases[-1].read_mask(SMALL), box(2, len(sides) - 1, 1))
    first = tmp_path / masks.format("Training") / f"ISIC_0000000_{ending}.png"
    first.unlink()
    assert faults_of(year.plan, tmp_path) == {("missing-mask", f"{images.format('Training')}/ISIC_0000000.jpg")}
