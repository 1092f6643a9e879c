"""Fix a data set: write a copy with everything repaired that can be repaired safely; the data set itself is only read."""

import shutil
from collections.abc import Sequence, Set
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from tmunet.check.findings import CheckReport
from tmunet.check.fix_file import REWRITTEN, fix_file
from tmunet.check.format import as_text, printable
from tmunet.check.run import check_dataset
from tmunet.data.cases import Listing, list_folder, named_alike, read_dataset_info
from tmunet.data.json_object import read_json_object
from tmunet.data.split.splits import Split, read_split, write_split
from tmunet.errors import InputError, UsageError
from tmunet.files import sha256, write_json, write_text
from tmunet.temporary import whole_folder
from tmunet.text import pluralize

NOTES = "FIXED.md"
"""File of a copy that lists the changes and the remaining findings."""

_UNUSABLE = frozenset({"unreadable", "not-a-file"})


@dataclass(frozen=True)
class Change:
    """Change of a file, by its path in the data set folder."""

    file: str
    what: str


@dataclass(frozen=True)
class Fixed:
    """A fixed copy, its differences from the data set, and the report of a check of the copy."""

    destination: Path
    changes: tuple[Change, ...]
    left: CheckReport

    def to_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        changes = [asdict(change) for change in self.changes]
        return {"destination": str(self.destination), "changes": changes, "left": self.left.to_dict()}

    def __str__(self) -> str:
        return f"Copy: {self.destination}, with {pluralize(len(self.changes), 'change')}, listed in {NOTES}."


def fix(report: CheckReport, destination: Path) -> Fixed:
    """Write a fixed copy of a data set and check it.

    Files get the suffix of their content, images with an orientation tag are written upright, masks with one possible reading
    get the values 0 and 255, and files that cannot be read or have no partner go to ``set_aside/``. ``dataset.json`` and
    ``split.json`` follow; other split files do not. ``FIXED.md`` lists changes and remaining findings.

    Args:
        report: of `check_dataset`, on the data set as it is now.
        destination: a folder that does not exist yet; it appears when the copy is complete, or not at all.

    Raises:
        UsageError: `destination` exists, or is inside the data set.
        InputError: a file cannot be read or written.
    """
    if destination.exists() or destination.is_symlink():
        raise UsageError(
            f"Expected a new folder for the copy, but {destination} exists; choose another name.",
            code="exists",
            path=destination,
        )
    if destination.resolve().is_relative_to(report.folder.resolve()):
        raise UsageError(
            f"Expected a folder outside the data set, but got {destination}; the data set is only read.",
            code="inside-data",
            path=destination,
        )
    try:
        with whole_folder(destination) as target:
            changes = tuple(_Copy(report, target).write())
            left = replace(check_dataset(target), folder=destination)
            write_text(target / NOTES, _notes(report, changes, left))
    except (OSError, shutil.Error) as error:
        raise InputError(
            f"{destination}: the copy cannot be written: {error}. Nothing was left there.",
            code="unwritable",
            path=destination,
        ) from error
    return Fixed(destination, changes, left)


