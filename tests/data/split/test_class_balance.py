"""Classes in train, val and test: balanced where there are several, and as before where there is one."""

import hashlib
import random
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tmunet.data.split import assign as assignment
from tmunet.data.split.assign import largest_remainder
from tmunet.data.split.class_counts import absences, count_classes
from tmunet.data.split.planner import SplitPlan, describe_split, make_splits
from tmunet.data.split.scan import DatasetScan
from tmunet.data.split.splits import Split
from tmunet.data.split.strategies import (
    cross_validation,
    cross_validation_with_fixed_test,
    grouped_split,
    random_split,
    singletons,
)

from .group_cases import assert_whole, groups_of, names_of, shuffled, sides_of

SIZES = st.lists(st.integers(1, 6), min_size=8, max_size=30)
SEEDS = st.integers(0, 2**32)
RARE = ("case03", "case09", "case17", "case25")


def on_groups(groups: Sequence[Sequence[str]], seed: int, count: int) -> dict[str, tuple[str, ...]]:
    """Classes, each on some cases of 1 to 6 groups."""
    rng = random.Random(seed)
    classes: dict[str, list[str]] = {name: [] for group in groups for name in group}
    for number in range(count):
        for group in rng.sample(groups, rng.randint(1, 6)):
            for name in rng.sample(group, rng.randint(1, len(group))):
                classes[name].append(f"kind{number}")
    return {name: tuple(on) for name, on in classes.items()}


def having(names: Sequence[str], classes: Mapping[str, Sequence[str]], kind: str) -> int:
    return sum(kind in classes[name] for name in names)


def groups_with(groups: Sequence[Sequence[str]], classes: Mapping[str, Sequence[str]]) -> Counter[str]:
    return Counter(kind for group in groups for kind in {kind for name in group for kind in classes[name]})


def scan_of(cases: int, classes: tuple[str, ...], present: Mapping[str, Sequence[str]]) -> DatasetScan:
    names = [f"case{n:02}" for n in range(cases)]
    signatures = dict(zip(names, np.eye(cases, dtype=np.float32), strict=True))
    return DatasetScan({}, signatures, {name: (n % 10) / 10 for n, name in enumerate(names)}, classes, present)


@pytest.fixture
def rare() -> DatasetScan:
    """30 images with kind1, of which 4 have kind2 as well."""
    present = {f"case{n:02}": ("kind1", "kind2") if f"case{n:02}" in RARE else ("kind1",) for n in range(30)}
    return scan_of(30, ("kind1", "kind2"), present)


@pytest.mark.parametrize("kind", ["grouped", "random"])
@pytest.mark.parametrize("seed", range(6))
def test_a_class_on_four_images_is_on_every_side(rare: DatasetScan, seed: int, kind) -> None:
    (split,) = make_splits(SplitPlan(kind, seed=seed), rare)
    assert [len(side) for side in sides_of(split)] == [21, 3, 6]
    assert [having(side, rare.present, "kind2") for side in sides_of(split)] == [2, 1, 1]


@pytest.mark.parametrize("seed", range(6))
def test_a_class_on_four_images_is_on_every_side_of_four_folds(rare: DatasetScan, seed: int) -> None:
    splits = make_splits(SplitPlan(folds=4, seed=seed), rare)
    assert sorted(name for split in splits for name in split.test) == sorted(rare.present)
    for split in splits:
        assert [having(side, rare.present, "kind2") for side in sides_of(split)] == [2, 1, 1]


def test_the_valid_side_taken_from_an_official_train_side_has_the_class_too(rare: DatasetScan) -> None:
    names = sorted(rare.present)
    official = Split(tuple(names[:24]), (), tuple(names[24:]))
    for seed in range(6):
        (split,) = make_splits(SplitPlan("official", seed=seed), rare, official)
        assert (split.test, having(split.val, rare.present, "kind2")) == (official.test, 1)


def test_without_balance_the_class_is_left_to_chance(rare: DatasetScan) -> None:
    (split,) = make_splits(SplitPlan("random", stratified=False), rare)
    assert split == random_split(rare.present, 0)


