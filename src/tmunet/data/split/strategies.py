"""Make a split: at random, as papers often do, or grouped, so that nothing of a patient or a video lies on two sides."""

import random
from collections.abc import Collection, Iterable, Mapping, Sequence

from tmunet.data.cases import natural_key
from tmunet.data.split.assign import assign_groups, largest_remainder
from tmunet.data.split.splits import Split
from tmunet.errors import InputError, UsageError

Ratios = tuple[float, float, float]
"""Shares of train, val and test; only their proportions count."""

RATIOS: Ratios = (7, 1, 2)
"""The shares of the paper."""

_PRECEDENCE = (0, 2, 1)  # a class that is on too few units is learned first, then tested, then it chooses the epoch

Units = Sequence[Sequence[str]]
"""Names of the cases that stay together: one group, or near twins; `tmunet.data.split.scan.DatasetScan.units` are these."""


def random_split(
    names: Iterable[str],
    seed: int,
    ratios: Ratios = RATIOS,
    strata: Mapping[str, int] | None = None,
    classes: Mapping[str, Collection[str]] | None = None,
) -> Split:
    """Split at random; the same set of names and the same seed give the same split, in any order.

    The sizes follow the ratios by largest remainder, so each is less than one case off its share. At 7:1:2,
    a set of 3 to 5 cases leaves none for validation.

    Args:
        names: case names; at least 3 different ones.
        seed: of ``random.Random``.
        ratios: shares of train, val and test; train above 0, the others not below.
        strata: stratum of each case; every side then gets its share of each stratum, as near as whole cases allow.
        classes: the classes that are on each case, to be balanced between the sides as in `grouped_split`.

    Raises:
        InputError: fewer than 3 cases.
        UsageError: ratios that are no shares.
    """
    check_ratios(ratios)
    shuffled = sorted(set(names))
    if len(shuffled) < 3:
        raise InputError(
            f"Expected at least 3 cases to split, but got {len(shuffled)}. Add cases, or say yourself where each belongs, in a "
            'split file such as {"train": ["a"], "test": ["b"]}.'
        )
    if strata is not None or classes is not None:
        return grouped_split(one_by_one(shuffled), seed, ratios, strata, classes)
    random.Random(seed).shuffle(shuffled)
    train, val, _ = largest_remainder(len(shuffled), ratios)
    return to_split(shuffled[:train], shuffled[train : train + val], shuffled[train + val :])


def grouped_split(
    units: Units,
    seed: int,
    ratios: Ratios = RATIOS,
    strata: Mapping[str, int] | None = None,
    classes: Mapping[str, Collection[str]] | None = None,
) -> Split:
    """Split whole units; the same units and the same seed give the same split, in any order.

    How near the sizes come to the ratios, and how alike the sides are, depends on the units: see `tmunet.data.split.assign.deal`.

    Args:
        units: the cases that stay together.
        seed: of ``random.Random``.
        ratios: shares of train, val and test; train above 0, the others not below.
        strata: stratum of each case, to be balanced between the sides.
        classes: the classes that are on each case, to be balanced too; a class on too few units for all sides is put into
            train first, then into test, then into val.

    Raises:
        InputError: fewer units than sides, or a unit larger than the largest side.
        UsageError: ratios that are no shares.

    >>> split = grouped_split([["a1", "a2", "a3"], ["b1", "b2"], ["c1"]], seed=0, ratios=(3, 1, 2))
    >>> (split.train, split.val, split.test)
    (('a1', 'a2', 'a3'), ('c1',), ('b1', 'b2'))
    """
    check_ratios(ratios)
    return to_split(*assign_groups(in_order(units), ratios, random.Random(seed), strata, classes, _PRECEDENCE))


def check_ratios(ratios: Sequence[float]) -> None:
    """Refuse what cannot be the shares of a split.

    Raises:
        UsageError: not three numbers, train not above 0, or another one below 0.
    """
    if not (len(ratios) == 3 and ratios[0] > 0 and all(0 <= ratio < float("inf") for ratio in ratios)):
        raise UsageError(
            f"Expected `ratios` to be three shares with train above 0, such as (7, 1, 2), but got {ratios}."
        )


def one_by_one(names: Iterable[str]) -> Units:
    """Units of one case each."""
    return [[name] for name in sorted(set(names))]


def in_order(units: Units) -> list[list[str]]:
    """The same units in an order that does not depend on how they were found."""
    return sorted(sorted(unit) for unit in units)


def within(units: Units, names: Iterable[str]) -> list[list[str]]:
    """What is left of the units in a part of the cases."""
    part = frozenset(names)
    return [kept for unit in units if (kept := [name for name in unit if name in part])]


def to_split(train: Iterable[str], val: Iterable[str], test: Iterable[str]) -> Split:
    """A split with the names of each side in natural order."""
    return Split(*(tuple(sorted(side, key=natural_key)) for side in (train, val, test)))
