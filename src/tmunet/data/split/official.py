"""The split that a data set comes with: ``official_split.json``, which `tmunet import` writes."""

import random
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from tmunet.data.split.assign import assign_groups
from tmunet.data.split.splits import Split, read_split
from tmunet.data.split.strategies import RATIOS, Ratios, Units, check_ratios, in_order, to_split, within
from tmunet.errors import UsageError

OFFICIAL_SPLIT = "official_split.json"


def read_official_split(folder: Path, names: Sequence[str]) -> Split:
    """Read the split that the makers of a data set published with it.

    Args:
        folder: of the data set.
        names: of its cases.

    Raises:
        UsageError: the data set has none.
        InputError: the file cannot be read or is not a JSON object.
        DataError: all faults of its content, as for `read_split`.
    """
    path = folder / OFFICIAL_SPLIT
    if not path.exists():
        raise UsageError(
            f"{folder}: has no official split: there is no {OFFICIAL_SPLIT} in it. Of the data sets that `tmunet import` knows, "
            "MoNuSeg, ISIC 2018, GlaS and some editions of Kvasir-SEG come with one. Make one: --kind grouped."
        )
    return read_split(path, names)


def official_split(
    official: Split,
    units: Units,
    seed: int,
    ratios: Ratios = RATIOS,
    strata: Mapping[str, int] | None = None,
    classes: Mapping[str, Collection[str]] | None = None,
) -> Split:
    """The official split; if it has no val side, that is taken from its train side in whole units. Test stays as it is.

    Args:
        official: what the data set comes with.
        units: the cases that stay together.
        seed: of ``random.Random``.
        ratios: shares of train and val; that of test has no part.
        strata: stratum of each case, to be balanced between train and val.
        classes: the classes that are on each case, to be balanced too.

    Raises:
        InputError: fewer units than sides on the train side, or one too large.
        UsageError: ratios that are no shares.
    """
    check_ratios(ratios)
    if official.val:
        return official
    chance = random.Random(seed)
    train, val = assign_groups(in_order(within(units, official.train)), ratios[:2], chance, strata, classes)
    return to_split(train, val, official.test)
