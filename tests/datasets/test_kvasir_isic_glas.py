import shutil

import numpy as np
import pytest
from PIL import Image

from tmunet.datasets import glas, isic2018, kvasir_seg
from tmunet.datasets._build.faults import ConversionError, DatasetImportError

from .miniatures import GRADES, SMALL, box, faults_of, make_glas, make_isic, make_kvasir, photograph, save, source_of


def test_kvasir_masks_are_cut_at_127(tmp_path):
    make_kvasir(tmp_path)
    plan = kvasir_seg.plan(source_of(tmp_path))
    assert [case.name for case in plan.cases] == ["cju1", "cju2", "cju10"]
    stored = np.asarray(Image.open(tmp_path / "Kvasir-SEG/masks/cju2.jpg").convert("L"))
    assert len(np.unique(stored)) > 2, "the original has gray edges"
    assert np.array_equal(plan.cases[1].read_mask(SMALL), box(1, 0, 1))
    assert plan.official == {}
    assert plan.remarks == ("3 cases are here; the full set has 1000.", "Not used: Kvasir-SEG/kavsir_bboxes.json.")


def test_kvasir_val_txt_is_the_test_side(tmp_path):
    make_kvasir(tmp_path)
    (tmp_path / "train.txt").write_text("cju10\ncju2.jpg\n")
    (tmp_path / "val.txt").write_text("cju1\n")
    plan = kvasir_seg.plan(source_of(tmp_path))
    assert plan.official == {"train": ["cju2", "cju10"], "test": ["cju1"]}
    assert "txt" not in plan.remarks[-1]


def test_kvasir_lists_that_do_not_fit_are_faults(tmp_path):
    make_kvasir(tmp_path)
    (tmp_path / "train.txt").write_text("cju1\ncju1\ncju3\n")
    with pytest.raises(DatasetImportError) as caught:
        kvasir_seg.plan(source_of(tmp_path))
    split = [(fault.kind, fault.path) for fault in caught.value.faults]
    assert split == [("official-split", "train.txt")] * 2 + [("official-split", "")]  # twice, no image; no val.txt
    (tmp_path / "train.txt").write_text("cju1\n")
    (tmp_path / "val.txt").write_text("cju1\n")
    assert faults_of(kvasir_seg.plan, tmp_path) == {("official-split", "val.txt")}
    (tmp_path / "val.txt").write_bytes(b"\xff\xfe\x00")
    assert faults_of(kvasir_seg.plan, tmp_path) == {("unreadable", "val.txt")}


def test_kvasir_images_and_masks_without_counterpart_are_reported_together(tmp_path):
    make_kvasir(tmp_path)
    (tmp_path / "Kvasir-SEG/masks/cju1.jpg").unlink()
    (tmp_path / "Kvasir-SEG/images/cju2.jpg").unlink()
    assert faults_of(kvasir_seg.plan, tmp_path) == {
        ("missing-mask", "Kvasir-SEG/images/cju1.jpg"),
        ("missing-image", "Kvasir-SEG/masks/cju2.jpg"),
    }


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


def test_glas_glands_become_one_class_and_patients_groups(tmp_path):
    make_glas(tmp_path)
    plan = glas.plan(source_of(tmp_path))
    assert [(case.name, case.group) for case in plan.cases] == [
        ("testA_1", "patient 4"),
        ("testB_1", "patient 7"),
        ("train_1", "patient 4"),
        ("train_2", "patient 5"),
    ]
    both = np.maximum(box(0, 0, 1), box(3, 4, 1))
    by_name = {case.name: case for case in plan.cases}
    assert np.array_equal(by_name["train_1"].read_mask(SMALL), both)
    assert np.array_equal(by_name["train_2"].read_mask(SMALL), both), "by index, whatever the colors"
    assert np.array_equal(by_name["testB_1"].read_mask(SMALL), box(0, 0, 1)), "a single gland has the value 1"
    assert plan.official == {"train": ["train_1", "train_2"], "test": ["testA_1", "testB_1"]}
    assert plan.remarks[0] == "1 of the 2 official test images are of a patient who has training images too."
    assert plan.remarks[1].startswith("4 of the 165 images are here; missing: testA_2, testA_3")
    assert len(plan.remarks) == 2


def test_glas_mask_of_another_size_is_refused(tmp_path):
    make_glas(tmp_path)
    plan = glas.plan(source_of(tmp_path))
    with pytest.raises(ConversionError) as caught:
        plan.cases[0].read_mask((6, 9))
    assert caught.value.fault.kind == "mask-size"
    assert caught.value.fault.path.endswith("testA_1_anno.bmp")


def test_glas_without_its_table_is_refused(tmp_path):
    home = make_glas(tmp_path)
    (home / "Grade.csv").unlink()
    assert faults_of(glas.plan, tmp_path) == {("group-table", "")}


@pytest.mark.parametrize(
    ("table", "kind", "name"),
    [
        (GRADES.replace("train_2, 5", "train_2, "), "missing-group", "train_2.bmp"),
        ("name;patient ID\n", "group-table", "Grade.csv"),
        ("", "group-table", "Grade.csv"),
        ("\xff", "group-table", "Grade.csv"),
    ],
)
def test_glas_tables_that_do_not_fit_are_faults(tmp_path, table, kind, name):
    home = make_glas(tmp_path)
    (home / "Grade.csv").write_bytes(table.encode("latin-1"))
    assert faults_of(glas.plan, tmp_path) == {(kind, f"{home.name}/{name}")}


@pytest.mark.parametrize("importer", [kvasir_seg, isic2018, glas])
def test_another_layout_is_refused(tmp_path, importer):
    save(tmp_path / "scans" / "1.png", photograph(0))
    assert faults_of(importer.plan, tmp_path) == {("layout", "")}