@pytest.mark.parametrize(("number", "expected"), [(1, [1, 0, 0]), (2, [1, 0, 1]), (3, [1, 1, 1])])
@pytest.mark.parametrize("ratios", [(7, 1, 2), (1, 1, 1), (1, 5, 4)])
def test_a_class_on_too_few_images_is_in_train_first_and_then_in_test(number, expected, ratios) -> None:
    names = [f"case{n:02}" for n in range(20)]
    classes = {name: ("a", "b") if n < number else ("a",) for n, name in enumerate(names)}
    for seed in range(4):
        split = grouped_split(singletons(names), seed, ratios, classes=classes)
        assert [having(side, classes, "b") for side in sides_of(split)] == expected
    splits = cross_validation(singletons(names), 4, 0, classes=classes)
    assert sorted(having(split.test, classes, "b") for split in splits) == [0] * (4 - number) + [1] * number


def test_the_images_of_each_class_follow_the_ratios_as_near_as_whole_images_can() -> None:
    names = [f"case{n:03}" for n in range(200)]
    every = {"a": 1, "b": 4, "c": 9, "d": 20}
    classes = {name: tuple(kind for kind, step in every.items() if n % step == 0) for n, name in enumerate(names)}
    for seed in range(4):
        split = grouped_split(singletons(names), seed, classes=classes)
        assert [len(side) for side in sides_of(split)] == [140, 20, 40]
        for kind in every:
            found = [having(side, classes, kind) for side in sides_of(split)]
            for number, wanted in zip(found, largest_remainder(sum(found), (7, 1, 2)), strict=True):
                assert abs(number - wanted) <= 1


@given(SIZES, SEEDS, SEEDS, st.integers(1, 2))
def test_one_and_two_classes_are_on_every_side_if_they_have_groups_enough(sizes, seed, order, count) -> None:
    groups = groups_of(sizes)
    classes = on_groups(groups, seed, count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assignment, "_GROUPS_ASSIGNED", 0)
        split = grouped_split(groups, seed, classes=classes)
        assert grouped_split(shuffled(groups, order), seed, classes=dict(reversed(classes.items()))) == split
    assert sorted(name for side in sides_of(split) for name in side) == names_of(groups)
    assert_whole(groups, split)
    wanted = largest_remainder(sum(sizes), (7, 1, 2))
    assert [bool(side) for side in sides_of(split)] == [size > 0 for size in wanted]
    for kind, number in groups_with(groups, classes).items():
        sides = [split.train, split.test] + ([split.val] if wanted[1] else [])
        for side in sides[:number]:
            assert having(side, classes, kind) > 0


@given(st.lists(st.integers(1, 4), min_size=12, max_size=30), SEEDS, st.integers(1, 2), st.integers(2, 5))
@example([1] * 12, 0, 2, 5)
def test_a_class_with_as_many_groups_as_folds_is_in_every_test(sizes, seed, count, folds) -> None:
    groups = groups_of(sizes)
    classes = on_groups(groups, seed, count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assignment, "_GROUPS_ASSIGNED", 0)
        splits = cross_validation(groups, folds, seed, classes=classes)
        fixed = cross_validation_with_fixed_test(groups, ("held",), folds, seed, classes=classes)
    assert sorted(name for split in splits for name in split.test) == names_of(groups)
    for split in splits:
        assert_whole(groups, split)
    for kind, number in groups_with(groups, classes).items():
        assert sum(having(split.test, classes, kind) > 0 for split in splits) == min(folds, number)
        assert sum(having(split.val, classes, kind) > 0 for split in fixed) == min(folds, number)


@given(SIZES, SEEDS, st.integers(3, 8))
def test_of_many_classes_each_is_in_train(sizes, seed, count) -> None:
    groups = groups_of(sizes)
    classes = on_groups(groups, seed, count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assignment, "_GROUPS_ASSIGNED", 0)
        split = grouped_split(groups, seed, classes=classes)
    assert sorted(name for side in sides_of(split) for name in side) == names_of(groups)
    assert_whole(groups, split)
    assert all(split.train)
    for kind in groups_with(groups, classes):
        assert having(split.train, classes, kind) > 0


