"""Read the case records of ``dataset.json``: group, source files, SHA-256 hashes; and the spacings."""

import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any


@dataclass(frozen=True)
class CaseRecord:
    """Record of one case; every part may be missing.

    Attributes:
        group: patient, video sequence or slide.
        source: the original files, relative to the download; the image first.
        image_sha256: of the imported image file.
        mask_sha256: of the imported mask file.
    """

    group: str | None = None
    source: tuple[str, ...] = ()
    image_sha256: str | None = None
    mask_sha256: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the entry for JSON, without missing parts."""
        entry = {"group": self.group, "source": list(self.source)}
        hashes = {"image_sha256": self.image_sha256, "mask_sha256": self.mask_sha256}
        return {key: value for key, value in {**entry, **hashes}.items() if value}


def originals(records: Mapping[str, CaseRecord]) -> dict[str, str]:
    """Map the stem of each original image to its case name; stems that two cases share are left out.

    >>> originals({"001": CaseRecord(source=("Original/1.tif", "Ground Truth/1.tif"))})
    {'1': '001'}
    """
    stems = [(PurePosixPath(record.source[0]).stem, name) for name, record in records.items() if record.source]
    count = Counter(stem for stem, _ in stems)
    return {stem: name for stem, name in stems if count[stem] == 1}


def read_records(content: object, faults: list[str]) -> dict[str, CaseRecord]:
    """Read the key ``cases``; append its faults to the list."""
    if not isinstance(content, Mapping):
        faults.append(f"expected `cases` to be an object with an entry for each case, but got {content!r}.")
        return {}
    records = {}
    for name, entry in content.items():
        wrong = _faults(entry)
        faults += [f"cases, {name!r}: {fault}" for fault in wrong]
        if not wrong:
            records[name] = CaseRecord(**{**entry, "source": tuple(entry.get("source", ()))})
    return records


def read_spacings(content: object, faults: list[str]) -> dict[str, tuple[float, float]]:
    """Read the key ``spacing_mm``: (row, column) distance between pixel centers in mm by case; append its faults to the list."""
    if not isinstance(content, Mapping):
        faults.append(f'expected `spacing_mm` to be an object such as {{"case1": [0.5, 0.5]}}, but got {content!r}.')
        return {}
    spacings = {}
    for name, entry in content.items():
        if _is_spacing(entry):
            spacings[name] = (float(entry[0]), float(entry[1]))
        else:
            faults.append(
                f"spacing_mm, {name!r}: expected [row, column] in mm, two numbers above 0, but got {entry!r}."
            )
    return spacings


def _is_spacing(entry: object) -> bool:
    return (
        isinstance(entry, list)
        and len(entry) == 2
        and all(type(step) in (int, float) and 0 < step <= sys.float_info.max for step in entry)
    )


def _faults(entry: object) -> list[str]:
    if not isinstance(entry, Mapping):
        return [f'expected an object such as {{"group": "patient 3"}}, but got {entry!r}.']
    texts = ("group", "image_sha256", "mask_sha256")
    faults = [
        f"the key {key!r} is not known; expected group, source, image_sha256 and mask_sha256."
        for key in entry
        if key not in (*texts, "source")
    ]
    faults += [
        f"expected `{key}` to be a text, but got {entry[key]!r}."
        for key in texts
        if key in entry and not (isinstance(entry[key], str) and entry[key].strip())
    ]
    source = entry.get("source", [])
    if not isinstance(source, list) or not all(isinstance(name, str) for name in source):
        faults.append(f"expected `source` to be a list of file names, but got {source!r}.")
    return faults
