"""What ``dataset.json`` says of single cases: their group, where they come from, the hashes of their files."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any


@dataclass(frozen=True)
class CaseRecord:
    """One entry of the key ``cases`` of ``dataset.json``; every part may be missing.

    Attributes:
        group: the video sequence, patient or slide that the case belongs to.
        source: the original files, relative to the distribution; the image first.
        image_sha256: of the image file, when it was imported.
        mask_sha256: of the mask file, when it was imported.
    """

    group: str | None = None
    source: tuple[str, ...] = ()
    image_sha256: str | None = None
    mask_sha256: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give the entry without the parts that are missing."""
        entry = {"group": self.group, "source": list(self.source)}
        hashes = {"image_sha256": self.image_sha256, "mask_sha256": self.mask_sha256}
        return {key: value for key, value in {**entry, **hashes}.items() if value}


def originals(records: Mapping[str, CaseRecord]) -> dict[str, str]:
    """Give case names by the stem of their original image; stems that two cases share are left out.

    >>> originals({"001": CaseRecord(source=("Original/1.tif", "Ground Truth/1.tif"))})
    {'1': '001'}
    """
    stems = [(PurePosixPath(record.source[0]).stem, name) for name, record in records.items() if record.source]
    count = Counter(stem for stem, _ in stems)
    return {stem: name for stem, name in stems if count[stem] == 1}


def read_records(content: object, faults: list[str]) -> dict[str, CaseRecord]:
    """Read the key ``cases``; what is wrong with it is added to the faults."""
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
