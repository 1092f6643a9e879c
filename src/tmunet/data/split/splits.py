"""Which cases train, which choose the model, which are held back for the test."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any

from tmunet.data.io.images import IMAGE_SUFFIXES
from tmunet.data.json_object import read_json_object
from tmunet.errors import DataError, InputError
from tmunet.files import write_json

_SIDE_OF_KEY = {"train": "train", "val": "val", "valid": "val", "test": "test"}
_SUGGESTIONS = 10  # finding a close name takes long in a large data set


@dataclass(frozen=True)
class Split:
    """Case names on three sides; no name stands twice.

    Raises:
        InputError: a name stands twice.
    """

    train: tuple[str, ...]
    val: tuple[str, ...] = ()
    test: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        repeated = [name for name, count in Counter(self.train + self.val + self.test).items() if count > 1]
        if repeated:
            raise InputError(f"Expected each case once in a split, but got more than once: {', '.join(repeated[:5])}.")

    def to_dict(self) -> dict[str, list[str]]:
        """Give the content of a split file."""
        return {"train": list(self.train), "val": list(self.val), "test": list(self.test)}

    @property
    def sha256(self) -> str:
        """SHA-256 of the canonical JSON (keys and names sorted, ASCII); the order of names has no part."""
        content = {side: sorted(names) for side, names in self.to_dict().items()}
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read_split(path: Path, names: Sequence[str], originals: Mapping[str, str] | None = None) -> Split:
    """Read a split file: ``{"train": [...], "val": [...], "test": [...]}``.

    `valid` stands for `val`; sides may be left out, but not all. An entry is a case name, a file name with
    its suffix, or a path that ends in one (``"images/12.png"``); of an imported data set also the original's file name,
    so that a split made for the original files can be read.

    Args:
        path: the JSON file.
        names: the names of all cases of the data set; the split need not use all of them.
        originals: case name by the stem of the original image file, where the import gave another name.

    Raises:
        InputError: the file cannot be read or is not a JSON object.
        DataError: all faults at once: unknown keys or names, a name given twice or on two sides, no case at all.
    """
    content = read_json_object(path)
    faults = _key_faults(content)
    known = {**(originals or {}), **{name: name for name in names}}
    side_of: dict[str, str] = {}
    unknown: list[tuple[str, str]] = []
    for key, side in _SIDE_OF_KEY.items():
        entries = content.get(key, [])
        for entry in entries if isinstance(entries, list) else []:
            name = _case_name(entry, known)
            if name is None:
                unknown.append((key, entry))
            elif name in side_of:
                where = f"twice in {key}" if side_of[name] == side else f"in both {side_of[name]} and {key}"
                faults.append(f"{name!r} is {where}; keep it once.")
            else:
                side_of[name] = side
    for place, (key, entry) in enumerate(unknown):
        close = get_close_matches(str(entry), names, n=1) if place < _SUGGESTIONS else []
        faults.append(f"{key}: there is no case {entry!r}" + (f"; did you mean {close[0]!r}?" if close else "."))
    if not side_of and not faults:
        faults.append("all sides are empty; a split needs at least one case to train or test.")
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


def _case_name(entry: object, known: Mapping[str, str]) -> str | None:
    if not isinstance(entry, str):
        return None
    file = PurePosixPath(entry.replace("\\", "/"))
    stem = file.stem if file.suffix.lower() in IMAGE_SUFFIXES else file.name
    return next((known[name] for name in (entry, file.name, stem) if name in known), None)


def write_split(path: Path, split: Split) -> None:
    """Write a split file, whole or not at all; `read_split` reads it back."""
    write_json(path, split.to_dict())
