"""Where a data set of a plan and its split lie, or why they cannot be used."""

from dataclasses import dataclass
from pathlib import Path

from tmunet.data.dataset import open_dataset
from tmunet.data.split.splits import fixed_splits
from tmunet.errors import InputError

OWN = "own"


@dataclass(frozen=True)
class Source:
    """One data set, split one way.

    Attributes:
        folder: of the data set.
        split: the split file.
        sha256: of the split; empty if it cannot be read.
        images: number of images by side of the split, "train", "val" and "test".
        classes: names of the classes, background included.
        reason: why it cannot be used, and what to do; nothing if it can.
    """

    folder: Path
    split: Path
    sha256: str = ""
    images: tuple[int, int, int] = (0, 0, 0)
    classes: tuple[str, ...] = ()
    reason: str = ""


def find_source(data_root: Path, data: str, kind: str) -> Source:
    """Find a data set and its split; no image is decoded.

    Args:
        data_root: holds the data sets, each in a folder of its name.
        data: name of the data set.
        kind: of the split: "own" is its `split.json`, others are the fixed ones of the package or lie in its `splits/`.
    """
    folder = data_root / data
    split = _split_file(folder, data, kind)
    if not folder.is_dir():
        return Source(folder, split, reason=f"{folder} is not there{_how_to_import(data, folder)}")
    if not split.is_file():
        return Source(folder, split, reason=f"{split} is not there{_how_to_split(folder, split, kind)}")
    try:
        dataset = open_dataset(folder, split)
    except InputError as error:
        lines = [line.strip().removeprefix("- ") for line in str(error).splitlines()]
        return Source(folder, split, reason=f"{' '.join(lines[:2])} See: tmunet check {folder}")
    sides = dataset.split
    images = len(sides.train), len(sides.val), len(sides.test)
    lacking = "" if sides.test else f"{split} has no test images"
    return Source(folder, split, sides.sha256, images, tuple(dataset.info.classes), lacking)


def _split_file(folder: Path, data: str, kind: str) -> Path:
    if kind == OWN:
        return folder / "split.json"
    return fixed_splits(data).get(kind, folder / "splits" / f"{kind}.json")


def _how_to_import(data: str, folder: Path) -> str:
    from tmunet.datasets.importers import get_facts, list_sets

    if data not in list_sets()[:-2]:  # the last two are ways to store any
        return "; it is a data set of your own: put images/ and masks/ into it, or see `tmunet import folders --help`"
    return f"; download it from {get_facts(data).url}, then: tmunet import {data} DOWNLOADED {folder}"


def _how_to_split(folder: Path, split: Path, kind: str) -> str:
    known = f" --kind {kind}" if kind in ("random", "grouped", "official") else ""
    return f"; make it with: tmunet split {folder}{known} --out {split}"
