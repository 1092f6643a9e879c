"""Locate the data sets and splits of a plan, and say why one cannot be used."""

from dataclasses import dataclass
from pathlib import Path

from tmunet.data.dataset import open_dataset
from tmunet.data.split.splits import fixed_splits
from tmunet.errors import InputError

OWN = "own"
STORAGE_FORMATS = ("folders", "nnunet")  # importers for any data set, which have no page to download from


@dataclass(frozen=True)
class DataSource:
    """A data set with one of its splits.

    Attributes:
        folder: of the data set.
        split: the split file.
        sha256: of the split; empty if it cannot be read.
        images: number of images in train, val and test.
        classes: names of the classes, background included.
        reason: why it cannot be used, and what to do; empty if it can.
    """

    folder: Path
    split: Path
    sha256: str = ""
    images: tuple[int, int, int] = (0, 0, 0)
    classes: tuple[str, ...] = ()
    reason: str = ""


def find_data_source(data_root: Path, data: str, kind: str) -> DataSource:
    """Locate a data set and its split; no image is decoded.

    Args:
        data_root: folder of the data sets, each in a folder of its name.
        data: name of the data set.
        kind: of the split: "own" is its `split.json`; others are fixed splits of the package, or files in its `splits/`.
    """
    folder = data_root / data
    split = folder / "split.json" if kind == OWN else fixed_splits(data).get(kind, folder / "splits" / f"{kind}.json")
    if not folder.is_dir():
        return DataSource(folder, split, reason=f"{folder} is not there{_import_hint(data, folder)}")
    if not split.is_file():
        flag = f" --kind {kind}" if kind in ("random", "grouped", "official") else ""
        hint = f"; make it with: tmunet split {folder}{flag} --out {split}"
        return DataSource(folder, split, reason=f"{split} is not there{hint}")
    try:
        dataset = open_dataset(folder, split)
    except InputError as error:
        lines = [line.strip().removeprefix("- ") for line in str(error).splitlines()]
        return DataSource(folder, split, reason=f"{' '.join(lines[:2])} See: tmunet check {folder}")
    found = dataset.split
    images = len(found.train), len(found.val), len(found.test)
    reason = "" if found.test else f"{split} has no test images"
    return DataSource(folder, split, found.sha256, images, tuple(dataset.info.classes), reason)


def _import_hint(data: str, folder: Path) -> str:
    from tmunet.datasets.importers import get_facts, list_sets

    if data not in list_sets() or data in STORAGE_FORMATS:
        return "; it is a data set of your own: put images/ and masks/ into it, or see `tmunet import folders --help`"
    return f"; download it from {get_facts(data).url}, then: tmunet import {data} DOWNLOADED {folder}"
