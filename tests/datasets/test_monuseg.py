from pathlib import PurePosixPath

import numpy as np
import pytest

from tmunet.datasets import monuseg
from tmunet.datasets._build.faults import DatasetImportError

from .miniatures import SQUARE, aperio, source_of
from .miniatures import monuseg as original

TRAIN = ["TCGA-18-5592-01Z-00-DX1", "TCGA-RD-A8N9-01A-01-TS1"]
TEST = ["TCGA-2Z-A9J9-01A-01-TS1"]


def test_tiles_are_paired_wherever_they_lie_and_know_their_patient_and_side(tmp_path):
    plan = monuseg.plan(source_of(original(tmp_path, TRAIN, TEST)))
    assert [case.name for case in plan.cases] == ["TCGA-2Z-A9J9-01A-01-TS1", *TRAIN]
    assert [case.group for case in plan.cases] == [
        "patient TCGA-2Z-A9J9",
        "patient TCGA-18-5592",
        "patient TCGA-RD-A8N9",
    ]
    assert plan.cases[1].image == PurePosixPath("MoNuSeg 2018 Training Data/Tissue Images") / f"{TRAIN[0]}.tif"
    assert plan.cases[1].masks == (PurePosixPath("MoNuSeg 2018 Training Data/Annotations") / f"{TRAIN[0]}.xml",)
    assert plan.official == {"train": TRAIN, "test": TEST}
    assert plan.remarks[0].startswith("3 of the 44 tiles of the official split are here; missing: TCGA-21-5784")


def test_the_official_split_has_30_and_14_tiles_of_different_patients(tmp_path):
    sides = monuseg._official_subsets()
    names = {side: [name for name in sides if sides[name] == side] for side in ("train", "test")}
    assert (len(names["train"]), len(names["test"])) == (30, 14)
    assert not {monuseg._patient(name) for name in names["train"]} & {monuseg._patient(name) for name in names["test"]}
    plan = monuseg.plan(source_of(original(tmp_path, names["train"], names["test"])))
    assert len(plan.cases) == 44
    assert plan.remarks == ()
    assert {side: len(tiles) for side, tiles in plan.official.items()} == {"train": 30, "test": 14}


def test_tiles_of_a_larger_edition_are_imported_but_left_out_of_the_split(tmp_path):
    plan = monuseg.plan(source_of(original(tmp_path, [*TRAIN, "TCGA-XX-0001-01Z-00-DX1"], TEST)))
    assert len(plan.cases) == 4
    assert plan.official == {"train": TRAIN, "test": TEST}
    assert plan.remarks[0] == "Tiles of no subset of the official split, left out of it: TCGA-XX-0001-01Z-00-DX1."


def test_training_data_alone_have_no_official_split(tmp_path):
    (tmp_path / "he_to_binary_mask_final.m").touch()
    plan = monuseg.plan(source_of(original(tmp_path, TRAIN, [])))
    assert plan.official == {}
    assert plan.remarks[-1] == "Not used: he_to_binary_mask_final.m."


def test_every_fault_is_in_one_error(tmp_path):
    original(tmp_path, TRAIN, TEST)
    (tmp_path / "MoNuSegTestData" / f"{TEST[0]}.tif").unlink()
    (tmp_path / "MoNuSeg 2018 Training Data" / "Annotations" / f"{TRAIN[0]}.xml").unlink()
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / f"{TRAIN[1]}.tif").touch()
    (tmp_path / "mask.tif").touch()
    with pytest.raises(DatasetImportError) as caught:
        monuseg.plan(source_of(tmp_path))
    home = "MoNuSeg 2018 Training Data/Tissue Images"
    assert {(fault.kind, fault.path) for fault in caught.value.faults} == {
        ("missing-image", f"MoNuSegTestData/{TEST[0]}.xml"),
        ("missing-mask", f"{home}/{TRAIN[0]}.tif"),
        ("duplicate-file", f"{home}/{TRAIN[1]}.tif"),  # beside copy/
        ("file-name", "mask.tif"),
    }


def test_nothing_of_the_set_is_one_fault(tmp_path):
    with pytest.raises(DatasetImportError) as caught:
        monuseg.plan(source_of(tmp_path))
    assert [fault.kind for fault in caught.value.faults] == ["layout"]


def test_the_mask_is_made_from_the_annotation_of_the_tile(tmp_path):
    original(tmp_path, TRAIN[:1], [])
    path = tmp_path / "MoNuSeg 2018 Training Data" / "Annotations" / f"{TRAIN[0]}.xml"
    path.write_text(aperio([SQUARE]), "utf-8")
    (case,) = monuseg.plan(source_of(tmp_path)).cases
    assert np.argwhere(case.read_mask((20, 20))).tolist() == [[y, x] for y in range(3, 9) for x in range(2, 7)]
