"""Train/val/test splits: read and write split files, the official split of a data set, the packaged fixed splits."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from tmunet.data.cases import match_name, unknown_case
from tmunet.data.json_object import read_json_object
from tmunet.errors import DataError, InputError, UsageError
from tmunet.files import write_bytes, write_json

OFFICIAL_SPLIT = "official_split.json"
"""File of a data set folder with the split of its publishers, written by `tmunet import`."""

_SIDE_OF_KEY = {"train": "train", "val": "val", "valid": "val", "test": "test"}
_REPORT = ".report.json"


@dataclass(frozen=True)
class Split:
    """Case names of train, val and test.

    Raises:
        InputError: a name appears twice.
    """

    train: tuple[str, ...]
    val: tuple[str, ...] = ()
    test: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        repeated = [name for name, count in Counter(self.train + self.val + self.test).items() if count > 1]
        if repeated:
            raise InputError(
                f"Expected each case once in a split, but got more than once: {', '.join(repeated[:5])}.",
                code="repeated",
            )

    def to_dict(self) -> dict[str, list[str]]:
        """Return the content of a split file."""
        return {"train": list(self.train), "val": list(self.val), "test": list(self.test)}

    @property
    def sha256(self) -> str:
        """SHA-256 of the canonical JSON: keys train, valid, test and names sorted, ASCII; independent of the order of names."""
        # The key is "valid", as in the first release: published hashes of splits stay comparable.
        content = {"train": sorted(self.train), "valid": sorted(self.val), "test": sorted(self.test)}
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read_split(path: Path, names: Sequence[str], originals: Mapping[str, str] | None = None) -> Split:
    """Read a split file: ``{"train": [...], "val": [...], "test": [...]}``.

    `valid` is accepted for `val`; keys may be missing, but not all. An entry is a case name, a file name with
    its suffix, or a path that ends in one (``"images/12.png"``); of an imported data set also the original file name.

    Args:
        path: the JSON file.
        names: the names of all cases of the data set; the split need not use all of them.
        originals: case name by the stem of the original image file, where the import gave another name.

    Raises:
        InputError: the file cannot be read or is not a JSON object.
        DataError: all faults at once: unknown keys or names, a name twice, no case at all.
    """
    content = read_json_object(path)
    faults = _key_faults(content)
    known = {**(originals or {}), **{name: name for name in names}}
    side_of: dict[str, str] = {}
    unknown: list[tuple[str, object]] = []
    for key, side in _SIDE_OF_KEY.items():
        entries = content.get(key, [])
        for entry in entries if isinstance(entries, list) else []:
            name = match_name(entry, known) if isinstance(entry, str) else None
            if name is None:
                unknown.append((key, entry))
            elif name in side_of:
                where = f"twice in {key}" if side_of[name] == side else f"in both {side_of[name]} and {key}"
                faults.append(f"{name!r} is {where}; keep it once.")
            else:
                side_of[name] = side
    faults += [f"{key}: {unknown_case(entry, names, number)}" for number, (key, entry) in enumerate(unknown)]
    if not side_of and not faults:
        faults.append("all subsets are empty; a split needs at least one case to train or test.")
    if faults:
        raise DataError(str(path), faults)
    return Split(*(tuple(name for name in side_of if side_of[name] == side) for side in ("train", "val", "test")))


def _key_faults(content: dict[str, Any]) -> list[str]:
    faults = [
        f"the key {key!r} is not known; expected train, val (or valid) and test."
        for key in content
        if key not in _SIDE_OF_KEY
    ]
    faults += [
        f"expected {key!r} to be a list of case names, but got {content[key]!r}."
        for key in _SIDE_OF_KEY
        if not isinstance(content.get(key, []), list)
    ]
    if "val" in content and "valid" in content:
        faults.append("the keys 'val' and 'valid' mean the same; keep one.")
    return faults


def write_split(path: Path, split: Split) -> None:
    """Write a split file atomically."""
    write_json(path, split.to_dict())


def read_official_split(folder: Path, names: Sequence[str]) -> Split:
    """Read the split that the publishers of a data set defined, as `read_split` does.

    Raises:
        UsageError: the data set has none.
    """
    path = folder / OFFICIAL_SPLIT
    if not path.exists():
        raise UsageError(
            f"{folder}: has no official split: there is no {OFFICIAL_SPLIT} in it. Of the data sets that `tmunet import` knows, "
            "MoNuSeg, ISIC 2018, GlaS and some editions of Kvasir-SEG come with one. Make one: --kind grouped.",
            code="no-official-split",
            path=folder,
        )
    return read_split(path, names)


def fixed_splits(name: str) -> Mapping[str, Path]:
    """Find the packaged fixed splits of a public data set, by which scores are comparable: split files by name, or none.

    >>> list(fixed_splits("MoNuSeg"))[-2:]
    ['official', 'random']
    """
    folder = Path(str(files("tmunet") / "splits" / name))
    found = {path.stem: path for path in folder.glob("*.json") if not path.name.endswith(_REPORT)}
    return dict(sorted(found.items()))


def copy_fixed_splits(name: str, cases: Sequence[str], folder: Path) -> tuple[str, ...]:
    """Copy the fixed splits of a data set with their reports to ``folder/splits/``, and one to ``folder/split.json``.

    A split with names that are not among `cases` is left out. ``split.json`` is the official split, else the grouped one.
    Returns the names of the copied splits.
    """
    known = frozenset(cases)
    copied = {
        split: path
        for split, path in fixed_splits(name).items()
        if known.issuperset(case for side in read_json_object(path).values() for case in side)
    }
    for path in copied.values():
        for file in (path, path.with_suffix(_REPORT)):
            write_bytes(folder / "splits" / file.name, file.read_bytes())
    default = next((split for split in ("official", "grouped") if split in copied), None)
    if default is not None:
        write_bytes(folder / "split.json", copied[default].read_bytes())
    return tuple(copied)
