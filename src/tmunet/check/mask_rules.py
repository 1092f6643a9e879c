"""Rules about masks: values, palettes, empty and full masks, tiny components."""

from collections.abc import Iterator, Sequence

import numpy as np

from tmunet.check.findings import Finding
from tmunet.check.inspect import CaseInspection, MaskFacts
from tmunet.check.rules import finding, sentence
from tmunet.data.cases import DatasetInfo
from tmunet.data.io.mask_values import FEW_VALUES, Counts, advice, describe_values
from tmunet.data.io.masks import expected_values
from tmunet.data.io.palettes import CONFLICT_HINT, find_conflict
from tmunet.text import pluralize

_DARK, _BRIGHT = 63, 192
_PLANE_KINDS = {"inverted": "mask-inverted", "transparent": "mask-transparent", "colors": "mask-colors"}


def check_masks(inspections: Sequence[CaseInspection], info: DatasetInfo | None) -> Iterator[Finding]:
    """Check every decoded mask; values are validated only if the classes are known."""
    masks = [
        (one.mask_file.file, one.name, one.mask)
        for one in inspections
        if one.mask is not None and one.mask_file is not None
    ]
    value_sets = frozenset(mask.values for _, _, mask in masks if 0 < len(mask.values) <= FEW_VALUES)
    for file, case, mask in masks:
        yield from _check_mask(file, case, mask)
    if info is not None:
        yield from _check_values(masks, info, value_sets)
    conflict = find_conflict((file, mask.legend) for file, _, mask in masks)
    if conflict is not None:
        case_of = {file: case for file, case, _ in masks}
        yield finding(
            "palettes-differ",
            conflict.files,
            tuple(case_of[file] for file in conflict.files),
            conflict=sentence(conflict.message),
            hint=f"{sentence(CONFLICT_HINT)}.",
        )


def _check_mask(file: str, case: str, mask: MaskFacts) -> Iterator[Finding]:
    where = (file,), (case,)
    if mask.is_image:
        yield finding("mask-is-image", *where, severity="fault" if mask.refusal else "warning")
    elif mask.refusal == "palette":
        yield finding("palette-unclear", *where, reason=sentence(mask.found))
    elif mask.refusal == "numbers":
        yield finding("mask-numbers", *where, found=sentence(mask.found))
    elif mask.refusal not in (None, "values"):
        yield finding(_PLANE_KINDS[mask.refusal], *where, found=mask.found)
    if mask.ignored:
        yield finding("all-ignored", *where)
    elif mask.shares is not None and not any(mask.shares.values()):
        yield finding("empty-mask", *where)
    elif mask.shares and (full := [name for name, share in mask.shares.items() if share == 1]):
        yield finding("full-mask", *where, name=full[0])
    if (tiny := mask.tiny) is not None:
        yield finding(
            "tiny-components",
            *where,
            components=pluralize(tiny.count, "tiny component"),
            at_most="" if tiny.count == 1 else "at most ",
            pixels=tiny.pixels,
            typical=tiny.typical,
        )


def _check_values(
    masks: Sequence[tuple[str, str, MaskFacts]], info: DatasetInfo, value_sets: frozenset[tuple[int, ...]]
) -> Iterator[Finding]:
    """One finding for all masks of one kind of wrong values: the same advice holds for all of them."""
    binary = len(info.classes) == 2 and info.ignore_label is None
    groups: dict[tuple[str, bool], list[tuple[str, str, MaskFacts]]] = {}
    for file, case, mask in masks:
        if mask.refusal == "values" and not mask.is_image:
            kind = "mask-gray" if len(mask.values) > FEW_VALUES else "mask-values"
            fixable = binary and _is_unambiguous(mask.values, value_sets)
            groups.setdefault((kind, fixable), []).append((file, case, mask))
    for (kind, fixable), group in groups.items():
        counts = [_counts(mask) for _, _, mask in group]
        described, hint = describe_values(counts, len(masks), info.classes, info.ignore_label)
        if len(group) == 1:
            described, hint = group[0][2].found, advice(counts[0], info.classes, info.ignore_label)
        if fixable:
            hint = "`tmunet check DATA --fix COPY` writes 0 and 255: each value is near one of them."
        yield finding(
            kind,
            tuple(file for file, _, _ in group),
            tuple(case for _, case, _ in group),
            fixable=fixable,
            expected=expected_values(info.classes, info.ignore_label),
            found=described,
            hint=hint,
        )


def _counts(mask: MaskFacts) -> Counts:
    counts = np.zeros(mask.values[-1] + 1, np.intp)
    counts[list(mask.values)] = mask.pixels
    return counts


def _is_unambiguous(values: tuple[int, ...], value_sets: frozenset[tuple[int, ...]]) -> bool:
    """Whether only one reading as background and foreground is possible.

    Either there are two values, 0 and one that no mask of the data set holds beside a third; or dark and bright values with
    nothing in between, and of each more than one, as JPEG leaves them around an edge. 0, 1 and 255 are not read so: there
    255 often means "ignore".
    """
    if len(values) == 2 and values[0] == 0:
        return all({*other} <= {*values} or {*other} <= {0, 255} for other in value_sets)
    dark, bright = [v for v in values if v <= _DARK], [v for v in values if _BRIGHT <= v <= 255]
    return len(dark) > 1 and len(bright) > 1 and len(dark) + len(bright) == len(values)
