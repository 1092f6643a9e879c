"""What is wrong with a split, what leaks through it, and which classes it leaves off a side."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tmunet.check.dataset_json import reading
from tmunet.check.duplicates import exact_duplicates
from tmunet.check.findings import Finding
from tmunet.check.inspect import Look
from tmunet.data.cases import DatasetInfo
from tmunet.data.split.class_counts import ClassCount, count_classes
from tmunet.data.split.leakage import Comparison, Leak, LeakReport, find_leaks
from tmunet.data.split.near_duplicates import Signature
from tmunet.data.split.splits import Split, read_split

_SHOWN = 10
_BALANCED = "Split anew with `tmunet split DATA`, which balances classes, or add images with it from other groups."
_GROUPED = "Split anew with `tmunet split DATA --kind grouped`, which keeps what belongs together on one side."


def check_split(
    path: Path, names: Sequence[str], info: DatasetInfo | None, looks: Sequence[Look]
) -> tuple[Split | None, LeakReport | None, list[Finding]]:
    """Read a split file, look for leaks, and for sides without a class.

    Args:
        path: the split file.
        names: of all cases.
        info: groups of the cases, if they are known.
        looks: at the cases.

    Returns:
        The split and its leaks, None if it cannot be read, and the findings.
    """
    split, findings = reading(
        path.parent,
        path.name,
        "split-file",
        "Correct the split file, or make a new one: `tmunet split DATA`.",
        lambda: read_split(path, names),
    )
    if split is None:
        return None, None, findings
    sides = {name: side for side, members in split.to_dict().items() for name in members}
    groups = {name: info.records[name].group for name in names if name in info.records} if info else {}
    leaks = find_leaks(split, groups, _signatures(sides, looks))
    findings += [_leak(path.name, comparison) for comparison in leaks.leaking]
    findings += _across(path.name, sides, looks)
    findings += _absent(path.name, split, info, looks) if info else ()
    if outside := tuple(name for name in names if name not in sides):
        message = f"{len(outside):,} of {len(names):,} cases are on no side of the split, so they are not used."
        findings.append(
            Finding("not-in-split", "note", message, "Nothing, if that is meant.", (path.name,), outside),
        )
    return split, leaks, findings


def _signatures(names: dict[str, str], looks: Sequence[Look]) -> dict[str, Signature]:
    blank = np.zeros(64 * 64, np.float32)  # like no other image: for cases that could not be read
    found = {look.name: look.image.signature for look in looks if look.image is not None and look.is_case}
    return {name: found.get(name, blank) for name in names}


def _leak(file: str, comparison: Comparison) -> Finding:
    first = "; ".join(map(_words, comparison.leaks[:_SHOWN]))
    more = f" and {len(comparison.leaks) - _SHOWN:,} more" if len(comparison.leaks) > _SHOWN else ""
    sentence = str(comparison)
    return Finding(
        "leak",
        "warning",
        f"{sentence[0].upper()}{sentence[1:]}: {first}{more}.",
        _GROUPED,
        (file,),
        tuple(leak.case for leak in comparison.leaks),
    )


def _words(leak: Leak) -> str:
    reasons = [f"correlation {leak.likeness:.3f}"] if leak.likeness is not None else []
    reasons += [f"both of {leak.group}"] if leak.group is not None else []
    return f"{leak.case} and {leak.relative} ({', '.join(reasons)})"


def _across(file: str, sides: dict[str, str], looks: Sequence[Look]) -> Iterator[Finding]:
    for group in exact_duplicates(looks):
        on = {look.name: sides[look.name] for look in group if look.name in sides}
        if len(set(on.values())) > 1:
            where = ", ".join(f"{name} ({side})" for name, side in on.items())
            message = f"The same image is on more than one side: {where}."
            yield Finding("duplicate-across-sides", "warning", message, _GROUPED, (file,), tuple(on))


def _absent(file: str, split: Split, info: DatasetInfo, looks: Sequence[Look]) -> Iterator[Finding]:
    """Classes that are absent from a side; a side with a mask that cannot be read is not judged."""
    shares = {look.name: look.mask.shares for look in looks if look.is_case and look.mask is not None}
    present = {name: [label for label, share in (on or {}).items() if share > 0] for name, on in shares.items()}
    readable = {name for name, on in shares.items() if on is not None}
    judged = {side for side, names in split.to_dict().items() if readable.issuperset(names)}
    known = {name: present.get(name, []) for names in split.to_dict().values() for name in names}
    for count in count_classes(split, info.classes[1:], known):
        absent = tuple(side for side in count.absent if side in judged)
        cases = tuple(name for name, on in present.items() if count.name in on)
        if absent and cases:  # a class on no case is the finding "unused-class"
            yield _of_class(file, replace(count, absent=absent), cases)


def _of_class(file: str, count: ClassCount, cases: tuple[str, ...]) -> Finding:
    sentence = str(count)
    return Finding(
        "class-not-on-side",
        "fault" if "train" in count.absent else "warning",
        f"{sentence[0].upper()}{sentence[1:]}.",
        _BALANCED,
        (file,),
        cases,
    )
