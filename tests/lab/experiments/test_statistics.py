"""Means, spreads and tests of runs, against sums by hand, enumeration and closed testing."""

from dataclasses import replace
from itertools import combinations, product
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmunet.errors import InputError
from tmunet.metrics import describe
from tmunet_lab.experiments.results import RunResult, known_groups
from tmunet_lab.experiments.statistics import estimate_metrics, holm, paired_p

from ...coded_errors import coded
from .made_results import result

P_VALUES = st.lists(st.floats(0, 1), max_size=6)


def closed_testing(values: list[float]) -> list[float]:
    """Holm's method as what it is: Bonferroni's test of every intersection that a hypothesis is part of."""
    indices = range(len(values))
    subsets = [subset for size in range(1, len(values) + 1) for subset in combinations(indices, size)]
    return [
        max(min(1.0, len(subset) * min(values[j] for j in subset)) for subset in subsets if i in subset)
        for i in indices
    ]


@given(P_VALUES)
def test_holm_is_the_closed_test_of_bonferroni(values: list[float]) -> None:
    assert holm(values) == pytest.approx(closed_testing(values))


@given(P_VALUES)
def test_holm_keeps_the_order_and_lies_between_p_and_bonferroni(values: list[float]) -> None:
    corrected = holm(values)
    assert all(p <= after <= min(1.0, len(values) * p) + 1e-12 for p, after in zip(values, corrected, strict=True))
    by_p = [after for _, after in sorted(zip(values, corrected, strict=True))]
    assert by_p == sorted(by_p)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.02, 0.03, 0.04]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert holm([]) == []


def enumerated(differences: list[float]) -> float:
    """Two-sided p of the signed-rank test by all signs; zeros have ranks and no sign (Pratt). Sizes must differ."""
    order = sorted(range(len(differences)), key=lambda index: abs(differences[index]))
    zeros = differences.count(0)
    ranks = [order.index(index) + 1 for index in range(len(differences)) if differences[index]]
    assert zeros <= 1 or all(rank > zeros for rank in ranks)
    positive = sum(rank for rank, d in zip(ranks, filter(None, differences), strict=True) if d > 0)
    sums = [
        sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign)
        for signs in product((0, 1), repeat=len(ranks))
    ]
    below, above = (sum(map(compare, sums)) / len(sums) for compare in (positive.__ge__, positive.__le__))
    return min(1.0, 2 * min(below, above))


@pytest.mark.parametrize(
    "differences",
    [
        [0.01, 0.02, 0.03, 0.04, 0.05],
        [0.01, -0.02, 0.03, 0.04, -0.005, 0.06, 0.07],
        [0.0, 0.0, 0.03, 0.04, 0.05, -0.01, 0.02],
    ],
)
def test_the_signed_rank_test_is_the_enumeration(tmp_path: Path, differences: list[float]) -> None:
    first = result(tmp_path, "a", [0.5 + d for d in differences], protocol="strict")
    second = result(tmp_path, "b", [0.5] * len(differences), protocol="strict")
    p = paired_p([first], [second], "dice", {})
    assert p == pytest.approx(enumerated(differences))
    assert p == paired_p([second], [first], "dice", {})


def test_images_are_averaged_over_seeds_before_they_are_paired(tmp_path: Path) -> None:
    first = [result(tmp_path, "a", values, seed=seed) for seed, values in enumerate([[0.9, 0.2, 0.8], [0.1, 0.8, 0.2]])]
    second = [result(tmp_path, "b", [0.5, 0.5, 0.5])]
    assert paired_p(first, second, "dice", {}) == 1.0  # every image's mean is 0.5


def test_equal_networks_do_not_differ(tmp_path: Path) -> None:
    one = result(tmp_path, "a", [0.3, 0.6, 0.9])
    assert paired_p([one], [one], "dice", {}) == 1.0


def test_only_images_that_both_have_are_paired(tmp_path: Path) -> None:
    values = [0.5, 0.6, 0.7, 0.8, 0.9]
    better = [value + 0.01 * (index + 1) for index, value in enumerate(values)]
    first, second = result(tmp_path, "a", [*better, None]), result(tmp_path, "b", [*values, 0.1])
    without = paired_p([result(tmp_path, "a", better)], [result(tmp_path, "b", values)], "hd", {})
    assert paired_p([first], [second], "hd", {}) == without == pytest.approx(2 / 2**5)
    assert paired_p([first], [second], "dice", {}) != without  # the missed image counts in Dice


