"""Groups of cases for tests of splits."""

import random
from collections.abc import Sequence

from tmunet.data.split.splits import Split


def groups_of(sizes: Sequence[int]) -> list[list[str]]:
    return [[f"{group}-{case}" for case in range(size)] for group, size in enumerate(sizes)]


def names_of(groups: Sequence[Sequence[str]]) -> list[str]:
    return sorted(name for group in groups for name in group)


def sides_of(split: Split) -> list[tuple[str, ...]]:
    return [split.train, split.val, split.test]


def strata_for(names: Sequence[str], seed: int, count: int = 4) -> dict[str, int]:
    rng = random.Random(seed)
    return {name: rng.randrange(count) for name in names}


def shuffled(groups: Sequence[Sequence[str]], seed: int) -> list[list[str]]:
    rng = random.Random(seed)
    return [rng.sample(group, len(group)) for group in rng.sample(groups, len(groups))]


def assert_whole(groups: Sequence[Sequence[str]], split: Split) -> None:
    for group in groups:
        assert sum(not set(group).isdisjoint(side) for side in sides_of(split)) <= 1
