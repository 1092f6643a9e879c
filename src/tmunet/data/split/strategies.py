"""Split strategies: random, grouped, official, cross-validation.

All take a seed of ``random.Random`` and do not depend on the order of cases and groups. `groups` are the cases that stay in one
subset; `ratios` (train above 0) are approximated by whole groups; `strata` and `classes` are balanced between the subsets as
`tmunet.data.split.assign` describes. They raise `InputError` for too few groups or a group too large for a subset, and
`UsageError` for invalid ratios or fewer than 2 folds.
"""

import random
from collections.abc import Collection, Iterable, Mapping, Sequence

from tmunet.data.cases import natural_key
from tmunet.data.split.assign import assign_groups, largest_remainder
from tmunet.data.split.splits import Split
from tmunet.errors import InputError, UsageError

Ratios = tuple[float, float, float]
"""Shares of train, val and test; only their proportions matter."""

RATIOS: Ratios = (7, 1, 2)
"""Ratios of the paper."""

Groups = Sequence[Sequence[str]]
"""Names of the cases of each group that stays in one subset, such as `tmunet.data.split.scan.DatasetScan.clusters`."""

Strata = Mapping[str, int] | None
"""Stratum of each case, to be balanced between the subsets; None to leave strata unbalanced."""

Classes = Mapping[str, Collection[str]] | None
"""Classes on each case, to be balanced between the subsets; None to leave classes unbalanced."""

_PRECEDENCE = (0, 2, 1)  # a class on too few groups goes to train first, then to test, then to val


def random_split(
    names: Iterable[str], seed: int, ratios: Ratios = RATIOS, strata: Strata = None, classes: Classes = None
) -> Split:
    """Split at least 3 cases at random, with sizes by largest remainder; at 7:1:2, 3 to 5 cases leave none for val."""
    check_ratios(ratios)
    shuffled = sorted(set(names))
    if len(shuffled) < 3:
        raise InputError(
            f"Expected at least 3 cases to split, but got {len(shuffled)}. Add cases, or say yourself where each belongs, in a "
            'split file such as {"train": ["a"], "test": ["b"]}.',
            code="few-cases",
        )
    if strata is not None or classes is not None:
        return grouped_split(singletons(shuffled), seed, ratios, strata, classes)
    random.Random(seed).shuffle(shuffled)
    train, val, _ = largest_remainder(len(shuffled), ratios)
    return to_split(shuffled[:train], shuffled[train : train + val], shuffled[train + val :])


def grouped_split(
    groups: Groups, seed: int, ratios: Ratios = RATIOS, strata: Strata = None, classes: Classes = None
) -> Split:
    """Split whole groups; a class on too few groups for all subsets is put into train first, then into test.

    >>> split = grouped_split([["a1", "a2", "a3"], ["b1", "b2"], ["c1"]], seed=0, ratios=(3, 1, 2))
    >>> (split.train, split.val, split.test)
    (('a1', 'a2', 'a3'), ('c1',), ('b1', 'b2'))
    """
    check_ratios(ratios)
    return to_split(*assign_groups(sort_groups(groups), ratios, random.Random(seed), strata, classes, _PRECEDENCE))


def official_split(
    official: Split, groups: Groups, seed: int, ratios: Ratios = RATIOS, strata: Strata = None, classes: Classes = None
) -> Split:
    """Complete an official split: a missing val is taken from its train in whole groups; test is unchanged."""
    check_ratios(ratios)
    if official.val:
        return official
    groups = sort_groups(restrict(groups, official.train))
    train, val = assign_groups(groups, ratios[:2], random.Random(seed), strata, classes)
    return to_split(train, val, official.test)


def cross_validation(
    groups: Groups, folds: int, seed: int, ratios: Ratios = RATIOS, strata: Strata = None, classes: Classes = None
) -> tuple[Split, ...]:
    """Make folds for cross-validation: every case is in test exactly once; the rest of a fold is split into train and val.

    A class on at least as many groups as there are folds is in every test.
    """
    check_folds(folds)
    check_ratios(ratios)
    ordered = sort_groups(groups)
    tests = assign_groups(ordered, [1] * folds, random.Random(seed), strata, classes)
    splits = []
    for fold, test in enumerate(tests):
        rest = restrict(ordered, {name for other in tests if other is not test for name in other})
        train, val = assign_groups(rest, ratios[:2], random.Random(f"{seed}, fold {fold}"), strata, classes)
        splits.append(to_split(train, val, test))
    return tuple(splits)


def cross_validation_with_fixed_test(
    groups: Groups, test: tuple[str, ...], folds: int, seed: int, strata: Strata = None, classes: Classes = None
) -> tuple[Split, ...]:
    """Make folds with one fixed test: every case of `groups`, which test is not part of, is in val exactly once."""
    check_folds(folds)
    vals = assign_groups(sort_groups(groups), [1] * folds, random.Random(seed), strata, classes)
    return tuple(to_split((name for other in vals if other is not val for name in other), val, test) for val in vals)


def check_ratios(ratios: Sequence[float]) -> None:
    """Raise a `UsageError` unless the ratios are three numbers with train above 0 and the others not below."""
    if not (len(ratios) == 3 and ratios[0] > 0 and all(0 <= ratio < float("inf") for ratio in ratios)):
        raise UsageError(
            f"Expected `ratios` to be three shares with train above 0, such as (7, 1, 2), but got {ratios}.",
            code="value",
        )


def check_folds(folds: int) -> None:
    """Raise a `UsageError` for fewer than 2 folds."""
    if folds < 2:
        raise UsageError(f"Expected `folds` to be at least 2, but got {folds}.", code="value")


def singletons(names: Iterable[str]) -> Groups:
    """Make a group of each case."""
    return [[name] for name in sorted(set(names))]


def sort_groups(groups: Groups) -> list[list[str]]:
    """Sort groups and their cases, so that a split does not depend on their order."""
    return sorted(sorted(group) for group in groups)


def restrict(groups: Groups, names: Iterable[str]) -> list[list[str]]:
    """Restrict groups to some of the cases; empty groups are left out."""
    part = frozenset(names)
    return [kept for group in groups if (kept := [name for name in group if name in part])]


def to_split(train: Iterable[str], val: Iterable[str], test: Iterable[str]) -> Split:
    """Make a split with the names of each subset in natural order."""
    return Split(*(tuple(sorted(names, key=natural_key)) for names in (train, val, test)))
