"""Properties of splits: partitions of whole groups, sizes, independence of the order of the input."""

import random
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tmunet.data.split import assign as assignment
from tmunet.data.split.assign import largest_remainder
from tmunet.data.split.scan import strata_of
from tmunet.data.split.strategies import cross_validation, cross_validation_with_fixed_test, grouped_split, random_split
from tmunet.errors import InputError

from .group_cases import assert_whole, groups_of, names_of, shuffled, sides_of, strata_for

NAMES = st.lists(st.text(min_size=1, max_size=4), min_size=3, max_size=40, unique=True)
RATIOS = st.tuples(st.integers(1, 9), st.integers(0, 9), st.integers(0, 9))
SEEDS = st.integers(0, 2**32)
SIZES = st.lists(st.integers(1, 6), min_size=8, max_size=30)
"""Numbers of cases of groups: none is larger than the train subset of 7:1:2."""


@pytest.fixture(autouse=True, scope="module")
def few_tries() -> Iterator[None]:
    """Any number of deals must keep the promises; few of them leave time for many examples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assignment, "_GROUPS_ASSIGNED", 0)
        yield


@given(NAMES, SEEDS, RATIOS)
def test_a_random_split_is_a_partition_of_the_right_sizes(names, seed, ratios):
    split = random_split(names, seed, ratios)
    sides = (split.train, split.val, split.test)
    assert sorted(name for side in sides for name in side) == sorted(names)
    for side, ratio in zip(sides, ratios, strict=True):
        assert abs(len(side) - Fraction(len(names) * ratio, sum(ratios))) < 1


@given(NAMES, SEEDS, SEEDS)
def test_a_random_split_depends_on_the_set_and_the_seed_alone(names, seed, order):
    shuffled = list(names)
    random.Random(order).shuffle(shuffled)
    assert random_split(names, seed) == random_split(shuffled + shuffled[:1], seed)


@given(st.integers(3, 120), SEEDS, SEEDS)
def test_a_stratified_random_split_keeps_the_sizes_exact_and_the_strata_balanced(count, seed, order):
    names = [f"case{n}" for n in range(count)]
    strata = strata_for(names, seed)
    split = random_split(names, seed, strata=strata)
    assert sorted(name for side in sides_of(split) for name in side) == sorted(names)
    assert [len(side) for side in sides_of(split)] == largest_remainder(count, (7, 1, 2))
    assert random_split(random.Random(order).sample(names, count), seed, strata=strata) == split
    cases = Counter(strata.values())
    for side in sides_of(split):
        found = Counter(strata[name] for name in side)
        for stratum, number in cases.items():
            assert abs(found[stratum] - len(side) * number / count) < 2


@given(SIZES, SEEDS, SEEDS, st.booleans())
def test_a_grouped_split_is_a_partition_of_whole_groups(sizes, seed, order, stratified):
    groups = groups_of(sizes)
    strata = strata_for(names_of(groups), seed) if stratified else None
    split = grouped_split(groups, seed, strata=strata)
    assert sorted(name for side in sides_of(split) for name in side) == names_of(groups)
    assert_whole(groups, split)
    assert grouped_split(shuffled(groups, order), seed, strata=strata) == split


@given(SIZES, SEEDS, st.booleans())
def test_no_side_is_too_large_by_a_unit_and_none_is_empty(sizes, seed, stratified):
    groups = groups_of(sizes)
    strata = strata_for(names_of(groups), seed) if stratified else None
    split = grouped_split(groups, seed, strata=strata)
    wanted = largest_remainder(sum(sizes), (7, 1, 2))
    for side, size in zip(sides_of(split), wanted, strict=True):
        assert len(side) <= size + max(sizes) - 1
        assert bool(side) == (size > 0)


@given(st.integers(0, 500), st.lists(st.integers(0, 20), min_size=1, max_size=8).filter(any))
def test_largest_remainder_is_less_than_one_off(count, ratios):
    sizes = largest_remainder(count, ratios)
    assert sum(sizes) == count
    assert all(abs(size - Fraction(count * ratio, sum(ratios))) < 1 for size, ratio in zip(sizes, ratios, strict=True))


@given(SIZES, SEEDS, SEEDS, st.integers(2, 3))
def test_every_case_is_tested_once_over_the_folds(sizes, seed, order, folds):
    assume(max(sizes) <= -(-sum(sizes) // folds))  # the next test has groups that fit no fold
    groups = groups_of(sizes)
    strata = strata_for(names_of(groups), seed)
    splits = cross_validation(groups, folds, seed, strata=strata)
    assert sorted(name for split in splits for name in split.test) == names_of(groups)
    assert cross_validation(shuffled(groups, order), folds, seed, strata=strata) == splits
    for split in splits:
        assert sorted(name for side in sides_of(split) for name in side) == names_of(groups)
        assert_whole(groups, split)
        rest = sum(sizes) - len(split.test)
        train, val = largest_remainder(rest, (7, 1))
        assert len(split.train) <= train + max(sizes) - 1
        assert len(split.val) <= val + max(sizes) - 1
        assert len(split.test) <= -(-sum(sizes) // folds) + max(sizes) - 1


@given(SIZES, SEEDS, st.integers(2, 3))
@example([1, 1, 1, 1, 1, 1, 1, 5], 0, 3)
def test_folds_of_an_official_split_validate_each_case_once_and_keep_the_test(sizes, seed, folds):
    groups, test = groups_of(sizes), ("held 1", "held 2")
    if max(sizes) > -(-sum(sizes) // folds):
        with pytest.raises(InputError, match=rf"\b{max(sizes)} of {sum(sizes)}\b"):
            cross_validation_with_fixed_test(groups, test, folds, seed)
        return
    splits = cross_validation_with_fixed_test(groups, test, folds, seed)
    assert sorted(name for split in splits for name in split.val) == names_of(groups)
    for split in splits:
        assert split.test == test
        assert sorted(split.train + split.val) == names_of(groups)
        assert_whole(groups, split)


@given(st.dictionaries(st.text(max_size=3), st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]) | st.floats(0, 1), max_size=80))
def test_strata_are_quantiles_and_empty_masks_are_apart(shares):
    strata = strata_of(shares)
    assert strata.keys() == shares.keys()
    assert {name for name, stratum in strata.items() if stratum == 0} == {
        n for n, share in shares.items() if share == 0
    }
    sizes = Counter(stratum for stratum in strata.values() if stratum > 0)
    filled = sizes.total()
    assert len(sizes) == (min(5, max(1, filled // 10)) if filled else 0)
    assert not sizes or max(sizes.values()) - min(sizes.values()) <= 1
    for a, share in shares.items():
        assert all(strata[a] <= strata[b] for b, other in shares.items() if share < other)
