"""Random, grouped, official splits and cross-validation."""

import random
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from tmunet.data.split.assign import assign_groups, largest_remainder
from tmunet.data.split.splits import Split, read_official_split
from tmunet.data.split.strategies import (
    cross_validation,
    cross_validation_with_fixed_test,
    grouped_split,
    official_split,
    random_split,
    singletons,
)
from tmunet.errors import DataError, InputError, UsageError

from ...coded_errors import coded
from .group_cases import assert_whole, groups_of, names_of, sides_of, strata_for


def test_a_random_split_never_changes():
    split = random_split([f"case{n}" for n in range(1, 11)], seed=0)
    assert split.train == ("case2", "case3", "case4", "case5", "case7", "case8", "case10")
    assert split.val == ("case1",)
    assert split.test == ("case6", "case9")
    assert random_split(split.train, seed=1) != random_split(split.train, seed=2)


def test_a_random_split_needs_three_cases():
    with pytest.raises(InputError, match=r"3 cases .* 2"):
        random_split(["a", "b", "a"], seed=0)


@pytest.mark.parametrize("ratios", [(0, 1, 1), (1, -1, 1), (1, float("nan"), 1), (1, 1, float("inf")), (7, 3)])
def test_ratios_are_shares(ratios):
    with pytest.raises(UsageError, check=coded("value")):
        random_split("abcd", 0, ratios)


def test_many_small_groups_come_to_the_sizes_and_balance_their_strata():
    groups = groups_of([1 + n % 4 for n in range(120)])
    names = names_of(groups)
    strata = strata_for(names, 0)
    cases = Counter(strata.values())
    for seed in range(5):
        split = grouped_split(groups, seed, strata=strata)
        for side, size in zip(sides_of(split), largest_remainder(len(names), (7, 1, 2)), strict=True):
            assert abs(len(side) - size) <= 1
            found = Counter(strata[name] for name in side)
            for stratum, number in cases.items():
                assert abs(found[stratum] - size * number / len(names)) <= 3


def test_strata_of_whole_groups_are_balanced_better_than_by_chance():
    groups = groups_of([10] * 30)
    strata = {name: int(name.split("-")[0]) % 3 for group in groups for name in group}

    def imbalance(split: Split) -> float:
        return sum(
            abs(sum(strata[name] == stratum for name in side) - len(side) / 3)
            for side in sides_of(split)
            for stratum in range(3)
        )

    for seed in range(5):
        assert imbalance(grouped_split(groups, seed, strata=strata)) < imbalance(grouped_split(groups, seed))
        assert [len(side) for side in sides_of(grouped_split(groups, seed, strata=strata))] == [210, 30, 60]


def test_few_groups_come_as_near_to_the_sizes_as_any_choice_could():
    sizes = (12, 9, 7, 5, 5, 3, 2)
    groups = groups_of(sizes)
    wanted = largest_remainder(sum(sizes), (7, 1, 2))

    def distance(found: Sequence[int]) -> Fraction:
        return sum((Fraction((n - size) ** 2, size) for n, size in zip(found, wanted, strict=True)), Fraction())

    every = (
        [sum(size for size, side in zip(sizes, choice, strict=True) if side == b) for b in range(3)]
        for choice in np.ndindex(*[3] * len(sizes))
    )
    best = min(distance(found) for found in every if all(found))
    for seed in range(3):
        assert distance([len(side) for side in sides_of(grouped_split(groups, seed))]) == best


def test_a_grouped_split_never_changes():
    groups = groups_of([3, 1, 2, 2, 1, 1, 4, 2])
    split = grouped_split(groups, seed=0)
    assert split.val == ("3-0", "3-1")
    assert split.test == ("5-0", "7-0", "7-1")
    split = grouped_split(groups, seed=0, strata={name: int(name[0]) % 2 for name in names_of(groups)})
    assert split.val == ("4-0", "5-0")
    assert split.test == ("1-0", "2-0", "2-1")
    assert len({grouped_split(groups_of([2] * 20), seed).sha256 for seed in range(5)}) == 5


@pytest.mark.parametrize(("sizes", "groups"), [((5, 5), 2), ((10,), 1), ((), 0)])
def test_three_sides_need_three_groups(sizes, groups):
    expected = rf"\b3 groups\b.*\b{sum(sizes)} cases make {groups}\b"
    with pytest.raises(InputError, match=expected):
        grouped_split(groups_of(sizes), 0)


