"""What a split lets through: test and validation images that training has seen in all but name."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tmunet.data.cases import natural_key
from tmunet.data.split.near_duplicates import SAME_SCENE, Signature, find_nearest
from tmunet.data.split.splits import Split
from tmunet.text import pluralize

_COMPARED = (("test", "train"), ("test", "val"), ("val", "train"))


@dataclass(frozen=True)
class Leak:
    """A case that has a relative on another side of the split.

    Attributes:
        case: its name.
        relative: the most alike near twin on the other side, or else the first case of its group there.
        likeness: correlation of the two images, or None if they only share a group.
        group: the group that they share, or None.
    """

    case: str
    relative: str
    likeness: float | None
    group: str | None


@dataclass(frozen=True)
class Comparison:
    """One side of a split looked at from another.

    Attributes:
        side: "test" or "val".
        other: "train" or "val".
        images: number of cases of `side`.
        leaks: those of them with a relative on `other`.
    """

    side: str
    other: str
    images: int
    leaks: tuple[Leak, ...]

    @property
    def same_group(self) -> int:
        """Number of cases whose group lies on the other side too."""
        return sum(leak.group is not None for leak in self.leaks)

    @property
    def same_scene(self) -> int:
        """Number of cases with a near twin on the other side."""
        return sum(leak.likeness is not None for leak in self.leaks)

    def __str__(self) -> str:
        parts = []
        if self.same_group:
            share = "shares" if self.same_group == 1 else "share"
            parts.append(f"{self.same_group} {share} a group (video sequence, patient, slide) with {self.other} images")
        if self.same_scene:
            have = "has" if self.same_scene == 1 else "have"
            parts.append(f"{self.same_scene} {have} a near twin among the {self.other} images")
        return f"of {pluralize(self.images, f'{self.side} image')}, " + (
            " and ".join(parts) or f"none leaks into {self.other}"
        )


@dataclass(frozen=True)
class LeakReport:
    """What `find_leaks` found: test against train and val, val against train."""

    comparisons: tuple[Comparison, ...]

    @property
    def leaking(self) -> tuple[Comparison, ...]:
        """The comparisons with at least one leak."""
        return tuple(comparison for comparison in self.comparisons if comparison.leaks)

    def counts(self) -> dict[str, dict[str, int]]:
        """Give the numbers without the pairs: ``{"test in train": {"images": 61, "same_group": 0, "same_scene": 3}}``."""
        return {
            f"{seen.side} in {seen.other}": {
                "images": seen.images,
                "same_group": seen.same_group,
                "same_scene": seen.same_scene,
            }
            for seen in self.comparisons
        }

    def to_dict(self) -> list[dict[str, Any]]:
        """Give counts and pairs, for JSON."""
        return [
            {**asdict(comparison), "same_group": comparison.same_group, "same_scene": comparison.same_scene}
            for comparison in self.comparisons
        ]

    def __str__(self) -> str:
        found = [str(comparison) for comparison in self.leaking]
        return "; ".join(found) if found else "no group and no near twin lies on two sides"


def find_leaks(
    split: Split, groups: Mapping[str, str | None], signatures: Mapping[str, Signature], above: float = SAME_SCENE
) -> LeakReport:
    """Compare each side of a split with the sides that choose the model.

    Args:
        split: names on three sides.
        groups: of the cases, where known.
        signatures: `tmunet.data.split.near_duplicates.signature` of every case of the split.
        above: correlation above which two images are near twins.
    """
    sides = {side: sorted(names, key=natural_key) for side, names in split.to_dict().items()}
    return LeakReport(
        tuple(
            Comparison(side, other, len(sides[side]), _leaks(sides[side], sides[other], groups, signatures, above))
            for side, other in _COMPARED
        )
    )


def _leaks(
    side: list[str],
    other: list[str],
    groups: Mapping[str, str | None],
    signatures: Mapping[str, Signature],
    above: float,
) -> tuple[Leak, ...]:
    members: dict[str, str] = {}
    for name in other:
        if (group := groups.get(name)) is not None:
            members.setdefault(group, name)
    pairs = find_nearest([signatures[name] for name in side], [signatures[name] for name in other], above)
    twins = {side[i]: (other[j], likeness) for i, j, likeness in pairs}
    leaks = []
    for name in side:
        twin, likeness = twins.get(name, (None, None))
        group = groups.get(name)
        shared = group if group in members else None
        if twin is not None or shared is not None:
            leaks.append(Leak(name, twin or members[shared or ""], likeness, shared))
    return tuple(leaks)
