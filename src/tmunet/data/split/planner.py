"""Make a split by a plan, and report its sizes, groups, classes and data leakage."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any, Literal

from tmunet.data.split.class_counts import ClassCount, count_classes
from tmunet.data.split.leakage import LeakReport, find_leaks
from tmunet.data.split.scan import DatasetScan
from tmunet.data.split.splits import Split
from tmunet.data.split.strategies import (
    RATIOS,
    Ratios,
    check_folds,
    check_ratios,
    cross_validation,
    cross_validation_with_fixed_test,
    grouped_split,
    official_split,
    random_split,
    restrict,
    singletons,
)
from tmunet.errors import UsageError

Kind = Literal["grouped", "random", "official"]


@dataclass(frozen=True)
class SplitPlan:
    """Settings of a split.

    Attributes:
        kind: "grouped" keeps groups and images of the same scene in one subset; "random" does not; "official" is the split of
            the data set, a missing val taken from its train as "grouped" does.
        folds: number of folds for cross-validation, or None for a single split.
        seed: of every shuffle.
        ratios: shares of train, val and test.
        stratified: balance foreground fractions and, of several classes, the number of images with each.

    Raises:
        UsageError: invalid ratios or number of folds.
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


def make_splits(plan: SplitPlan, scan: DatasetScan, official: Split | None = None) -> tuple[Split, ...]:
    """Make one split, or one for each fold; the kind "official" needs the official split of the data set.

    Folds of the official split keep its test, and each other case is in val once; in folds of the other kinds each case is in
    test once.

    Raises:
        InputError: the groups are too few or too large for the subsets.
        UsageError: the kind is "official", but `official` is None.
    """
    balance = (scan.strata, scan.to_balance) if plan.stratified else (None, None)
    if plan.kind == "official":
        if official is None:
            raise UsageError("Expected `official` to be a split for the kind 'official', but got None.", code="missing")
        if plan.folds is None:
            return (official_split(official, scan.clusters, plan.seed, plan.ratios, *balance),)
        rest = restrict(scan.clusters, official.train + official.val)
        return cross_validation_with_fixed_test(rest, official.test, plan.folds, plan.seed, *balance)
    if plan.folds is not None:
        units = scan.clusters if plan.kind == "grouped" else singletons(scan.signatures)
        return cross_validation(units, plan.folds, plan.seed, plan.ratios, *balance)
    if plan.kind == "random":
        return (random_split(scan.signatures, plan.seed, plan.ratios, *balance),)
    return (grouped_split(scan.clusters, plan.seed, plan.ratios, *balance),)


@dataclass(frozen=True)
class Side:
    """Statistics of train, val or test: number of cases and of known groups; shares are 0 to 1, None if no image was decoded."""

    cases: int
    share: float
    groups: int
    mean_foreground_share: float | None


@dataclass(frozen=True)
class SplitReport:
    """Report of a split.

    Attributes:
        units: number of clusters of cases of common group or scene.
        without_group: number of cases of the split whose group is not known.
        left_out: number of scanned cases that are not in the split.
    """

    split: Split
    sides: Mapping[str, Side]
    units: int
    without_group: int
    left_out: int
    classes: tuple[ClassCount, ...]
    leaks: LeakReport

    def to_dict(self, pairs: bool = True) -> dict[str, Any]:
        """Return everything but the case names, for JSON; leaks with their pairs of cases, or only their counts."""
        return {
            "sha256": self.split.sha256,
            "sides": {name: asdict(side) for name, side in self.sides.items()},
            "units": self.units,
            "cases_without_group": self.without_group,
            "cases_left_out": self.left_out,
            "classes": {count.name: {"images": dict(count.images), "units": count.units} for count in self.classes},
            "leaks": self.leaks.to_dict() if pairs else self.leaks.counts(),
        }


def describe_split(split: Split, scan: DatasetScan) -> SplitReport:
    """Report a split of scanned cases."""
    sides = split.to_dict()
    used = [name for names in sides.values() for name in names]
    units = restrict(scan.clusters, used)
    return SplitReport(
        split,
        {side: _side(names, len(used), scan) for side, names in sides.items()},
        len(units),
        sum(name not in scan.groups for name in used),
        len(scan.signatures) - len(used),
        count_classes(split, scan.classes, scan.present, units),
        find_leaks(split, scan.groups, scan.signatures),
    )


def _side(names: list[str], cases: int, scan: DatasetScan) -> Side:
    groups = Counter(scan.groups[name] for name in names if name in scan.groups)
    shares = [scan.foreground_shares[name] for name in names if name in scan.foreground_shares]
    return Side(len(names), len(names) / cases, len(groups), fmean(shares) if shares else None)
