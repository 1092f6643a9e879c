"""How many images of each side of a split show each class, and what follows where none does."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from tmunet.data.split.splits import Split
from tmunet.text import pluralize

_HARM = {
    "train": "training cannot learn it",
    "val": "the epoch that is kept is chosen without it",
    "test": "test scores say nothing of it",
}


@dataclass(frozen=True)
class ClassCount:
    """A class on the sides of a split.

    Attributes:
        name: of the class.
        images: number of images with it by side: train, val, test.
        absent: sides that have images, but none with it.
        units: number of groups (or near twins, or images by themselves) with it; None if that was not looked at.
    """

    name: str
    images: Mapping[str, int]
    absent: tuple[str, ...]
    units: int | None = None

    def told(self, places: str) -> str:
        """Say in a line on how many images the class is, that it is absent from these places, and what follows."""
        harm = ", ".join(_HARM[side] for side in _HARM if side in self.absent)
        total = sum(self.images.values())
        if not total:
            return f"the class {self.name!r} is on no image of the split: {harm}"
        within = "" if self.units is None else f" in {pluralize(self.units, 'unit')}"
        return f"the class {self.name!r}, on {pluralize(total, 'image')}{within}, is absent from {places}: {harm}"

    def __str__(self) -> str:
        return self.told(" and ".join(self.absent) or "no side")


def count_classes(
    split: Split,
    classes: Sequence[str],
    present: Mapping[str, Collection[str]],
    units: Sequence[Sequence[str]] | None = None,
) -> tuple[ClassCount, ...]:
    """Count the images with each class on each side.

    Args:
        split: names on three sides.
        classes: names of all classes but the background.
        present: those of them that are on each case of the split.
        units: the cases that belong together, if that is known.
    """
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
    """Say of each class that is absent from a side in which split that is; a line a class.

    Args:
        splits: counts of the same classes in one split, or in each fold, by its name.
    """
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
            lines.append(whole.told("; ".join(places)) if len(splits) > 1 else str(whole))
    return lines
