"""Count the images with each class in train, val and test; report classes that are absent."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from tmunet.data.split.splits import Split
from tmunet.text import pluralize

_CONSEQUENCE = {
    "train": "training cannot learn it",
    "val": "the best checkpoint is selected without it",
    "test": "test scores do not cover it",
}


@dataclass(frozen=True)
class ClassCount:
    """Images with a class in each subset of a split.

    Attributes:
        name: of the class.
        images: number of images with it in train, val and test.
        absent: subsets that have images, but none with it.
        units: number of groups with it (a single image is a group); None if not counted.
    """

    name: str
    images: Mapping[str, int]
    absent: tuple[str, ...]
    units: int | None = None

    def describe(self, where: str) -> str:
        """Describe the absence of the class, from the subsets or folds named by `where`, with its consequence."""
        consequence = ", ".join(_CONSEQUENCE[side] for side in _CONSEQUENCE if side in self.absent)
        total = sum(self.images.values())
        if not total:
            return f"the class {self.name!r} is on no image of the split: {consequence}"
        within = "" if self.units is None else f" in {pluralize(self.units, 'unit')}"
        return f"the class {self.name!r}, on {pluralize(total, 'image')}{within}, is absent from {where}: {consequence}"

    def __str__(self) -> str:
        return self.describe(" and ".join(self.absent) or "no subset")


def count_classes(
    split: Split,
    classes: Sequence[str],
    present: Mapping[str, Collection[str]],
    units: Sequence[Sequence[str]] | None = None,
) -> tuple[ClassCount, ...]:
    """Count the images with each class but the background in each subset; `present` are the classes on each case."""
    sides = split.to_dict()
    counts = []
    for name in classes:
        shown = {side: [case for case in cases if name in present[case]] for side, cases in sides.items()}
        absent = tuple(side for side, cases in sides.items() if cases and not shown[side])
        on = {case for cases in shown.values() for case in cases}
        number = None if units is None else sum(not on.isdisjoint(unit) for unit in units)
        counts.append(ClassCount(name, {side: len(cases) for side, cases in shown.items()}, absent, number))
    return tuple(counts)


def absences(splits: Mapping[str, Sequence[ClassCount]]) -> list[str]:
    """Describe each class that is absent from a subset, in one line; counts are given by name of the split or fold."""
    lines = []
    for counts in zip(*splits.values(), strict=True):
        absent = frozenset(side for count in counts for side in count.absent)
        if absent:
            whole = replace(counts[0], absent=tuple(side for side in counts[0].images if side in absent))
            places = [
                f"{' and '.join(count.absent)} of {name}"
                for name, count in zip(splits, counts, strict=True)
                if count.absent
            ]
            lines.append(whole.describe("; ".join(places)) if len(splits) > 1 else str(whole))
    return lines
