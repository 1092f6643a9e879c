"""From the wish for a split to the split, and what there is to say about it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any, Literal

from tmunet.data.split.class_counts import ClassCount, count_classes
from tmunet.data.split.folds import check_folds, cross_validation, cross_validation_with_fixed_test
from tmunet.data.split.leakage import LeakReport, find_leaks
from tmunet.data.split.official import official_split
from tmunet.data.split.scan import DatasetScan
from tmunet.data.split.splits import Split
from tmunet.data.split.strategies import RATIOS, Ratios, check_ratios, grouped_split, one_by_one, random_split, within
from tmunet.errors import UsageError

Kind = Literal["grouped", "random", "official"]


@dataclass(frozen=True)
class SplitPlan:
    """How to split.

    Attributes:
        kind: "grouped" keeps groups and near twins on one side; "random" does not; "official" is the split that the data set
            comes with, a missing val side taken from its train side as "grouped" does.
        folds: how many splits for cross-validation, or None for a single split.
        seed: of every shuffle.
        ratios: shares of train, val and test.
        stratified: whether the sides are balanced in their foreground shares and, of several classes, in the images with each.

    Raises:
        UsageError: ratios or a number of folds that do not fit.
    """

    kind: Kind = "grouped"
    folds: int | None = None
    seed: int = 0
    ratios: Ratios = RATIOS
    stratified: bool = True

    def __post_init__(self) -> None:
        check_ratios(self.ratios)
        if self.folds is not None:
            check_folds(self.folds)


def make_splits(plan: SplitPlan, survey: DatasetScan, official: Split | None = None) -> tuple[Split, ...]:
    """Split as planned.

    Folds of the official split keep its test side, and each case of its other sides validates once; in folds of the other
    kinds each case is tested once.

    Args:
        plan: how.
        survey: of all cases.
        official: the split that the data set comes with; the kind "official" needs it.

    Returns:
        One split, or one for each fold.

    Raises:
        InputError: the groups are too few or too large for the sides.
        UsageError: the kind is "official", but there is no such split.
    """
    balance = (survey.strata, survey.to_balance) if plan.stratified else (None, None)
    if plan.kind == "official":
        if official is None:
            raise UsageError("Expected `official` to be a split for the kind 'official', but got None.")
        if plan.folds is None:
            return (official_split(official, survey.units, plan.seed, plan.ratios, *balance),)
        rest = within(survey.units, official.train + official.val)
        return cross_validation_with_fixed_test(rest, official.test, plan.folds, plan.seed, *balance)
    if plan.folds is not None:
        units = survey.units if plan.kind == "grouped" else one_by_one(survey.signatures)
        return cross_validation(units, plan.folds, plan.seed, plan.ratios, *balance)
    if plan.kind == "random":
        return (random_split(survey.signatures, plan.seed, plan.ratios, *balance),)
    return (grouped_split(survey.units, plan.seed, plan.ratios, *balance),)


@dataclass(frozen=True)
class Side:
    """One side of a split.

    Attributes:
        cases: their number.
        share: of all cases of the split, 0 to 1.
        groups: number of different groups, cases without one apart.
        mean_foreground_share: over its cases, 0 to 1; None if it has no case or no image was looked at.
    """

    cases: int
    share: float
    groups: int
    mean_foreground_share: float | None


@dataclass(frozen=True)
class SplitReport:
    """What there is to say about a split.

    Attributes:
        split: which case lies where.
        sides: by name: train, val, test.
        units: number of parts of the split's cases that could lie on different sides without a leak.
        without_group: number of the split's cases whose group is not known.
        left_out: number of cases that were looked at and lie on no side.
        classes: how many images of each side show each class.
        leaks: what lies on two sides.
    """

    split: Split
    sides: Mapping[str, Side]
    units: int
    without_group: int
    left_out: int
    classes: tuple[ClassCount, ...]
    leaks: LeakReport

    def to_dict(self, pairs: bool = True) -> dict[str, Any]:
        """Give everything but the names of the sides, for JSON; leaks with their pairs of cases, or only their counts."""
        return {
            "sha256": self.split.sha256,
            "sides": {name: asdict(side) for name, side in self.sides.items()},
            "units": self.units,
            "cases_without_group": self.without_group,
            "cases_left_out": self.left_out,
            "classes": {count.name: {"images": dict(count.images), "units": count.units} for count in self.classes},
            "leaks": self.leaks.to_dict() if pairs else self.leaks.counts(),
        }


def describe_split(split: Split, survey: DatasetScan) -> SplitReport:
    """Look at a split with what is known of its cases.

    Args:
        split: names that the survey knows.
        survey: of these cases, and perhaps of others.
    """
    sides = split.to_dict()
    used = [name for names in sides.values() for name in names]
    units = within(survey.units, used)
    return SplitReport(
        split,
        {side: _side(names, len(used), survey) for side, names in sides.items()},
        len(units),
        sum(name not in survey.groups for name in used),
        len(survey.signatures) - len(used),
        count_classes(split, survey.classes, survey.present, units),
        find_leaks(split, survey.groups, survey.signatures),
    )


def _side(names: list[str], cases: int, survey: DatasetScan) -> Side:
    groups = Counter(survey.groups[name] for name in names if name in survey.groups)
    shares = [survey.foreground_shares[name] for name in names if name in survey.foreground_shares]
    return Side(len(names), len(names) / cases, len(groups), fmean(shares) if shares else None)
