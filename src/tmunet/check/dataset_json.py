"""What ``dataset.json`` says, and whether it is true."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from tmunet.check.findings import Finding
from tmunet.check.inspect import FileFacts, Look
from tmunet.data.cases import DatasetInfo, read_dataset_info
from tmunet.data.reader import collect_errors
from tmunet.data.records import CaseRecord
from tmunet.text import pluralize

_T = TypeVar("_T")
_SHOWN = 5
_KEY = re.compile(r"\w+[:,] ")  # of the file, which keeps its spelling


def read_description(folder: Path) -> tuple[DatasetInfo | None, list[Finding]]:
    """Read ``dataset.json``; None if it is damaged, with the findings that say how."""
    info, findings = reading(
        folder,
        "dataset.json",
        "dataset-json",
        "Correct dataset.json; without it the classes are background and foreground.",
        lambda: read_dataset_info(folder),
    )
    return info, findings


def reading(folder: Path, file: str, kind: str, mend: str, read: Callable[[], _T]) -> tuple[_T | None, list[Finding]]:
    """Read a JSON file of the data set; each of its faults becomes a finding."""
    faults: list[str] = []
    content = collect_errors(faults, read)
    findings = [Finding(kind, "fault", _sentence(fault, folder / file), mend, (file,)) for fault in faults]
    return content, findings


def _sentence(fault: str, path: Path) -> str:
    text = fault.removeprefix(f"{path}: ")
    return text if _KEY.match(text) else text[:1].upper() + text[1:]


def about_records(info: DatasetInfo, names: Sequence[str], looks: Sequence[Look]) -> Iterator[Finding]:
    """Findings about records of cases that are not there, and about files that changed since they were recorded."""
    known = frozenset(names)
    if gone := [name for name in info.records if name not in known]:
        shown = ", ".join(map(repr, gone[:_SHOWN])) + (
            f" and {len(gone) - _SHOWN:,} more" if len(gone) > _SHOWN else ""
        )
        yield Finding(
            "record-without-case",
            "warning",
            f"dataset.json has records of {pluralize(len(gone), 'case')} without files: {shown}.",
            "Find out where their files went, or take the records out.",
            ("dataset.json",),
            tuple(gone),
        )
    for look in looks:
        if look.is_case and look.name in info.records:
            yield from _changes(look.name, info.records[look.name], look)


def _changes(name: str, record: CaseRecord, look: Look) -> Iterator[Finding]:
    pairs: tuple[tuple[FileFacts | None, str | None], ...] = (
        (look.image_file, record.image_sha256),
        (look.mask_file, record.mask_sha256),
    )
    for file, recorded in pairs:
        if file is not None and file.sha256 is not None and recorded is not None and file.sha256 != recorded.lower():
            yield Finding(
                "changed-file",
                "warning",
                "The file is not the one that was imported: its SHA-256 differs from the record in dataset.json.",
                "If you corrected it, say so in the data card and take the hash out of the record; otherwise import it again.",
                (file.file,),
                (name,),
            )
