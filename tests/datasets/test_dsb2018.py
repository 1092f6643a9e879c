import shutil

import numpy as np
import pytest

from tmunet.data.io.images import read_image
from tmunet.datasets import dsb2018
from tmunet.errors import DataError

from .originals import source_of
from .originals_more import SIZE, box, image_id, make_dsb2018, photograph, save


def test_the_mask_is_the_union_of_the_nuclei(tmp_path):
    make_dsb2018(tmp_path)
    source = source_of(tmp_path)
    plan = dsb2018.plan(source)
    assert [case.name for case in plan.cases] == ["a2" + 14 * "0", "b1" + 14 * "0"]
    assert [len(case.masks) for case in plan.cases] == [1, 2]
    expected = np.maximum(box(0, 0, 1), box(2, 4, 1))
    assert np.array_equal(plan.cases[1].draw(SIZE), expected)
    assert read_image(source.files[plan.cases[1].image]).shape == (*SIZE, 3), "alpha is left out"
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
    with pytest.raises(DataError) as caught:
        dsb2018.plan(source_of(tmp_path))
    for fragment in (
        f"again/{image_id('a2')}",
        f"{twin}.png: is a second file of the case 'a200",
        f"images/other.png: expected the name of its folder, {image_id('b1')}.png",
        f"{image_id('d4')}: has masks, but no images/",
        "photos/images/1.png: expected to lie in a folder named by an ImageId",
    ):
        assert any(fragment in fault for fault in caught.value.faults), fragment
    assert len(caught.value.faults) == 5


def test_another_layout_is_refused(tmp_path):
    save(tmp_path / "scans" / "1.png", photograph(0))
    with pytest.raises(DataError, match="expected DSB2018 as its source distributes it"):
        dsb2018.plan(source_of(tmp_path))


def test_images_without_any_masks_are_refused(tmp_path):
    make_dsb2018(tmp_path)
    with pytest.raises(DataError, match="expected DSB2018"):
        dsb2018.plan(source_of(tmp_path / "stage1_test"))
