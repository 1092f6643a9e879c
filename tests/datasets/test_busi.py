from pathlib import PurePosixPath

import numpy as np

from tmunet.datasets import busi

from .miniatures import SIZE, faults_of, polyp, source_of
from .miniatures import busi as original_busi

BLACK = np.zeros(SIZE, np.uint8)
LESION = polyp() * np.uint8(255)


def bar(row: int) -> np.ndarray:
    mask = BLACK.copy()
    mask[row] = 255
    return mask


def test_busi_draws_the_union_of_all_masks_of_an_image(tmp_path):
    drawn = {"benign (2)": [LESION], "benign (10)": [bar(1), bar(3), bar(5)], "malignant (1)": [LESION, bar(29)]}
    plan = busi.plan(source_of(original_busi(tmp_path, drawn)))
    assert [case.name for case in plan.cases] == ["benign_002", "benign_010", "malignant_001"]
    folder = PurePosixPath("Dataset_BUSI_with_GT/benign")
    assert plan.cases[1].image == folder / "benign (10).png"
    assert plan.cases[1].masks == tuple(folder / f"benign (10)_mask{end}.png" for end in ("", "_1", "_2"))
    assert np.flatnonzero(plan.cases[1].read_mask(SIZE).any(axis=1)).tolist() == [1, 3, 5]
    assert np.array_equal(plan.cases[2].read_mask(SIZE), polyp() | (bar(29) > 0))
    assert all(case.group is None for case in plan.cases)


def test_a_normal_image_has_an_empty_mask(tmp_path):
    (case,) = busi.plan(source_of(original_busi(tmp_path, {"normal (1)": [BLACK]}))).cases
    assert case.name == "normal_001"
    assert not case.read_mask(SIZE).any()


def test_busi_says_how_many_images_are_missing_and_what_is_not_used(tmp_path):
    folder = original_busi(tmp_path, {"benign (1)": [LESION]})
    (folder / "Dataset_BUSI_with_GT" / "benign" / "notes.txt").touch()
    assert busi.plan(source_of(folder)).remarks == (
        "1 benign images are here; the full set has 437.",
        "0 malignant images are here; the full set has 210.",
        "0 normal images are here; the full set has 133.",
        "Not used: Dataset_BUSI_with_GT/benign/notes.txt.",
    )


def test_all_of_busi_leaves_nothing_to_remark(tmp_path):
    for kind, count in {"benign": 437, "malignant": 210, "normal": 133}.items():
        (tmp_path / kind).mkdir()
        for number in range(1, count + 1):
            (tmp_path / kind / f"{kind} ({number}).png").touch()
            (tmp_path / kind / f"{kind} ({number})_mask.png").touch()
    plan = busi.plan(source_of(tmp_path))
    assert len({case.name for case in plan.cases}) == 780
    assert plan.remarks == ()


def test_every_fault_of_busi_is_in_one_error(tmp_path):
    folder = original_busi(tmp_path, {"benign (1)": [LESION], "malignant (3)": [LESION], "normal (7)": []})
    place = folder / "Dataset_BUSI_with_GT"
    (place / "malignant" / "malignant (3).png").unlink()
    (place / "benign" / "malignant (5).png").touch()
    (place / "benign" / "benign 8.png").touch()
    assert faults_of(busi.plan, folder) == {
        ("missing-image", "Dataset_BUSI_with_GT/malignant/malignant (3)_mask.png"),
        ("missing-mask", "Dataset_BUSI_with_GT/normal/normal (7).png"),
        ("file-name", "Dataset_BUSI_with_GT/benign/malignant (5).png"),
        ("file-name", "Dataset_BUSI_with_GT/benign/benign 8.png"),
    }


def test_another_folder_is_refused(tmp_path):
    assert faults_of(busi.plan, tmp_path) == {("layout", "")}
