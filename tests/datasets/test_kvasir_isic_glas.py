import shutil

import numpy as np
import pytest
from PIL import Image

from tmunet.datasets import glas, isic2018, kvasir_seg
from tmunet.errors import DataError, InputError

from .originals import source_of
from .originals_more import GRADES, SIZE, box, make_glas, make_isic, make_kvasir, photograph, save


def faults_of(plan, folder):
    with pytest.raises(DataError) as caught:
        plan(source_of(folder))
    return caught.value.faults


def test_kvasir_masks_are_cut_at_127(tmp_path):
    make_kvasir(tmp_path)
    plan = kvasir_seg.plan(source_of(tmp_path))
    assert [case.name for case in plan.cases] == ["cju1", "cju2", "cju10"]
    stored = np.asarray(Image.open(tmp_path / "Kvasir-SEG/masks/cju2.jpg").convert("L"))
    assert len(np.unique(stored)) > 2, "the original has gray edges"
    assert np.array_equal(plan.cases[1].draw(SIZE), box(1, 0, 1))
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
    assert faults_of(kvasir_seg.plan, tmp_path) == (
        "train.txt: 'cju1' stands there twice.",
        "train.txt: there is no image 'cju3'.",
        "expected one val.txt beside the other list of the split, but found none.",
    )
    (tmp_path / "train.txt").write_text("cju1\n")
    (tmp_path / "val.txt").write_text("cju1\n")
    assert faults_of(kvasir_seg.plan, tmp_path) == ("val.txt: 'cju1' stands in train.txt already.",)
    (tmp_path / "val.txt").write_bytes(b"\xff\xfe\x00")
    assert "val.txt: expected a text file" in faults_of(kvasir_seg.plan, tmp_path)[0]


def test_kvasir_files_without_partner_are_told_at_once(tmp_path):
    make_kvasir(tmp_path)
    (tmp_path / "Kvasir-SEG/masks/cju1.jpg").unlink()
    (tmp_path / "Kvasir-SEG/images/cju2.jpg").unlink()
    first, second = faults_of(kvasir_seg.plan, tmp_path)
    assert "images/cju1.jpg: the case 'cju1' has no mask" in first
    assert "masks/cju2.jpg: the case 'cju2' has no image" in second


def test_isic_sides_are_the_folders(tmp_path):
    make_isic(tmp_path)
    plan = isic2018.plan(source_of(tmp_path))
    assert plan.official == {
        "train": ["ISIC_0000000", "ISIC_0000001"],
        "val": ["ISIC_0000012"],
        "test": ["ISIC_0000050"],
    }
    assert [case.name for case in plan.cases] == [name for side in plan.official.values() for name in side]
    assert np.array_equal(plan.cases[1].draw(SIZE), box(2, 1, 1))
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
    faults = faults_of(isic2018.plan, tmp_path)
    for fragment in (
        "Training_Input/ISIC_0000001.jpg: the case 'ISIC_0000001' has no mask",
        "ISIC2018_Task1_Validation_GroundTruth: is here without ISIC2018_Task1-2_Validation_Input; download that too",
        "ISIC2018_Task1-2_Test_Input: is here without ISIC2018_Task1_Test_GroundTruth; download that too",
        "ISIC_0000000.jpg: is a second file of the case 'ISIC_0000000'",
    ):
        assert any(fragment in fault for fault in faults), fragment
    assert len(faults) == 4


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
    assert np.array_equal(by_name["train_1"].draw(SIZE), both)
    assert np.array_equal(by_name["train_2"].draw(SIZE), both), "by index, whatever the colors"
    assert np.array_equal(by_name["testB_1"].draw(SIZE), box(0, 0, 1)), "a single gland has the value 1"
    assert plan.official == {"train": ["train_1", "train_2"], "test": ["testA_1", "testB_1"]}
    assert plan.remarks[0] == "1 of the 2 official test images are of a patient who has training images too."
    assert plan.remarks[1].startswith("4 of the 165 images are here; missing: testA_2, testA_3")
    assert len(plan.remarks) == 2


def test_glas_mask_of_another_size_is_refused(tmp_path):
    make_glas(tmp_path)
    plan = glas.plan(source_of(tmp_path))
    with pytest.raises(InputError, match=r"testA_1_anno.bmp: expected the mask to have the 9 x 6 pixels"):
        plan.cases[0].draw((6, 9))


def test_glas_without_its_table_is_refused(tmp_path):
    home = make_glas(tmp_path)
    (home / "Grade.csv").unlink()
    (fault,) = faults_of(glas.plan, tmp_path)
    assert "expected one Grade.csv, which tells the patients, but found none" in fault


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (GRADES.replace("train_2, 5", "train_2, "), "train_2.bmp: Grade.csv does not tell its patient"),
        ("name;patient ID\n", "Grade.csv: expected the columns `name` and `patient ID`, but found name;patient ID"),
        ("", "but found nothing"),
        ("\xff", "Grade.csv: expected a CSV table, but it cannot be read"),
    ],
)
def test_glas_tables_that_do_not_fit_are_faults(tmp_path, table, message):
    home = make_glas(tmp_path)
    (home / "Grade.csv").write_bytes(table.encode("latin-1"))
    assert any(message in fault for fault in faults_of(glas.plan, tmp_path))


@pytest.mark.parametrize("importer", [kvasir_seg, isic2018, glas])
def test_another_layout_is_refused(tmp_path, importer):
    save(tmp_path / "scans" / "1.png", photograph(0))
    (fault,) = faults_of(importer.plan, tmp_path)
    assert f"expected {importer.FACTS.name} as its source distributes it" in fault
    assert "scans/1.png" in fault