def test_a_group_larger_than_the_train_side_is_named():
    with pytest.raises(InputError, match=r"at most 14 cases .* 18 of 20 .*\(0-0, 0-1, 0-10 "):
        grouped_split(groups_of([18, 1, 1]), 0)
    assert len(grouped_split(groups_of([14, 3, 3]), 0).train) == 14


def test_a_bin_of_ratio_0_stays_empty():
    train, val, test = assign_groups(groups_of([2] * 6), (2, 0, 1), random.Random(0))
    assert (len(train), val, len(test)) == (8, [], 4)


def test_folds_of_single_cases_have_exact_sizes():
    splits = cross_validation(singletons(f"case{n}" for n in range(82)), 5, seed=3)
    assert [len(split.test) for split in splits] == [17, 17, 16, 16, 16]
    assert [len(split.val) for split in splits] == [8, 8, 8, 8, 8]


def test_folds_are_not_too_many_for_the_groups():
    with pytest.raises(InputError, match=r"at least 5 groups .* 12 cases make 4\b"):
        cross_validation(groups_of([3] * 4), 5, 0)
    with pytest.raises(InputError, match=r"\b6 of 12\b"):
        cross_validation(groups_of([6, 1, 1, 1, 1, 1, 1]), 4, 0)
    with pytest.raises(UsageError, match=r"`folds` .* 1"):
        cross_validation(groups_of([1] * 4), 1, 0)


def test_an_official_split_without_val_gives_an_eighth_of_train_in_whole_groups():
    groups = groups_of([2] * 10)
    names = names_of(groups)
    official = Split(tuple(names[:16]), (), tuple(names[16:]))
    split = official_split(official, groups, seed=0)
    assert (len(split.train), len(split.val), split.test) == (14, 2, official.test)
    assert sorted(split.train + split.val) == names[:16]
    assert_whole(groups, split)
    assert official_split(split, groups, seed=1) == split


def test_a_group_on_both_official_sides_stays_there():
    official = Split(("a1", "b1", "c1"), (), ("a2", "b2"))
    split = official_split(official, [["a1", "a2"], ["b1", "b2"], ["c1"]], seed=0, ratios=(2, 1, 0))
    assert sorted(split.train + split.val) == ["a1", "b1", "c1"]
    assert split.test == ("a2", "b2")


def test_the_official_split_is_read_or_refused(tmp_path):
    with pytest.raises(UsageError, check=coded("no-official-split", tmp_path)):
        read_official_split(tmp_path, ["a", "b"])
    (tmp_path / "official_split.json").write_text('{"train": ["a"], "test": ["c"]}')
    with pytest.raises(DataError, match="'c'"):
        read_official_split(tmp_path, ["a", "b"])
    assert read_official_split(tmp_path, ["a", "c"]) == Split(("a",), (), ("c",))


def test_folds_keep_their_shares_and_balance_their_strata_on_every_side():
    names = [f"case{n:02}" for n in range(48)]
    strata = {name: n % 2 for n, name in enumerate(names)}
    for split in cross_validation(singletons(names), 4, seed=0, ratios=(1, 2, 0), strata=strata):
        assert [len(side) for side in sides_of(split)] == [12, 24, 12]
        assert [sum(strata[name] for name in side) for side in sides_of(split)] == [6, 12, 6]
    for split in cross_validation_with_fixed_test(singletons(names), ("held",), 4, seed=0, strata=strata):
        assert (len(split.val), sum(strata[name] for name in split.val)) == (12, 6)


def test_folds_never_change():
    groups = groups_of([3, 1, 2, 2, 1, 1, 4, 2])
    splits = cross_validation(groups, 2, seed=3)
    assert [split.sha256[:8] for split in splits] == ["d41fa7b0", "f1840704"]


def test_a_large_stratified_grouped_split_never_changes():
    groups = groups_of([1 + n * 7 % 9 for n in range(90)])
    split = grouped_split(groups, seed=1, strata={name: int(name.split("-")[1]) % 3 for name in names_of(groups)})
    assert split.sha256[:8] == "4bdcfb68"
