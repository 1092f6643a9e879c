from pathlib import PurePosixPath

import numpy as np

from tmunet.datasets import udiat

from .miniatures import POLYP, SIZE, faults_of, polyp, source_of, write_image
from .miniatures import udiat as original_udiat

BLACK = np.zeros(SIZE, np.uint8)
LESION = polyp() * np.uint8(255)


def test_udiat_pairs_by_name(tmp_path):
    plan = udiat.plan(source_of(original_udiat(tmp_path / "BUS", ["000001", "000013"])))
    assert [case.name for case in plan.cases] == ["000001", "000013"]
    assert plan.cases[1].image == PurePosixPath("original/000013.png")
    assert plan.cases[1].masks == (PurePosixPath("GT/000013.png"),)
    assert np.array_equal(plan.cases[1].read_mask(SIZE), polyp())
    assert plan.remarks == ("2 cases are here; the full set has 163.",)


def test_the_full_udiat_leaves_only_its_lists_unused(tmp_path):
    original_udiat(tmp_path, [f"{number:06d}" for number in range(1, 164)])
    (tmp_path / "Benign.xlsx").touch()
    assert udiat.plan(source_of(tmp_path)).remarks == ("Not used: Benign.xlsx.",)


def test_every_fault_of_udiat_is_in_one_error(tmp_path):
    original_udiat(tmp_path, ["000001", "000002"])
    (tmp_path / "GT" / "000001.png").unlink()
    (tmp_path / "original" / "000002.png").unlink()
    write_image(tmp_path / "GT" / "000002_mask.png", BLACK)
    assert faults_of(udiat.plan, tmp_path) == {
        ("missing-mask", "original/000001.png"),
        ("missing-image", "GT/000002.png"),
        ("file-name", "GT/000002_mask.png"),
    }


def test_the_miniatures_have_a_lesion():
    assert polyp().sum() == polyp()[POLYP].size > 0


def test_another_folder_is_refused(tmp_path):
    assert faults_of(udiat.plan, tmp_path) == {("layout", "")}