def test_mean_sd_and_interval(tmp_path: Path) -> None:
    of_seeds = [[0.5, 0.7, 0.9, 0.3], [0.6, 0.8, 0.7, 0.5], [0.4, 0.9, 0.95, 0.1]]
    results = [
        result(tmp_path, "a", list(values), seed=seed, protocol="strict") for seed, values in enumerate(of_seeds)
    ]
    found = estimate_metrics(results, ("dice", "hd"), {})["dice"]
    assert found is not None
    means = [fmean(values) for values in of_seeds]
    assert found.mean == pytest.approx(fmean(means))
    assert found.sd == pytest.approx(stdev(means))
    assert (found.seeds, found.images) == ((0, 1, 2), 4)
    expected = describe({"dice": [fmean(column) for column in zip(*of_seeds, strict=True)]})["dice"]
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_one_seed_has_no_sd_and_one_image_no_interval(tmp_path: Path) -> None:
    found = estimate_metrics([result(tmp_path, "a", [0.5])], ("dice",), {})["dice"]
    assert found is not None
    assert (found.mean, found.sd, found.low, found.high) == (0.5, None, None, None)


def of_classes(one: RunResult, distances: dict[str, list[float | None]]) -> RunResult:
    """The result with these distances for each class, images that have none left out of the class's mean."""
    rows = [
        {"case": f"case{index}", "class": label, "hd": value}
        for label, values in distances.items()
        for index, value in enumerate(values)
    ]
    means = {label: fmean(v for v in values if v is not None) for label, values in distances.items()}
    counts = {"n": len(rows), "n_both_empty": 0}
    classes = {label: {**counts, "metrics": {"hd": {"mean": mean, "median": mean}}} for label, mean in means.items()}
    return replace(one, scores={**one.scores, "classes": classes, "per_image": rows})


def test_an_interval_is_of_the_mean_that_it_stands_beside(tmp_path: Path) -> None:
    far = [20.0 + index % 3 for index in range(30)]
    near: list[float | None] = [3.0 + index % 2 for index in range(30)]
    sparse = [value if index < 8 else None for index, value in enumerate(far)]
    found = estimate_metrics([of_classes(result(tmp_path, "a", [0.5]), {"far": sparse, "near": near})], ("hd",), {})[
        "hd"
    ]
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.images == 30
    assert found.low < found.mean < found.high  # the mean of the images' means would be below 9
    generator = np.random.default_rng(1)
    means = []
    for _ in range(4000):
        drawn = generator.integers(30, size=30)
        classes = [[values[i] for i in drawn if values[i] is not None] for values in (sparse, near)]
        means.append(fmean(fmean(values) for values in classes if values))  # type: ignore[type-var]
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(means, (2.5, 97.5))), abs=0.05)


def test_f1_of_the_protocol_paper_is_one_number_for_the_set(tmp_path: Path) -> None:
    results = [result(tmp_path, "a", [0.5, 0.9, None])]
    found = estimate_metrics(results, ("f1", "dice"), {})
    assert found["f1"] is not None
    assert found["dice"] is not None
    assert (found["f1"].low, found["dice"].low is not None) == (None, True)
    assert paired_p(results, results, "f1", {}) is None


def test_a_metric_that_no_image_of_a_run_has_is_nothing(tmp_path: Path) -> None:
    results = [result(tmp_path, "a", [None, None]), result(tmp_path, "a", [0.5, 0.9], seed=1)]
    assert estimate_metrics(results, ("hd",), {}) == {"hd": None}
    assert paired_p(results[:1], results[1:], "hd", {}) is None


def test_results_of_other_images_or_protocols_are_not_compared(tmp_path: Path) -> None:
    one, other = result(tmp_path, "a", [0.5, 0.6]), result(tmp_path, "b", [0.5, 0.6], split_sha256="f" * 64)
    with pytest.raises(InputError, check=coded("not-comparable")):
        paired_p([one], [other], "dice", {})
    with pytest.raises(InputError, check=coded("not-comparable")):
        estimate_metrics([one, result(tmp_path, "a", [0.5, 0.6], seed=1, protocol="strict")], ("dice",), {})


VIDEOS: list[str | None] = ["a", "a", "a", "b", "b", "c", "d", "d", "e", None]
SEEDS = [[0.5, 0.7, 0.9, 0.3, 0.6, 0.8, 0.7, 0.5, 0.1, 0.4], [0.4, 0.9, 0.8, 0.1, 0.5, 0.9, 0.7, 0.6, 0.2, 0.6]]


def in_videos(tmp_path: Path, network: str, more: float = 0.0) -> list[RunResult]:
    """Two seeds of a network on images of videos; the later a video, the more of `more` it has."""
    grown = [[dice + more * (index + 1) / 100 for index, dice in enumerate(values)] for values in SEEDS]
    return [
        result(tmp_path, network, list(values), seed=seed, groups=VIDEOS, protocol="strict")
        for seed, values in enumerate(grown)
    ]