@dataclass
class _Copy:
    """Writer of a copy; `hashes` are SHA-256 of files with new content, by their path in the data set folder."""

    report: CheckReport
    target: Path
    changes: list[Change] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.source = self.report.folder
        older = sum(1 for _ in self.source.glob("set_aside*"))
        self.aside = self.target / (f"set_aside_{older + 1}" if older else "set_aside")

    def write(self) -> list[Change]:
        images, masks = list_folder(self.source / "images"), list_folder(self.source / "masks")
        kept = self._copy_images(images, masks)
        names = sorted(images.by_name())
        gone = frozenset(names) - kept
        if names and gone == frozenset(names):
            raise InputError(
                f"{self.source}: nothing is left: all {pluralize(len(names), 'case')} would be set aside, since "
                f"{self._why_aside(images, masks)}. No copy was written.",
                code="nothing-left",
                path=self.source,
            )
        self._copy_dataset_json(gone)
        self._copy_split(names, gone)
        for path in sorted(self.source.iterdir()):
            if path.name == NOTES:
                self._set_aside(path, "it belongs to an earlier copy")
            elif path.name not in ("images", "masks", "dataset.json", "split.json"):
                self._copy(path)
        return self.changes

    def _why_aside(self, images: Listing, masks: Listing) -> str:
        """How many files cannot be read, and the fault of the first."""
        faults = [finding for finding in self.report.findings if finding.kind in _UNUSABLE]
        if not faults:
            return f"no image of {images.folder.name}/ has a mask of its name in {masks.folder.name}/"
        return f"{pluralize(len(faults), 'file')} cannot be read, such as {faults[0].files[0]}: {faults[0].message}".rstrip(
            "."
        )

    def _copy_images(self, images: Listing, masks: Listing) -> frozenset[str]:
        """Copy ``images/`` and ``masks/``; return the names of the cases that stay."""
        kinds: dict[str, set[str]] = {}
        for finding in self.report.findings:
            for file in finding.files if finding.fixable else ():
                kinds.setdefault(file, set()).add(finding.kind)
        usable: list[dict[str, list[Path]]] = []
        for listing in (images, masks):
            found: dict[str, list[Path]] = {}
            for path in listing.images:
                if not kinds.get(self._name(path), set()) & _UNUSABLE:
                    found.setdefault(path.stem, []).append(path)
            usable.append(found)
        usable[1] = named_alike(usable[0], usable[1])
        name_of = {path: name for found in usable for name, paths in found.items() for path in paths}
        complete = images.error is None and masks.error is None
        kept = frozenset(usable[0].keys() & usable[1].keys() if complete else usable[0].keys() | usable[1].keys())
        for listing, found in zip((images, masks), usable, strict=True):
            for path in sorted(listing.folder.iterdir()) if listing.error is None else ():
                of_file = kinds.get(self._name(path), set())
                if of_file & _UNUSABLE:
                    self._set_aside(path, "it cannot be read")
                elif path in name_of and name_of[path] not in kept:
                    self._set_aside(path, f"it has no usable {'mask' if listing is images else 'image'}")
                elif of_file & REWRITTEN and len(found[name_of[path]]) == 1:
                    self._rewrite(path, of_file & REWRITTEN, listing is masks)
                else:
                    self._copy(path)
        return kept

    def _copy_dataset_json(self, gone: Set[str]) -> None:
        """Copy ``dataset.json`` with new hashes for files with new content, without records of cases that are gone."""
        path = self.source / "dataset.json"
        if not path.exists():
            return
        self._copy(path)
        try:
            records = read_dataset_info(self.source).records
            content = read_json_object(path)
        except InputError:  # a finding that remains
            return
        kept = {name: record.to_dict() for name, record in records.items() if name not in gone}
        renewed = 0
        for file, digest in self.hashes.items():
            key = "image_sha256" if file.startswith("images/") else "mask_sha256"
            entry = kept.get(PurePosixPath(file).stem, {})
            if key in entry:
                entry[key] = digest
                renewed += 1
        spacings = content.get("spacing_mm", {})
        left = {name: spacing for name, spacing in spacings.items() if name not in gone}
        if renewed or len(kept) < len(records) or len(left) < len(spacings):
            self._copy(path, self.aside / path.name)
            entries = {"cases": kept} | ({"spacing_mm": left} if spacings else {})
            write_json(self.target / path.name, {**content, **entries})
            removed = len(records) - len(kept)
            self._note(
                path, f"{renewed} hashes renewed, {removed} records removed; the original is in {self.aside.name}/"
            )

    def _copy_split(self, names: Sequence[str], gone: Set[str]) -> None:
        """Copy ``split.json`` without the cases that are gone, as long as one is left in train."""
        path = self.source / "split.json"
        if not path.exists():
            return
        self._copy(path)
        try:
            sides = read_split(path, names).to_dict()
        except InputError:  # a finding that remains
            return
        kept = {side: tuple(name for name in members if name not in gone) for side, members in sides.items()}
        removed = sum(map(len, sides.values())) - sum(map(len, kept.values()))
        if removed and kept["train"]:
            self._copy(path, self.aside / path.name)
            write_split(self.target / path.name, Split(**kept))
            cases = pluralize(removed, "case")
            self._note(path, f"{cases} removed, so its hash is another; the original is in {self.aside.name}/")

    def _rewrite(self, path: Path, kinds: Set[str], is_mask: bool) -> None:
        try:
            suffix, content, what = fix_file(path, kinds, is_mask)
        except InputError:  # a mask of colors with an orientation tag: its other finding remains
            self._copy(path)
            return
        place = (self.target / path.relative_to(self.source)).with_suffix(suffix)
        self._copy(path, place)
        if content is not None:
            place.write_bytes(content)
            self.hashes[self._name(path)] = sha256(place)
            what += f"; the file is now {place.name}" * (place.name != path.name)
        self._note(path, what)

    def _set_aside(self, path: Path, reason: str) -> None:
        self._copy(path, self.aside / path.relative_to(self.source))
        self._note(path, f"moved to {self.aside.name}/, since {reason}")

    def _copy(self, path: Path, target: Path | None = None) -> None:
        """Copy a file, a folder or a broken link to the same place, or to another."""
        place = target or self.target / path.relative_to(self.source)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            shutil.copy2(path, place)
        elif path.is_symlink():  # broken, or to a folder
            place.symlink_to(path.readlink())
        elif path.is_dir():
            shutil.copytree(path, place, symlinks=True)
        else:
            self._note(path, "was not copied, since it is no file")

    def _note(self, path: Path, what: str) -> None:
        self.changes.append(Change(self._name(path), what))

    def _name(self, path: Path) -> str:
        return path.relative_to(self.source).as_posix()


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
