"""Units of cases as tests of splits need them."""

import random
from collections.abc import Sequence

from tmunet.data.split.splits import Split


def units_of(sizes: Sequence[int]) -> list[list[str]]:
    return [[f"{unit}-{case}" for case in range(size)] for unit, size in enumerate(sizes)]


def names_of(units: Sequence[Sequence[str]]) -> list[str]:
    return sorted(name for unit in units for name in unit)


def sides_of(split: Split) -> list[tuple[str, ...]]:
    return [split.train, split.val, split.test]


def strata_for(names: Sequence[str], seed: int, count: int = 4) -> dict[str, int]:
    chance = random.Random(seed)
    return {name: chance.randrange(count) for name in names}


def shuffled(units: Sequence[Sequence[str]], seed: int) -> list[list[str]]:
    chance = random.Random(seed)
    return [chance.sample(unit, len(unit)) for unit in chance.sample(units, len(units))]


def assert_whole(units: Sequence[Sequence[str]], split: Split) -> None:
    for unit in units:
        assert sum(not set(unit).isdisjoint(side) for side in sides_of(split)) <= 1
