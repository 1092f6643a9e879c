"""Rules about the data set as a whole: mixed images, unused classes, duplicates, and the split."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from tmunet.check.file_rules import read_json_file
from tmunet.check.findings import Finding, Severity
from tmunet.check.inspect import CaseInspection, ImageFacts
from tmunet.check.rules import finding, sentence, shortened
from tmunet.data.cases import DatasetInfo
from tmunet.data.io.spacing import agree
from tmunet.data.split.class_counts import count_classes
from tmunet.data.split.leakage import Leak, LeakReport, find_leaks
from tmunet.data.split.near_duplicates import NEAR_DUPLICATE, find_similar_pairs
from tmunet.data.split.splits import Split, read_split
from tmunet.errors import InputError
from tmunet.text import pluralize

_MAX_PAIRS = 1000  # a still video of N frames has N * N / 2 pairs
_SHOWN_LEAKS = 10


def check_consistency(inspections: Sequence[CaseInspection], info: DatasetInfo | None) -> Iterator[Finding]:
    """Check for mixed bit depths and channels, and for classes that no mask has."""
    yield from _mixture(inspections, "mixed-bits", lambda image: image.bits)
    yield from _mixture(inspections, "mixed-channels", lambda image: image.channels)
    if info is not None:
        yield from _unused_classes(inspections, info)


def _mixture(inspections: Sequence[CaseInspection], kind: str, of: Callable[[ImageFacts], int]) -> Iterator[Finding]:
    """One finding about all images that are not of the most frequent kind."""
    members: dict[int, list[CaseInspection]] = {}
    for one in inspections:
        if one.image is not None and one.is_case:
            members.setdefault(of(one.image), []).append(one)
    if len(members) < 2:
        return
    counts = {value: len(members[value]) for value in sorted(members)}
    usual = max(counts, key=lambda value: (counts[value], -value))
    others = [one for value in counts if value != usual for one in members[value]]
    severity: Severity | None = "note" if kind == "mixed-channels" and set(counts) <= {1, 3} else None
    yield finding(
        kind,
        tuple(one.image_file.file for one in others if one.image_file is not None),
        tuple(one.name for one in others),
        severity=severity,
        counts=", ".join(f"{value} ({pluralize(count, 'image')})" for value, count in counts.items()),
        usual=usual,
    )


def check_spacings(
    info: DatasetInfo, names: Sequence[str], inspections: Sequence[CaseInspection], data: Path
) -> Iterator[Finding]:
    """Check `spacing_mm` of ``dataset.json``: names that are no case, and image files that state another spacing."""
    known = frozenset(names)
    if gone := [name for name in info.spacings if name not in known]:
        shown, count = shortened([repr(name) for name in gone], _SHOWN_LEAKS), pluralize(len(gone), "case")
        yield finding("spacing-without-case", ("dataset.json",), tuple(gone), count=count, names=shown)
    for one in inspections:
        if not one.is_case or one.image_file is None or one.name not in info.spacings:
            continue
        try:
            agree(data / one.image_file.file, info.spacings[one.name])
        except InputError as error:
            fault = str(error).removeprefix(f"{data / one.image_file.file}: ")
            yield finding("contradicting-spacing", (one.image_file.file,), (one.name,), fault=sentence(f"{fault}"))


def _unused_classes(inspections: Sequence[CaseInspection], info: DatasetInfo) -> Iterator[Finding]:
    shares = [one.mask.shares for one in inspections if one.mask is not None and one.mask.shares]
    if not shares:
        return
    unused = [label for label, name in enumerate(info.classes) if label and not any(share[name] for share in shares)]
    hint = (
        "Open the masks: there must be a class to learn besides the background."
        if len(unused) == len(info.classes) - 1
        else "Take it out of dataset.json (later labels then count down), or find out whether its label was lost."
    )
    for label in unused:
        yield finding("unused-class", name=info.classes[label], label=label, masks=len(shares), hint=hint)


def check_duplicates(inspections: Sequence[CaseInspection]) -> Iterator[Finding]:
    """Check for exact duplicates, duplicates with different masks, and near-duplicates."""
    groups = _exact_duplicates(inspections)
    for group in groups:
        files = tuple(one.image_file.file for one in group if one.image_file is not None)
        cases = tuple(one.name for one in group)
        copies = len({one.image_file.sha256 for one in group if one.image_file is not None}) == 1
        how = "byte for byte" if copies else "in every pixel, saved differently"
        masks = len({one.mask.sha256 for one in group if one.mask is not None and one.mask.sha256 is not None})
        kind = "contradicting-masks" if masks > 1 else "duplicate"
        yield finding(kind, files, cases, count=len(group), how=how, masks=masks)
    further = {one.name for group in groups for one in group[1:]}
    yield from _near_duplicates([one for one in inspections if one.is_case and one.name not in further])


def _exact_duplicates(inspections: Sequence[CaseInspection]) -> list[list[CaseInspection]]:
    """Group cases whose images have the same pixels."""
    groups: dict[str, list[CaseInspection]] = {}
    for one in inspections:
        if one.image is not None and one.is_case:
            groups.setdefault(one.image.sha256, []).append(one)
    return [group for group in groups.values() if len(group) > 1]


def _near_duplicates(inspections: Sequence[CaseInspection]) -> Iterator[Finding]:
    images = [
        (one.name, one.image_file.file, one.image.signature) for one in inspections if one.image and one.image_file
    ]
    pairs = find_similar_pairs([signature for _, _, signature in images], NEAR_DUPLICATE)
    for i, j, correlation in islice(pairs, _MAX_PAIRS):
        message = f"The two images are nearly the same: correlation {correlation:.4f}, above {NEAR_DUPLICATE}."
        yield finding("near-duplicate", (images[i][1], images[j][1]), (images[i][0], images[j][0]), message=message)
    if more := sum(1 for _ in pairs):
        yield finding("near-duplicate", message=f"{more:,} more pairs are nearly the same; they are not listed.")


def check_split(
    path: Path, names: Sequence[str], info: DatasetInfo | None, inspections: Sequence[CaseInspection]
) -> tuple[Split | None, LeakReport | None, list[Finding]]:
    """Check a split file: validity, data leakage, classes that are absent from a subset.

    Returns:
        The split and its leakage, None if it cannot be read, and the findings.
    """
    split, findings = read_json_file("split-file", path, lambda: read_split(path, names))
    if split is None:
        return None, None, findings
    file = (path.name,)
    sides = {name: side for side, members in split.to_dict().items() for name in members}
    groups: dict[str, str | None] = {one.name: one.patient for one in inspections}
    stated = {name: info.records[name].group for name in names if name in info.records} if info else {}
    groups |= {name: group for name, group in stated.items() if group is not None}
    uniform = np.zeros(64 * 64, np.float32)  # similar to no image: for cases that could not be read
    signatures = {one.name: one.image.signature for one in inspections if one.image is not None and one.is_case}
    leaks = find_leaks(split, groups, {name: signatures.get(name, uniform) for name in sides})
    for comparison in leaks.leaking:
        pairs = shortened([_describe_leak(leak) for leak in comparison.leaks], _SHOWN_LEAKS, "; ")
        cases = tuple(leak.case for leak in comparison.leaks)
        findings.append(finding("leak", file, cases, sentence=sentence(str(comparison)), pairs=pairs))
    for group in _exact_duplicates(inspections):
        on = {one.name: sides[one.name] for one in group if one.name in sides}
        if len(set(on.values())) > 1:
            where = ", ".join(f"{name} ({side})" for name, side in on.items())
            findings.append(finding("duplicate-across-sides", file, tuple(on), where=where))
    findings += _absent_classes(file, split, info, inspections) if info else ()
    if outside := tuple(name for name in names if name not in sides):
        findings.append(finding("not-in-split", file, outside, count=len(outside), total=len(names)))
    return split, leaks, findings


def _describe_leak(leak: Leak) -> str:
    reasons = [f"correlation {leak.likeness:.3f}"] if leak.likeness is not None else []
    reasons += [f"both of {leak.group}"] if leak.group is not None else []
    return f"{leak.case} and {leak.relative} ({', '.join(reasons)})"


def _absent_classes(
    file: tuple[str, ...], split: Split, info: DatasetInfo, inspections: Sequence[CaseInspection]
) -> Iterator[Finding]:
    """Classes that are absent from a subset; a subset with an unreadable mask is not checked."""
    shares = {one.name: one.mask.shares for one in inspections if one.is_case and one.mask is not None}
    present = {name: [label for label, share in (on or {}).items() if share > 0] for name, on in shares.items()}
    readable = {name for name, on in shares.items() if on is not None}
    checked = {side for side, names in split.to_dict().items() if readable.issuperset(names)}
    known = {name: present.get(name, []) for names in split.to_dict().values() for name in names}
    for count in count_classes(split, info.classes[1:], known):
        absent = tuple(side for side in count.absent if side in checked)
        cases = tuple(name for name, on in present.items() if count.name in on)
        if absent and cases:  # a class on no case is the finding "unused-class"
            severity: Severity = "fault" if "train" in absent else "warning"
            text = sentence(str(replace(count, absent=absent)))
            yield finding("class-not-on-side", file, cases, severity=severity, sentence=text)
