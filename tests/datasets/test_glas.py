import numpy as np
import pytest

from tmunet.datasets import glas
from tmunet.datasets._build.faults import ConversionError

from .miniatures import GRADES, SMALL, box, faults_of, make_glas, photograph, save, source_of


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


def test_another_layout_is_refused(tmp_path):
    save(tmp_path / "scans" / "1.png", photograph(0))
    assert faults_of(glas.plan, tmp_path) == {("layout", "")}