def test_where_groups_are_known_the_interval_is_that_of_groups(tmp_path: Path) -> None:
    results = in_videos(tmp_path, "a")
    found = estimate_metrics(results, ("dice",), known_groups(results))["dice"]
    alone = estimate_metrics(results, ("dice",), {})["dice"]
    assert found is not None
    assert alone is not None
    assert (found.mean, found.sd, found.images, found.groups) == (alone.mean, alone.sd, 10, 6)
    assert alone.groups is None
    means = [fmean(column) for column in zip(*SEEDS, strict=True)]
    expected = describe({"dice": means}, groups=VIDEOS)["dice"]
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.low, found.high) != (alone.low, alone.high)


def test_one_group_has_no_interval(tmp_path: Path) -> None:
    results = [result(tmp_path, "a", [0.5, 0.6, 0.7], groups=["a", "a", "a"])]
    found = estimate_metrics(results, ("dice",), known_groups(results))["dice"]
    assert found is not None
    assert (found.low, found.high, found.groups) == (None, None, 1)


def test_the_paired_test_ranks_the_mean_difference_of_each_group(tmp_path: Path) -> None:
    first, second = in_videos(tmp_path, "a", more=1.0), in_videos(tmp_path, "b")
    p = paired_p(first, second, "dice", known_groups(first))
    assert p == pytest.approx(enumerated([0.02, 0.045, 0.06, 0.075, 0.09, 0.10]))  # of six groups, all above 0
    assert paired_p(first, second, "dice", {}) == pytest.approx(2 / 2**10)


def test_a_group_is_known_if_any_result_tells_it_and_two_must_tell_the_same(tmp_path: Path) -> None:
    old, new = result(tmp_path, "a", [0.5, 0.6]), result(tmp_path, "b", [0.5, 0.6], groups=["video", None])
    assert known_groups([old]) == {}
    assert known_groups([old, new]) == {"frame 0": "video"}
    other = result(tmp_path, "c", [0.5, 0.6], groups=["patient", None])
    with pytest.raises(InputError, check=coded("not-comparable")):
        known_groups([old, new, other])


def test_zeros_are_ranked_before_they_are_left_out(tmp_path: Path) -> None:
    differences = [0.0, 0.0, 0.03, -0.04, 0.05, 0.01, 0.02]
    first = result(tmp_path, "a", [0.5 + d for d in differences], protocol="strict")
    second = result(tmp_path, "b", [0.5] * len(differences), protocol="strict")
    assert paired_p([first], [second], "dice", {}) == pytest.approx(enumerated(differences)) == pytest.approx(10 / 32)


def test_images_that_differ_by_rounding_alone_are_equal(tmp_path: Path) -> None:
    thirds = [result(tmp_path, "a", [value] * 8, seed=seed) for seed, value in enumerate((0.1, 0.2, 0.3))]
    whole = result(tmp_path, "b", [0.2] * 8)
    assert fmean((0.1, 0.2, 0.3)) != 0.2
    assert paired_p(thirds, [whole], "dice", {}) == 1.0


def test_images_that_only_one_network_has_do_not_count_on_either_side(tmp_path: Path) -> None:
    more, fewer = result(tmp_path, "a", [0.5, 0.6, 0.7, 0.8]), result(tmp_path, "b", [0.4, 0.5, 0.6, None])
    assert paired_p([more], [fewer], "hd", {}) == paired_p([fewer], [more], "hd", {}) == pytest.approx(2 / 2**3)


def test_the_interval_depends_on_no_order_and_the_seeds_ascend(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((2, 40)).tolist()
    results = [result(tmp_path, "a", of, seed=seed, protocol="strict") for seed, of in enumerate(values)]
    found = estimate_metrics(results[::-1], ("dice",), {})["dice"]
    assert found is not None
    assert found.seeds == (0, 1)
    names = sorted(f"frame {index}" for index in range(40))
    column = [fmean(of[int(name.split()[1])] for of in values) for name in names]
    expected = describe({"dice": column})["dice"]
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_two_images_have_an_interval(tmp_path: Path) -> None:
    found = estimate_metrics([result(tmp_path, "a", [0.25, 0.75], protocol="strict")], ("dice",), {})["dice"]
    assert found is not None
    assert (found.low, found.high) == (0.25, 0.75)


def test_a_class_that_a_resample_lacks_does_not_count_in_it(tmp_path: Path) -> None:
    near: list[float | None] = [3.0] * 10
    rare = [21.0, *[None] * 9]  # two in three resamples have it
    found = estimate_metrics([of_classes(result(tmp_path, "a", [0.5]), {"rare": rare, "near": near})], ("hd",), {})[
        "hd"
    ]
    assert found is not None
    assert (found.low, found.mean, found.high) == (3.0, 12.0, 12.0)
