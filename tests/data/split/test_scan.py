"""Scan a data set: groups, signatures, foreground fractions, classes."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tmunet.data.dataset import open_dataset
from tmunet.data.io.images import read_image
from tmunet.data.split.near_duplicates import signature
from tmunet.data.split.scan import scan_cases
from tmunet.errors import DataError


def test_groups_signatures_and_shares_are_found(make_dataset):
    dataset = open_dataset(make_dataset())
    cases = [replace(case, group="patient 1") if case.name in ("case0", "case5") else case for case in dataset.cases]
    scan = scan_cases(cases, dataset.info, "discs")
    assert scan.groups == {"case0": "patient 1", "case5": "patient 1"}
    assert list(scan.signatures) == list(scan.foreground_shares) == [case.name for case in cases]
    for case in cases:
        assert np.array_equal(scan.signatures[case.name], signature(read_image(case.image)))
        assert scan.foreground_shares[case.name] == np.asarray(Image.open(case.mask)).mean()


def test_every_class_is_foreground_and_ignored_pixels_do_not_count(make_dataset):
    folder = make_dataset(classes=3)
    (folder / "dataset.json").write_text('{"classes": ["background", "a", "b"], "ignore_label": 255}')
    labels = np.full((48, 48), 255, np.uint8)
    Image.fromarray(labels).save(folder / "masks" / "case0.png")
    labels[0, :8] = [0, 0, 0, 1, 1, 2, 2, 2]
    Image.fromarray(labels).save(folder / "masks" / "case1.png")
    dataset = open_dataset(folder)
    shares = scan_cases(dataset.cases, dataset.info, "organs").foreground_shares
    assert shares["case0"] == 0
    assert shares["case1"] == 5 / 8


def test_every_fault_is_in_one_error(make_dataset):
    folder = make_dataset()
    dataset = open_dataset(folder)
    (folder / "images" / "case3.png").write_bytes(b"nothing")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(folder / "masks" / "case7.png")
    with pytest.raises(DataError, match="discs") as caught:
        scan_cases(dataset.cases, dataset.info, "discs")
    assert len(caught.value.faults) == 2
    assert "case3.png" in caught.value.faults[0]
    assert "case7.png" in caught.value.faults[1]
