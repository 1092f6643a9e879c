"""From the original files to a data set folder, for miniatures of all data sets."""

import shutil

import numpy as np
import pytest

from tmunet.data.dataset import open_dataset
from tmunet.data.io.images import read_image
from tmunet.data.io.masks import read_mask
from tmunet.data.split.splits import read_split
from tmunet.datasets._build.import_dataset import build
from tmunet.datasets._build.source import open_source
from tmunet.datasets.importers import find_name, get_facts, get_importer, list_sets
from tmunet.errors import UsageError
from tmunet_lab.nnunet.raw_export import write_nnunet

from .miniatures import (
    SIZE,
    busi,
    clinicdb,
    colondb,
    make_dsb2018,
    make_glas,
    make_isic,
    make_kvasir,
    make_nnunet,
    monuseg,
    polyp,
    udiat,
)

TRAIN, TEST = ["TCGA-18-5592-01Z-00-DX1", "TCGA-RD-A8N9-01A-01-TS1"], ["TCGA-2Z-A9J9-01A-01-TS1"]
LESION, BLACK = polyp() * np.uint8(255), np.zeros(SIZE, np.uint8)
CONVERTED = {
    "CVC-ClinicDB": lambda folder: clinicdb(folder, [2, 30, 612]),
    "CVC-ColonDB": lambda folder: colondb(folder, [1, 98, 380]),
    "MoNuSeg": lambda folder: monuseg(folder, TRAIN, TEST),
    "BUSI": lambda folder: busi(folder, {"benign (2)": [LESION] * 2, "malignant (1)": [LESION], "normal (1)": [BLACK]}),
    "UDIAT": lambda folder: udiat(folder, ["000001", "000002", "000010"]),
}


@pytest.mark.parametrize("name", CONVERTED)
def test_a_miniature_becomes_the_data_set_that_was_planned(tmp_path, name):
    source = open_source(CONVERTED[name](tmp_path / "original"), tmp_path / "staging")
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


COPIED = {
    "DSB2018": (make_dsb2018, ".png"),
    "Kvasir-SEG": (make_kvasir, ".jpg"),
    "ISIC2018": (make_isic, ".jpg"),
    "GlaS": (make_glas, ".bmp"),
    "nnunet": (make_nnunet, ".png"),
}


@pytest.mark.parametrize("name", COPIED)
def test_a_miniature_in_an_archive_becomes_the_data_set_that_was_planned(tmp_path, name):
    make, suffix = COPIED[name]
    make(tmp_path / "original")
    archive = shutil.make_archive(str(tmp_path / "download"), "zip", tmp_path / "original")
    source = open_source(tmp_path / archive, tmp_path / "staging")
    plan = get_importer(name)(source)
    dataset = build(plan, source, tmp_path / "imported", f"tmunet import {name}")
    assert dataset.info.classes == plan.facts.classes
    assert dataset.info.ignore_label == plan.facts.ignore_label
    assert [(case.name, case.group) for case in dataset.cases] == [(case.name, case.group) for case in plan.cases]
    for case, planned in zip(dataset.cases, plan.cases, strict=True):
        assert case.image.suffix == suffix
        assert case.image.read_bytes() == source.files[planned.image].read_bytes()
        assert case.mask is not None
        labels = read_mask(case.mask, dataset.info.classes, dataset.info.ignore_label)
        assert np.array_equal(labels, planned.read_mask(read_image(case.image).shape[:2]))
        assert labels.any()
    assert (dataset.folder / "official_split.json").exists() == bool(plan.official)


def test_nnunet_there_and_back_keeps_the_official_split(tmp_path):
    source = open_source(make_nnunet(tmp_path / "first"), tmp_path)
    plan = get_importer("nnunet")(source)
    folder = build(plan, source, tmp_path / "ours", "tmunet import nnunet").folder
    raw = write_nnunet(open_dataset(folder, folder / "official_split.json"), tmp_path / "again", 120)
    assert raw.folder.name == "Dataset120_Organs"
    again = get_importer("nnunet")(open_source(raw.folder, tmp_path))
    assert again.official == plan.official
    assert again.facts.classes == plan.facts.classes
    assert again.facts.ignore_label == plan.facts.ignore_label
    for first, second in zip(plan.cases, again.cases, strict=True):
        assert first.name == second.name
        assert np.array_equal(first.read_mask((6, 8)), second.read_mask((6, 8)))


@pytest.mark.parametrize("name", list_sets())
def test_facts_name_license_and_citation(name):
    facts = get_facts(name)
    assert facts.name == name
    assert facts.license
    assert facts.citation


def test_names_are_found_whatever_their_case_and_hyphens():
    assert [find_name(name) for name in ("cvc_clinicdb", "KVASIRSEG", "isic 2018")] == [
        "CVC-ClinicDB",
        "Kvasir-SEG",
        "ISIC2018",
    ]
    with pytest.raises(UsageError, match="Kvasir-SEG"):
        find_name("kvasir")
