"""Pictures that are in a data set more than once."""

from collections.abc import Iterator, Sequence
from itertools import islice

from tmunet.check.findings import Finding
from tmunet.check.inspect import Look
from tmunet.data.split.near_duplicates import NEAR_DUPLICATE, find_similar_pairs

_LISTED_PAIRS = 1000  # a still video of N frames has N * N / 2 pairs


def exact_duplicates(looks: Sequence[Look]) -> list[list[Look]]:
    """Cases whose images have the same pixels, in groups of two or more."""
    groups: dict[str, list[Look]] = {}
    for look in looks:
        if look.image is not None and look.is_case:
            groups.setdefault(look.image.sha256, []).append(look)
    return [group for group in groups.values() if len(group) > 1]


def about_duplicates(looks: Sequence[Look]) -> Iterator[Finding]:
    """Findings about exact duplicates, the same with different masks, and near-duplicates."""
    groups = exact_duplicates(looks)
    for group in groups:
        yield _exact(group)
    further = {look.name for group in groups for look in group[1:]}
    yield from _near([look for look in looks if look.is_case and look.name not in further])


def _exact(group: Sequence[Look]) -> Finding:
    files = tuple(look.image_file.file for look in group if look.image_file is not None)
    cases = tuple(look.name for look in group)
    copies = len({look.image_file.sha256 for look in group if look.image_file is not None}) == 1
    how = "byte for byte" if copies else "in every pixel, saved differently"
    drawn = {look.mask.sha256 for look in group if look.mask is not None and look.mask.sha256 is not None}
    if len(drawn) > 1:
        return Finding(
            "contradicting-masks",
            "warning",
            f"{len(group)} images are the same ({how}), but {len(drawn)} different masks are drawn on them.",
            "Choose the right mask and remove the other cases: no prediction can be right for all of them.",
            files,
            cases,
        )
    return Finding(
        "duplicate",
        "warning",
        f"{len(group)} images are the same ({how}).",
        "Keep one of them; at least let `tmunet split DATA --kind grouped` keep them on one side.",
        files,
        cases,
    )


def _near(looks: Sequence[Look]) -> Iterator[Finding]:
    shown = [
        (look.name, look.image_file.file, look.image.signature) for look in looks if look.image and look.image_file
    ]
    pairs = find_similar_pairs([small for _, _, small in shown], NEAR_DUPLICATE)
    mend = "Look at both; if they are one picture, keep one, or let `tmunet split DATA --kind grouped` keep them on one side."
    for i, j, likeness in islice(pairs, _LISTED_PAIRS):
        message = f"The two images are nearly the same: correlation {likeness:.4f}, above {NEAR_DUPLICATE}."
        yield Finding(
            "near-duplicate", "warning", message, mend, (shown[i][1], shown[j][1]), (shown[i][0], shown[j][0])
        )
    if more := sum(1 for _ in pairs):
        yield Finding(
            "near-duplicate", "warning", f"{more:,} more pairs are nearly the same; they are not listed.", mend
        )
