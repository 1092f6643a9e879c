"""A copy of a data set in which everything is mended that can be mended safely; the data set itself is only read."""

import shutil
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tmunet.check.files import Listing, list_folder
from tmunet.check.findings import CheckReport
from tmunet.check.fix_file import mend
from tmunet.check.fixed_copy import Change, Copy
from tmunet.check.fixed_json import copy_description, copy_split
from tmunet.check.format import as_text, printable
from tmunet.check.run import check_dataset
from tmunet.errors import InputError, UsageError
from tmunet.files import write_text
from tmunet.text import pluralize

NOTES = "FIXED.md"
"""File of a copy that says what was changed and what is left."""

_TABLES = ("dataset.json", "split.json")
_UNUSABLE = frozenset({"unreadable", "not-a-file"})
_REWRITTEN = frozenset({"mask-gray", "mask-values", "orientation", "wrong-suffix"})


@dataclass(frozen=True)
class Fixed:
    """A mended copy.

    Attributes:
        destination: the copy.
        changes: what differs from the data set.
        left: the check of the copy.
    """

    destination: Path
    changes: tuple[Change, ...]
    left: CheckReport

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON can hold it."""
        changes = [asdict(change) for change in self.changes]
        return {"destination": str(self.destination), "changes": changes, "left": self.left.to_dict()}

    def __str__(self) -> str:
        return f"Copy: {self.destination}, with {pluralize(len(self.changes), 'change')}, listed in {NOTES}."


def fix(report: CheckReport, destination: Path) -> Fixed:
    """Write a mended copy of a data set and check it.

    Files get the suffix of their content, pictures with an orientation tag are written upright, masks with one possible
    reading get the values 0 and 255, and files that cannot be read or have no partner go to ``set_aside/``.
    ``dataset.json`` and ``split.json`` follow; other split files do not. ``FIXED.md`` lists what was done and what is left.

    Args:
        report: of `check_dataset`, on the data set as it is now.
        destination: a folder that does not exist yet; it appears when the copy is complete, or not at all.

    Raises:
        UsageError: `destination` exists, or lies in the data set.
        InputError: a file cannot be read or written.
    """
    if destination.exists() or destination.is_symlink():
        raise UsageError(f"Expected a new folder for the copy, but {destination} exists; choose another name.")
    if destination.resolve().is_relative_to(report.folder.resolve()):
        raise UsageError(f"Expected a folder outside the data set, but got {destination}; the data set is only read.")
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=destination.parent, prefix=f".{destination.name}.") as temporary:
            target = Path(temporary) / destination.name  # has the permissions of any new folder, unlike its parent
            changes = _write(report, target)
            left = replace(check_dataset(target), folder=destination)
            write_text(target / NOTES, _notes(report, changes, left))
            target.rename(destination)
    except (OSError, shutil.Error) as error:
        raise InputError(f"{destination}: the copy cannot be written: {error}. Nothing was left there.") from error
    return Fixed(destination, changes, left)


def _write(report: CheckReport, target: Path) -> tuple[Change, ...]:
    source = report.folder
    copy = Copy(source, target)
    images, masks = list_folder(source / "images"), list_folder(source / "masks")
    kept = _copy_pictures(report, copy, images, masks)
    names = sorted(images.by_name())
    gone = frozenset(names) - kept
    copy_description(copy, gone)
    copy_split(copy, names, gone)
    for path in sorted(source.iterdir()):
        if path.name == NOTES:
            copy.set_aside(path, "it tells of an earlier copy")
        elif path.name not in ("images", "masks", *_TABLES):
            copy.take_over(path)
    return tuple(copy.changes)


def _copy_pictures(report: CheckReport, copy: Copy, images: Listing, masks: Listing) -> frozenset[str]:
    """Copy ``images/`` and ``masks/``; gives the names of the cases that stay."""
    kinds: dict[str, set[str]] = {}
    for finding in report.findings:
        for file in finding.files if finding.fixable else ():
            kinds.setdefault(file, set()).add(finding.kind)
    sound: list[dict[str, list[Path]]] = []
    for listing in (images, masks):
        found: dict[str, list[Path]] = {}
        for path in listing.pictures:
            if not kinds.get(copy.name(path), set()) & _UNUSABLE:
                found.setdefault(path.stem, []).append(path)
        sound.append(found)
    complete = images.trouble is None and masks.trouble is None
    kept = frozenset(sound[0].keys() & sound[1].keys() if complete else sound[0].keys() | sound[1].keys())
    for listing, found in zip((images, masks), sound, strict=True):
        for path in sorted(listing.folder.iterdir()) if listing.trouble is None else ():
            of_file = kinds.get(copy.name(path), set())
            if of_file & _UNUSABLE:
                copy.set_aside(path, "it cannot be read")
            elif path.stem in found and path in found[path.stem] and path.stem not in kept:
                copy.set_aside(path, f"it has no usable {'mask' if listing is images else 'image'}")
            elif of_file & _REWRITTEN and len(found[path.stem]) == 1:
                _mend(copy, path, of_file, listing is masks)
            else:
                copy.take_over(path)
    return kept


def _mend(copy: Copy, path: Path, kinds: set[str], is_mask: bool) -> None:
    try:
        suffix, content, what = mend(path, kinds & _REWRITTEN, is_mask)
    except InputError:  # an oriented mask of colors: its other finding is left for the user
        copy.take_over(path)
    else:
        copy.rewrite(path, suffix, content, what)


def _notes(report: CheckReport, changes: tuple[Change, ...], left: CheckReport) -> str:
    done = "\n".join(f"- `{change.file}`: {change.what}" for change in changes) or "Nothing."
    return printable(f"""# What was changed

A copy of `{report.folder.resolve().name}`, written by `tmunet check --fix`; the data set itself is as it was.

{done}

# What is left for you

```
{as_text(left)}
```
""")
