"""The files of a distribution put in order: one image and its mask for each name, and what is left over."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import PurePosixPath

from tmunet.data.cases import natural_key
from tmunet.datasets._build.import_plan import SetFacts
from tmunet.datasets._build.source import Source
from tmunet.errors import DataError

Files = Mapping[str, PurePosixPath]
_SHOWN = 5


def by_name(named: Iterable[tuple[str, PurePosixPath]], faults: list[str]) -> dict[str, PurePosixPath]:
    """Give the file of each case; a second file of a name is added to the faults."""
    found: dict[str, PurePosixPath] = {}
    for name, path in sorted(named):
        if name in found:
            faults.append(f"{path}: is a second file of the case {name!r} beside {found[name]}; keep one of the two.")
        found.setdefault(name, path)
    return found


def without_partner(images: Files, masks: Files) -> list[str]:
    """Give a fault for every image that has no mask, and for every mask that has no image."""
    alone = [(name, images[name], "mask") for name in images.keys() - masks.keys()]
    alone += [(name, masks[name], "image") for name in masks.keys() - images.keys()]
    return [
        f"{path}: the case {name!r} has no {missing}; download the set again, or take this file out."
        for name, path, missing in sorted(alone, key=lambda entry: natural_key(entry[0]))
    ]


def refuse(source: Source, facts: SetFacts, found: Collection[object], faults: list[str]) -> None:
    """Raise all faults of a source at once, or that none of the files of the set was found.

    Args:
        source: what was looked at.
        facts: of the set that was looked for.
        found: whatever of the set was found.
        faults: of the files that were found.

    Raises:
        DataError: there are faults, or nothing was found.
    """
    if not found and not faults:
        seen = listing(map(str, source.files)) or "no files"
        faults = [
            f"expected {facts.name} as its source distributes it: {facts.layout}; found {seen}. Point at the folder or "
            "archive of the download."
        ]
    if faults:
        raise DataError(str(source.location), faults)


def not_used(source: Source, used: Iterable[PurePosixPath]) -> tuple[str, ...]:
    """Give a remark about the files that no case is made from, if there are any."""
    rest = source.files.keys() - set(used)
    return (f"Not used: {listing(map(str, rest))}.",) if rest else ()


def not_there(expected: Iterable[str], found: Iterable[str], of: str) -> tuple[str, ...]:
    """Give a remark about the cases of the full set that a source does not have, if there are any.

    >>> not_there(["001", "002", "003"], ["002"], "frames")
    ('1 of the 3 frames are here; missing: 001, 003.',)
    """
    wanted = set(expected)
    missing = wanted - set(found)
    here = len(wanted) - len(missing)
    return (f"{here} of the {len(wanted)} {of} are here; missing: {listing(missing)}.",) if missing else ()


def listing(names: Iterable[str]) -> str:
    """Put names into natural order; of many only the first are shown, and the rest is counted.

    >>> listing(["10", "9", "8", "7", "6", "5", "4"])
    '4, 5, 6, 7, 8 and 2 more'
    """
    ordered = sorted(names, key=natural_key)
    more = len(ordered) - _SHOWN
    return ", ".join(ordered[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
