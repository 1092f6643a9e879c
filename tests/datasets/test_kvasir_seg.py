import numpy as np
import pytest
from PIL import Image

from tmunet.datasets import kvasir_seg
from tmunet.datasets._build.faults import DatasetImportError

from .miniatures import SMALL, box, faults_of, make_kvasir, photograph, save, source_of


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


def test_another_layout_is_refused(tmp_path):
    save(tmp_path / "scans" / "1.png", photograph(0))
    assert faults_of(kvasir_seg.plan, tmp_path) == {("layout", "")}
