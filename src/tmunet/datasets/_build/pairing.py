"""Pair images with masks: file rules of an importer, and the plan that follows from them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from tmunet.data.cases import natural_key
from tmunet.datasets._build.conversion import threshold_union
from tmunet.datasets._build.faults import DatasetImportError, Fault
from tmunet.datasets._build.import_plan import DatasetFacts, ImportPlan, PlannedCase, ReadMask, Subset
from tmunet.datasets._build.source import SourceFiles

Files = Mapping[str, PurePosixPath]
_MAX_SHOWN = 5
_KEEP_ONE = "keep one of the two; if one folder is a copy, or an archive extracted beside itself, move it away"


@dataclass(frozen=True)
class FileRule:
    r"""Which files of a source are the images, or the masks, of a data set.

    Attributes:
        pattern: regular expression for the end of a path, such as ``r"(?i:images)/(\d+)\.png"``; what its groups match,
            joined by ``_``, is the case name.
        among: regular expression for the files that have to match `pattern`; others are skipped. By default none has to.
        expected: names that `pattern` matches, such as "1.tif to 612.tif", for the fault of a file that does not.
        case: gives the case name from the match, or None if the name is wrong.
    """

    pattern: str
    among: str = ""
    expected: str = ""
    case: Callable[[re.Match[str]], str | None] = lambda match: "_".join(match.groups())

    def find_all(self, source: SourceFiles, faults: list[Fault]) -> dict[str, list[PurePosixPath]]:
        """Find the files of each case, in natural order of their paths; wrong names are added to the faults."""
        found: dict[str, list[PurePosixPath]] = {}
        for path in sorted(source.files, key=lambda path: natural_key(str(path))):
            match = re.fullmatch(f"(?:.*/)?{self.pattern}", str(path))
            name = self.case(match) if match else None
            if name is not None:
                found.setdefault(name, []).append(path)
            elif match or (self.among and re.fullmatch(f"(?:.*/)?{self.among}", str(path))):
                faults.append(Fault("file-name", path, f"expected a name such as {self.expected}", "rename or remove it"))
        return found

    def find(self, source: SourceFiles, faults: list[Fault]) -> dict[str, PurePosixPath]:
        """Find the one file of each case; wrong names and further files of a case are added to the faults."""
        return keep_first(self.find_all(source, faults), faults)


def keep_first(found: Mapping[str, Sequence[PurePosixPath]], faults: list[Fault]) -> dict[str, PurePosixPath]:
    """Give the first file of each case; further ones are added to the faults."""
    for name, paths in found.items():
        faults += [
            Fault("duplicate-file", path, f"the case {name!r} has this file and {paths[0]}", _KEEP_ONE)
            for path in paths[1:]
        ]
    return {name: paths[0] for name, paths in found.items()}


def plan_pairs(
    source: SourceFiles,
    facts: DatasetFacts,
    images: Files,
    masks: Mapping[str, PurePosixPath | Sequence[PurePosixPath]],
    faults: Sequence[Fault],
    *,
    read_mask: Callable[[SourceFiles, Sequence[PurePosixPath]], ReadMask] = threshold_union,
    group: Callable[[str], str | None] = lambda _name: None,
    official: Mapping[Subset, Sequence[str]] | None = None,
    remarks: Iterable[str] = (),
    used: Iterable[PurePosixPath] = (),
) -> ImportPlan:
    """Plan a case for each image and its masks.

    Args:
        source: where the files are.
        facts: of the data set.
        images: image file by case name.
        masks: mask file, or files, by case name.
        faults: that were found before.
        read_mask: reads the mask of a case from its mask files.
        group: gives the group of a case name.
        official: case names of the official split.
        remarks: about this download; one about unused files follows.
        used: other files that the importer read, or skips on purpose.

    Raises:
        DatasetImportError: all faults, images without mask and masks without image among them; or no files were found.
    """
    faults = [*faults, *unpaired(images, masks)]
    check_found(source, facts, images.keys() | masks.keys(), faults)
    files = {name: (paths,) if isinstance(paths, PurePosixPath) else tuple(paths) for name, paths in masks.items()}
    known = {*images.values(), *(path for paths in files.values() for path in paths), *used}
    return ImportPlan(
        facts,
        tuple(
            PlannedCase(name, images[name], files[name], read_mask(source, files[name]), group(name))
            for name in sorted(images, key=natural_key)
        ),
        official or {},
        (*remarks, *unused_files(source, known)),
    )


def unpaired(images: Files, masks: Mapping[str, PurePosixPath | Sequence[PurePosixPath]]) -> list[Fault]:
    """List images without mask and masks without image."""
    missing = [(name, images[name], "mask") for name in images.keys() - masks.keys()]
    missing += [
        (name, paths if isinstance(paths, PurePosixPath) else paths[0], "image")
        for name, paths in masks.items()
        if name not in images
    ]
    hint = "download the data set again, or remove this file"
    return [
        Fault(f"missing-{partner}", path, f"the case {name!r} has no {partner}", hint)
        for name, path, partner in sorted(missing, key=lambda entry: natural_key(entry[0]))
    ]


def check_found(source: SourceFiles, facts: DatasetFacts, found: Iterable[object], faults: Sequence[Fault]) -> None:
    """Raise the faults, or that no file of the data set was found.

    Raises:
        DatasetImportError: there are faults, or `found` is empty.
    """
    if not any(True for _ in found) and not faults:
        others = shorten(map(str, source.files)) or "no files"
        message = f"expected {facts.name} as its source distributes it: {facts.layout}; found {others}"
        faults = [Fault("layout", "", message, "give the folder or archive of the download")]
    if faults:
        raise DatasetImportError(source.location, faults)


def unused_files(source: SourceFiles, used: Iterable[PurePosixPath]) -> list[str]:
    """Remark on files that no case is made from, if there are any."""
    unused = source.files.keys() - set(used)
    return [f"Not used: {shorten(map(str, unused))}."] if unused else []


def missing_cases(expected: Iterable[str], found: Iterable[str], noun: str) -> list[str]:
    """Remark on cases of the full data set that are missing, if there are any.

    >>> missing_cases(["001", "002", "003"], ["002"], "frames")
    ['1 of the 3 frames are here; missing: 001, 003.']
    """
    wanted = set(expected)
    missing = wanted - set(found)
    here = len(wanted) - len(missing)
    return [f"{here} of the {len(wanted)} {noun} are here; missing: {shorten(missing)}."] if missing else []


def missing_count(found: int, full: int, noun: str) -> list[str]:
    """Remark on a number of cases that is not that of the full data set.

    >>> missing_count(3, 1000, "cases")
    ['3 cases are here; the full set has 1000.']
    """
    return [] if found == full else [f"{found} {noun} are here; the full set has {full}."]


def shorten(names: Iterable[str]) -> str:
    """Join names in natural order; only the first five are shown.

    >>> shorten(["10", "9", "8", "7", "6", "5", "4"])
    '4, 5, 6, 7, 8 and 2 more'
    """
    ordered = sorted(names, key=natural_key)
    more = len(ordered) - _MAX_SHOWN
    return ", ".join(ordered[:_MAX_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
