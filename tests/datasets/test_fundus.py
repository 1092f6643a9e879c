"""DRIVE, CHASE_DB1, STARE and REFUGE: layouts of the original distributions."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from tmunet.datasets import refuge, retina
from tmunet.datasets._build.import_plan import ImportPlan
from tmunet.datasets.import_folder import import_folder

from .miniatures import SMALL, box, faults_of, photograph, save, source_of


def make(folder: Path, files: Mapping[str, bool]) -> Path:
    for number, (name, is_mask) in enumerate(files.items()):
        save(folder / name, box(1, 1) if is_mask else photograph(number))
    return folder


def drive(test: bool) -> dict[str, bool]:
    files: dict[str, bool] = {}
    for part, number in (("training", "21"), ("training", "22"), ("test", "01")):
        files |= {
            f"DRIVE/{part}/images/{number}_{part}.tif": False,
            f"DRIVE/{part}/mask/{number}_{part}_mask.gif": True,
        }
        if part == "training" or test:
            files[f"DRIVE/{part}/1st_manual/{number}_manual1.gif"] = True
    return files | ({"DRIVE/test/2nd_manual/01_manual2.gif": True} if test else {})


def names(plan: ImportPlan) -> list[str]:
    return [case.name for case in plan.cases]


def test_drive(tmp_path: Path) -> None:
    plan = retina.plan_drive(source_of(make(tmp_path / "whole", drive(True))))
    assert names(plan) == ["01", "21", "22"]
    assert plan.official == {"train": ["21", "22"], "test": ["01"]}
    assert not plan.remarks
    assert all(np.array_equal(case.read_mask(SMALL), box(1, 1, 1)) for case in plan.cases)
    part = retina.plan_drive(source_of(make(tmp_path / "challenge", drive(False))))
    assert (names(part), part.official) == (["21", "22"], {})
    (tmp_path / "challenge/DRIVE/training/1st_manual/22_manual1.gif").unlink()
    assert faults_of(retina.plan_drive, tmp_path / "challenge") == {
        ("missing-mask", "DRIVE/training/images/22_training.tif")
    }


def test_chase(tmp_path: Path) -> None:
    files = {}
    for eye in ("01L", "01R", "02L"):
        files |= {f"Image_{eye}.jpg": False, f"Image_{eye}_1stHO.png": True, f"Image_{eye}_2ndHO.png": True}
    plan = retina.plan_chase(source_of(make(tmp_path, files)))
    assert [(case.name, case.group) for case in plan.cases] == [
        ("Image_01L", "child 01"),
        ("Image_01R", "child 01"),
        ("Image_02L", "child 02"),
    ]
    assert str(plan.cases[0].masks[0]) == "Image_01L_1stHO.png"


def test_stare(tmp_path: Path) -> None:
    files = {"stare-images/im0001.ppm": False, "stare-images/im0002.ppm": False, "stare-images/im0003.ppm": False}
    files |= {f"labels-{who}/im000{n}.{who}.ppm": True for who in ("ah", "vk") for n in (1, 2)}
    plan = retina.plan_stare(source_of(make(tmp_path, files)))
    assert [(case.name, str(case.masks[0])) for case in plan.cases] == [
        ("im0001", "labels-ah/im0001.ah.ppm"),
        ("im0002", "labels-ah/im0002.ah.ppm"),
    ]


def test_refuge(tmp_path: Path) -> None:
    mask = np.full(SMALL, 255, np.uint8)
    mask[1:5, 1:6], mask[2:4, 2:4] = 128, 0
    for image, drawn in {
        "Training400/Glaucoma/g0001.jpg": "Annotation-Training400/Disc_Cup_Masks/Glaucoma/g0001.bmp",
        "Training400/Non-Glaucoma/n0001.jpg": "Annotation-Training400/Disc_Cup_Masks/Non-Glaucoma/n0001.bmp",
        "REFUGE-Validation400/V0001.jpg": "REFUGE-Validation400-GT/Disc_Cup_Masks/V0001.bmp",
        "Test400/T0001.jpg": "REFUGE-Test-GT/Disc_Cup_Masks/T0001.bmp",
    }.items():
        save(tmp_path / image, photograph(1))
        save(tmp_path / drawn, mask)
    plan = refuge.plan(source_of(tmp_path))
    assert plan.official == {"train": ["g0001", "n0001"], "val": ["V0001"], "test": ["T0001"]}
    wanted = np.zeros(SMALL, np.uint8)
    wanted[1:5, 1:6], wanted[2:4, 2:4] = 1, 2
    assert all(np.array_equal(case.read_mask(SMALL), wanted) for case in plan.cases)


@pytest.mark.parametrize("test", [True])
def test_they_are_known_by_their_layout(tmp_path: Path, test: bool) -> None:
    assert import_folder(make(tmp_path / "in", drive(test)), tmp_path / "to").info.name == "DRIVE"
