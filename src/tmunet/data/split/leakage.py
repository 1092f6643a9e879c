"""Detect data leakage of a split: groups, or images of the same scene, in more than one of train, val and test."""

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
    """A case with a related case in another subset of the split.

    Attributes:
        case: its name.
        relative: the most similar image of the same scene in the other subset, or else the first case of its group there.
        likeness: correlation of the two images, or None if they only share a group.
        group: the group that they share, or None.
    """

    case: str
    relative: str
    likeness: float | None
    group: str | None


@dataclass(frozen=True)
class Comparison:
    """Leakage from `side` (test or val, of so many images) into `other` (train or val).

    Attributes:
        side: test or val.
        other: train or val.
        images: number of images of `side`.
        leaks: cases of `side` with a relative in `other`.
        groups_known: whether the group of every image of both is known.
    """

    side: str
    other: str
    images: int
    leaks: tuple[Leak, ...]
    groups_known: bool = False

    @property
    def same_group(self) -> int:
        """Number of cases whose group is in the other subset too."""
        return sum(leak.group is not None for leak in self.leaks)

    @property
    def same_scene(self) -> int:
        """Number of cases with an image of the same scene in the other subset."""
        return sum(leak.likeness is not None for leak in self.leaks)

    def __str__(self) -> str:
        parts = []
        if self.same_group:
            share = "shares" if self.same_group == 1 else "share"
            parts.append(f"{self.same_group} {share} a group (video sequence, patient, slide) with {self.other} images")
        if self.same_scene:
            show = "shows" if self.same_scene == 1 else "show"
            parts.append(f"{self.same_scene} {show} the same scene as {self.other} images")
        return f"of {pluralize(self.images, f'{self.side} image')}, " + (
            " and ".join(parts) or f"none leaks into {self.other}"
        )


@dataclass(frozen=True)
class LeakReport:
    """Data leakage of a split: test against train and val, val against train."""

    comparisons: tuple[Comparison, ...]

    @property
    def leaking(self) -> tuple[Comparison, ...]:
        """The comparisons with at least one leak."""
        return tuple(comparison for comparison in self.comparisons if comparison.leaks)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the numbers without the pairs, such as ``{"test in train": {"images": 61, "same_group": 0, "same_scene": 3}}``.

        Each entry also has `groups_known`: without groups, `same_group` is 0 and says nothing.
        """
        return {
            f"{comparison.side} in {comparison.other}": {
                "images": comparison.images,
                "same_group": comparison.same_group,
                "same_scene": comparison.same_scene,
                "groups_known": comparison.groups_known,
            }
            for comparison in self.comparisons
        }

    def to_dict(self) -> list[dict[str, Any]]:
        """Return counts and pairs, for JSON."""
        return [
            {**asdict(comparison), "same_group": comparison.same_group, "same_scene": comparison.same_scene}
            for comparison in self.comparisons
        ]

    def __str__(self) -> str:
        found = [str(comparison) for comparison in self.leaking]
        return "; ".join(found) if found else "no group and no scene is in two subsets"


def describe_counts(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Describe the numbers of `LeakReport.counts`, one line for each pair of subsets with images.

    >>> describe_counts({"test in train": {"images": 141, "same_group": 0, "same_scene": 0, "groups_known": False}})
    ['0 of 141 test images have a near-duplicate in train; patients (videos, slides) unknown']
    """
    lines = []
    for pair, numbers in counts.items():
        side, _, other = pair.partition(" in ")
        if not numbers["images"]:
            continue
        have = "has" if numbers["same_scene"] == 1 else "have"
        groups = f"{numbers['same_group']} share a patient (video, slide) with {other}"
        if not numbers.get("groups_known", numbers["same_group"] > 0):  # of runs before: not recorded
            groups = "patients (videos, slides) unknown" + (f", but {groups}" if numbers["same_group"] else "")
        images = pluralize(numbers["images"], f"{side} image")
        lines.append(f"{numbers['same_scene']} of {images} {have} a near-duplicate in {other}; {groups}")
    return lines


def find_leaks(
    split: Split, groups: Mapping[str, str | None], signatures: Mapping[str, Signature], above: float = SAME_SCENE
) -> LeakReport:
    """Find data leakage: test into train and val, val into train.

    Groups may be unknown; every case of the split needs a signature. `above` is the correlation of images of the same scene.
    """
    sides = {side: sorted(names, key=natural_key) for side, names in split.to_dict().items()}
    return LeakReport(
        tuple(
            Comparison(
                side,
                other,
                len(sides[side]),
                _leaks(sides[side], sides[other], groups, signatures, above),
                groups_known=all(groups.get(name) is not None for name in (*sides[side], *sides[other])),
            )
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
    similar = {side[i]: (other[j], likeness) for i, j, likeness in pairs}
    leaks = []
    for name in side:
        nearest, likeness = similar.get(name, (None, None))
        group = groups.get(name)
        shared = group if group in members else None
        if nearest is not None or shared is not None:
            leaks.append(Leak(name, nearest or members[shared or ""], likeness, shared))
    return tuple(leaks)
