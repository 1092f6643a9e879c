"""From the original files to a data set folder, for the sets whose miniatures are in `originals`."""

import numpy as np
import pytest

from tmunet.data.dataset import open_dataset
from tmunet.data.io.images import read_image
from tmunet.data.io.masks import read_mask
from tmunet.data.split.splits import read_split
from tmunet.datasets._build.build import build
from tmunet.datasets._build.source import open_source
from tmunet.datasets.registry import get_importer

from .miniatures import SIZE, busi, clinicdb, colondb, monuseg, polyp, udiat

TRAIN, TEST = ["TCGA-18-5592-01Z-00-DX1", "TCGA-RD-A8N9-01A-01-TS1"], ["TCGA-2Z-A9J9-01A-01-TS1"]
LESION, BLACK = polyp() * np.uint8(255), np.zeros(SIZE, np.uint8)
MINIATURES = {
    "CVC-ClinicDB": lambda folder: clinicdb(folder, [2, 30, 612]),
    "CVC-ColonDB": lambda folder: colondb(folder, [1, 98, 380]),
    "MoNuSeg": lambda folder: monuseg(folder, TRAIN, TEST),
    "BUSI": lambda folder: busi(folder, {"benign (2)": [LESION] * 2, "malignant (1)": [LESION], "normal (1)": [BLACK]}),
    "UDIAT": lambda folder: udiat(folder, ["000001", "000002", "000010"]),
}


@pytest.mark.parametrize("name", MINIATURES)
def test_a_miniature_becomes_the_data_set_that_was_planned(tmp_path, name):
    source = open_source(MINIATURES[name](tmp_path / "original"), tmp_path / "staging")
    plan = get_importer(name)(source)
    folder = build(plan, source, tmp_path / "imported", f"tmunet import {name}").folder
    dataset = open_dataset(folder)
    assert dataset.info.name == name
    assert dataset.info.classes == plan.facts.classes
    assert [case.name for case in dataset.cases] == [case.name for case in plan.cases]
    assert [case.group for case in dataset.cases] == [case.group for case in plan.cases]
    for case, planned in zip(dataset.cases, plan.cases, strict=True):
        image = read_image(case.image)
        assert case.image.suffix == ".png"
        assert np.array_equal(image, read_image(source.files[planned.image]))
        assert case.mask is not None
        assert np.array_equal(read_mask(case.mask, dataset.info.classes), planned.read_mask(image.shape[:2]))
    if plan.official:
        split = read_split(folder / "official_split.json", [case.name for case in dataset.cases])
        assert (split.train, split.test) == (tuple(TRAIN), tuple(TEST))
