import shutil

import numpy as np

from tmunet.data.io.images import read_image
from tmunet.datasets import dsb2018

from .miniatures import SMALL, box, faults_of, image_id, make_dsb2018, photograph, save, source_of


def test_the_mask_is_the_union_of_the_nuclei(tmp_path):
    make_dsb2018(tmp_path)
    source = source_of(tmp_path)
    plan = dsb2018.plan(source)
    assert [case.name for case in plan.cases] == ["a2" + 14 * "0", "b1" + 14 * "0"]
    assert [len(case.masks) for case in plan.cases] == [1, 2]
    expected = np.maximum(box(0, 0, 1), box(2, 4, 1))
    assert np.array_equal(plan.cases[1].read_mask(SMALL), expected)
    assert read_image(source.files[plan.cases[1].image]).shape == (*SMALL, 3), "alpha is left out"
    assert plan.official == {}
    assert plan.remarks == (
        "Left out, since they have no masks (test images of the competition): 1.",
        "Not used: stage1_train_labels.csv.",
    )


def test_it_does_not_matter_how_deep_the_user_points(tmp_path):
    make_dsb2018(tmp_path)
    assert len(dsb2018.plan(source_of(tmp_path / "stage1_train")).cases) == 2


def test_every_fault_is_told_at_once(tmp_path):
    make_dsb2018(tmp_path)
    train = tmp_path / "stage1_train"
    shutil.copytree(train / image_id("a2"), tmp_path / "again" / image_id("a2"))
    twin = ("a2" + 14 * "0").ljust(64, "1")  # the same first 16 digits
    save(train / twin / "images" / f"{twin}.png", photograph(3, 4))
    save(train / twin / "masks" / "m.png", box(0, 0))
    save(train / image_id("b1") / "images" / "other.png", photograph(4, 4))
    save(train / image_id("d4") / "masks" / "m.png", box(0, 0))
    save(train / "photos" / "images" / "1.png", photograph(5))
    b1 = f"stage1_train/{image_id('b1')}"
    assert faults_of(dsb2018.plan, tmp_path) == {
        ("duplicate-file", f"stage1_train/{image_id('a2')}/images/{image_id('a2')}.png"),
        ("duplicate-file", f"stage1_train/{twin}/images/{twin}.png"),
        ("file-name", f"{b1}/images/other.png"),
        ("missing-image", f"stage1_train/{image_id('d4')}/masks/m.png"),
        ("file-name", "stage1_train/photos/images/1.png"),
    }


def test_masks_in_a_second_folder_of_an_image_are_a_fault(tmp_path):
    make_dsb2018(tmp_path)
    copy = tmp_path / "again" / image_id("a2")
    save(copy / "masks" / "m.png", box(0, 0))
    assert faults_of(dsb2018.plan, tmp_path) == {("missing-image", f"again/{copy.name}")}


def test_another_layout_is_refused(tmp_path):
    save(tmp_path / "scans" / "1.png", photograph(0))
    assert faults_of(dsb2018.plan, tmp_path) == {("layout", "")}


def test_images_without_any_masks_are_refused(tmp_path):
    make_dsb2018(tmp_path)
    assert faults_of(dsb2018.plan, tmp_path / "stage1_test") == {("layout", "")}