def test_classes_that_share_their_groups_leave_the_last_side_out_and_not_train() -> None:
    groups = singletons("abcdefgh")
    triangle = {"a": ("x", "z"), "b": ("x", "y"), "c": ("y", "z")} | dict.fromkeys("defgh", ())
    for seed in range(4):  # three classes on two of three groups each cannot all be in both bins
        split = grouped_split(groups, seed, (1, 0, 1), classes=triangle)
        assert all(having(split.train, triangle, kind) for kind in "xyz")
        assert sum(having(split.test, triangle, kind) > 0 for kind in "xyz") == 2


PINNED = {
    ("grouped", None): ["c3d9315f", "2642d7fc", "304c230b", "8d9b2fcf", "c4838859", "7187fe5f"],
    ("grouped", 4): ["ce897a7a", "c125a247", "628c28d2", "c39262df", "6500e6bb", "d36eeb4a"],
    ("random", None): ["12915a75", "7dcd50c2", "85834583", "a112a0cf", "a8f3b505", "074f69b3"],
    ("random", 4): ["8d887e55", "c142056d", "17a28231", "3744617a", "66df90cb", "98240a78"],
    ("official", None): ["52773a94", "52773a94", "44cc4446", "4f709224", "44cc4446", "d48c5ab8"],
    ("official", 4): ["0ba8bbfb", "ee43fa17", "7e8463d1", "e3c97b72", "aeeb6aeb", "115c2ea6"],
}
"""Hashes over all folds, by seed, as they were before classes were balanced."""


@pytest.mark.parametrize(("kind", "folds"), PINNED)
def test_splits_of_two_classes_never_change(kind, folds) -> None:
    names = [f"case{n}" for n in range(60)]
    signatures = dict(zip(names, np.eye(60, dtype=np.float32), strict=True))
    signatures["case59"] = signatures["case58"]
    groups = {name: f"patient {n // 3 if n < 30 else n // 4}" for n, name in enumerate(names[:51])}
    shares = {name: (n * 7 % 10) / 10 for n, name in enumerate(names)}
    present = {name: ("polyp",) if share else () for name, share in shares.items()}
    scan = DatasetScan(groups, signatures, shares, ("polyp",), present)
    official = Split(tuple(names[:48]), (), tuple(names[48:]))
    for seed, expected in enumerate(PINNED[kind, folds]):
        splits = make_splits(SplitPlan(kind, folds, seed), scan, official)
        assert hashlib.sha256("".join(split.sha256 for split in splits).encode()).hexdigest()[:8] == expected


def test_images_with_each_class_are_counted_by_side() -> None:
    split = Split(("a", "b"), (), ("c",))
    present = {"a": ("x", "y"), "b": ("x",), "c": ("x",)}
    x, y, z = count_classes(split, ("x", "y", "z"), present, [["a", "b"], ["c"]])
    assert (x.images, x.absent, x.units) == ({"train": 2, "val": 0, "test": 1}, (), 2)
    assert (y.images, y.absent, y.units) == ({"train": 1, "val": 0, "test": 0}, ("test",), 1)  # val has no images
    assert (z.images, z.absent, z.units) == ({"train": 0, "val": 0, "test": 0}, ("train", "test"), 0)
    assert [str(count) in line for count, line in zip((y, z), absences({"split": (x, y, z)}), strict=True)] == [
        True
    ] * 2


def test_a_class_absent_from_some_folds_is_one_line() -> None:
    present = {"a": ("x", "y"), "b": ("x",), "c": ("x",)}
    splits = {"fold-1": Split(("a",), ("b",), ("c",)), "fold-2": Split(("b", "c"), (), ("a",))}
    (line,) = absences({name: count_classes(split, ("x", "y"), present) for name, split in splits.items()})
    for part in ("'y'", "val and test of fold-1", "train of fold-2"):
        assert part in line


def test_the_report_of_a_split_counts_images_and_groups_of_each_class(rare: DatasetScan) -> None:
    twins = {**rare.signatures, "case09": rare.signatures["case03"]}
    scan = DatasetScan({}, twins, rare.foreground_shares, rare.classes, rare.present)
    report = describe_split(Split(("case03", "case09"), ("case00",), ("case17", "case01")), scan)
    assert report.to_dict()["classes"] == {
        "kind1": {"images": {"train": 2, "val": 1, "test": 2}, "units": 4},
        "kind2": {"images": {"train": 2, "val": 0, "test": 1}, "units": 2},
    }
    assert [count.absent for count in report.classes] == [(), ("val",)]
