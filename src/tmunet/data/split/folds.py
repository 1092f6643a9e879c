"""Cross-validation: several splits, each with another part held back."""

import random
from collections.abc import Collection, Mapping

from tmunet.data.split.assign import assign_groups
from tmunet.data.split.splits import Split
from tmunet.data.split.strategies import RATIOS, Ratios, Units, check_ratios, in_order, to_split, within
from tmunet.errors import UsageError


def cross_validation(
    units: Units,
    folds: int,
    seed: int,
    ratios: Ratios = RATIOS,
    strata: Mapping[str, int] | None = None,
    classes: Mapping[str, Collection[str]] | None = None,
) -> tuple[Split, ...]:
    """Splits in which every case is tested exactly once.

    The units are dealt out to the test sides, all of one size; then, for each fold, what is left to train and val. The
    same units and the same seed give the same folds, in any order.

    Args:
        units: the cases that stay together; of one case each for folds at random.
        folds: how many, at least 2.
        seed: of ``random.Random``.
        ratios: shares of train and val; that of test has no part.
        strata: stratum of each case, to be balanced between the folds and between their sides.
        classes: the classes that are on each case, to be balanced too; a class on at least as many units as there are folds
            is in every test, and one on fewer units in as many tests as it has units.

    Raises:
        InputError: fewer units than folds or sides, or a unit too large for any of them.
        UsageError: fewer than 2 folds, or ratios that are no shares.
    """
    check_folds(folds)
    check_ratios(ratios)
    ordered = in_order(units)
    tests = assign_groups(ordered, [1] * folds, random.Random(seed), strata, classes)
    splits = []
    for fold, test in enumerate(tests):
        rest = within(ordered, {name for other in tests if other is not test for name in other})
        train, val = assign_groups(rest, ratios[:2], random.Random(f"{seed}, fold {fold}"), strata, classes)
        splits.append(to_split(train, val, test))
    return tuple(splits)


def cross_validation_with_fixed_test(
    units: Units,
    test: tuple[str, ...],
    folds: int,
    seed: int,
    strata: Mapping[str, int] | None = None,
    classes: Mapping[str, Collection[str]] | None = None,
) -> tuple[Split, ...]:
    """Splits with one test side, in which every other case validates exactly once.

    Args:
        units: the cases that are not in the test, those together that stay together.
        test: held back in every fold.
        folds: how many, at least 2.
        seed: of ``random.Random``.
        strata: stratum of each case, to be balanced between the folds.
        classes: the classes that are on each case, to be balanced too.

    Raises:
        InputError: fewer units than folds, or a unit larger than a fold.
        UsageError: fewer than 2 folds.
    """
    check_folds(folds)
    vals = assign_groups(in_order(units), [1] * folds, random.Random(seed), strata, classes)
    return tuple(to_split((name for other in vals if other is not val for name in other), val, test) for val in vals)


def check_folds(folds: int) -> None:
    """Refuse what is no number of folds.

    Raises:
        UsageError: fewer than 2.
    """
    if folds < 2:
        raise UsageError(f"Expected `folds` to be at least 2, but got {folds}.")
