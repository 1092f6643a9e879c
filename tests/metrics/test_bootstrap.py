"""Statistics against the standard library, the interval against SciPy, the bootstrap over patients against a plain loop."""

import json
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tmunet.errors import InputError
from tmunet.metrics import PROTOCOLS, Statistics, describe
from tmunet.metrics.bootstrap import RESAMPLES, count_groups, group_sums, number_groups, resamples

names = st.lists(st.sampled_from([None, "a", "b", "c"]), min_size=1, max_size=12)
floats = st.floats(0, 100, width=32)


@pytest.fixture
def values():
    """Sixty values as skewed as Hausdorff distances are."""
    return np.random.default_rng(3).exponential(10.0, size=60).tolist()


def test_mean_sd_and_median_equal_the_standard_library(values):
    described = describe({"hd": values})["hd"]
    assert described.mean == pytest.approx(statistics.fmean(values), abs=1e-12)
    assert described.sd == pytest.approx(statistics.stdev(values), abs=1e-12)
    assert described.median == pytest.approx(statistics.median(values), abs=1e-12)


@pytest.mark.parametrize("n", [2, 7, 60])
def test_interval_equals_scipy_within_monte_carlo_error(values, n):
    sample = values[:n]
    described = describe({"hd": sample}, seed=11)["hd"]
    scipys = stats.bootstrap(
        (sample,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(99)
    ).confidence_interval
    # The 2.5 % point of 10,000 draws has an error of 0.027 standard errors; four times that, for two draws.
    tolerance = 4 * 0.027 * 2**0.5 * statistics.stdev(sample) / n**0.5
    assert described.low == pytest.approx(scipys.low, abs=tolerance)
    assert described.high == pytest.approx(scipys.high, abs=tolerance)
    assert described.low < described.mean < described.high


@pytest.mark.parametrize("n", [60, 900])  # 900 images take several chunks
def test_interval_equals_the_textbook_loop_on_the_same_draws(n):
    sample = np.random.default_rng(5).random(n)
    drawn = np.random.default_rng(2).integers(n, size=(10_000, n))
    low, high = np.quantile(sample[drawn].mean(axis=1), [0.025, 0.975])
    described = describe({"dice": sample.tolist()}, seed=2)["dice"]
    assert described.low == pytest.approx(low, abs=1e-12)
    assert described.high == pytest.approx(high, abs=1e-12)


def test_interval_covers_the_true_mean_about_as_often_as_it_says():
    generator = np.random.default_rng(8)
    described = [describe({"x": generator.normal(5.0, 2.0, size=40).tolist()})["x"] for _ in range(120)]
    covered = sum(one.low <= 5.0 <= one.high for one in described)
    assert 0.88 * 120 <= covered < 120


def test_the_same_seed_gives_the_same_interval_and_another_seed_another(values):
    assert describe({"hd": values}, seed=4) == describe({"hd": values}, seed=4)
    assert describe({"hd": values}, seed=4)["hd"].low != describe({"hd": values}, seed=5)["hd"].low


def test_the_seed_that_nobody_names_is_0() -> None:
    values = np.random.default_rng(1).normal(size=20).tolist()
    assert describe({"hd": values}) == describe({"hd": values}, seed=0)
    assert all((a == b).all() for a, b in zip(resamples(5), resamples(5, seed=0), strict=True))
    for protocol in PROTOCOLS.values():
        scores = [
            protocol.score(preds=np.eye(4, dtype=bool), target=np.arange(16).reshape(4, 4) < n) for n in range(1, 9)
        ]
        assert protocol.summarize(scores) == protocol.summarize(scores, seed=0)


def test_all_metrics_see_the_same_resamples(values):
    described = describe({"mm": values, "px": [2 * value for value in values]})
    assert described["px"].low == pytest.approx(2 * described["mm"].low, abs=1e-12)
    alone = describe({"mm": values})["mm"]
    assert (alone.low, alone.high) == pytest.approx((described["mm"].low, described["mm"].high), abs=1e-12)


def test_one_image_has_no_spread_and_no_image_has_nothing():
    assert describe({"dice": [0.7]}) == {"dice": Statistics(0.7, None, 0.7, None, None)}
    assert describe({"dice": []}) == {"dice": Statistics(None, None, None, None, None)}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_not_finite_is_refused_with_its_place(value):
    with pytest.raises(InputError, match=rf"`hd`.* {value} for image 2"):
        describe({"dice": [1.0, 1.0, 1.0], "hd": [1.0, 2.0, value]})


def test_columns_of_different_images_are_refused():
    with pytest.raises(InputError, match="`columns`"):
        describe({"dice": [1.0, 0.5], "hd": [1.0]})


def test_statistics_hold_plain_numbers_that_json_can_write(values):
    described = describe({"hd": values})["hd"]
    assert json.loads(json.dumps(vars(described), allow_nan=False)) == vars(described)


@st.composite
def grouped(draw):
    """Values of images and their groups, at least two groups."""
    groups = [*draw(names), None, "a"]
    return [draw(floats) for _ in groups], groups


def bounds(values, groups, seed=0):
    described = describe({"x": values}, seed, groups)["x"]
    return described.low, described.high


def by_hand(values, groups, seed):
    """The cluster bootstrap as it is told: draw groups, put their images together, take the mean."""
    members = {}
    for place, (value, group) in enumerate(zip(values, groups, strict=True)):
        members.setdefault(("alone", place) if group is None else group, []).append(value)
    clusters = list(members.values())
    drawn = np.random.default_rng(seed).integers(len(clusters), size=(RESAMPLES, len(clusters)))
    means = [np.mean(np.concatenate([clusters[k] for k in row])) for row in drawn]
    return np.percentile(means, 2.5), np.percentile(means, 97.5)


@pytest.mark.parametrize("seed", [0, 7])
def test_the_interval_is_that_of_the_plain_loop(seed):
    generator = np.random.default_rng(4)
    groups = [None if k == 0 else f"video {k}" for k in generator.integers(9, size=50)]
    values = [generator.normal(int(group[-1]) if group else 2) for group in groups]
    assert bounds(values, groups, seed) == pytest.approx(by_hand(values, groups, seed), abs=1e-12)


@given(st.lists(floats, min_size=2, max_size=12), st.integers(0, 5))
@settings(deadline=None, max_examples=25)
def test_one_image_a_group_is_the_bootstrap_of_images(values, seed):
    of_images = bounds(values, None, seed)
    assert bounds(values, [None] * len(values), seed) == of_images  # bit for bit: nothing is known
    assert bounds(values, [str(k) for k in range(len(values))], seed) == pytest.approx(of_images, abs=1e-9)


@given(grouped())
@settings(deadline=None, max_examples=25)
def test_copies_of_every_image_in_its_group_change_nothing(case):
    values, groups = case
    groups = [f"alone {place}" if group is None else group for place, group in enumerate(groups)]
    assert bounds(values * 2, groups * 2) == pytest.approx(bounds(values, groups), abs=1e-9)


@given(grouped())
@settings(deadline=None, max_examples=25)
def test_groups_are_known_by_who_is_in_them_and_not_by_name(case):
    values, groups = case
    renamed = [None if group is None else f"patient {group * 2}" for group in groups]
    assert bounds(values, renamed) == bounds(values, groups)


def test_alike_images_of_a_group_widen_the_interval_and_move_nothing_else():
    generator = np.random.default_rng(1)
    groups = [f"video {k // 6}" for k in range(60)]
    values = (np.repeat(generator.normal(0, 1, 10), 6) + generator.normal(0, 0.1, 60)).tolist()
    alone, together = describe({"x": values})["x"], describe({"x": values}, groups=groups)["x"]
    assert (alone.mean, alone.sd, alone.median) == (together.mean, together.sd, together.median)
    assert together.high - together.low > 1.8 * (alone.high - alone.low)


def test_one_group_has_no_interval():
    described = describe({"x": [1.0, 2.0, 4.0]}, groups=["a", "a", "a"])["x"]
    assert (described.low, described.high, described.sd is None) == (None, None, False)
    assert bounds([1.0, 2.0], ["a", None]) != (None, None)


@given(names)
def test_groups_are_numbered_without_gaps_and_counted(groups):
    numbers = number_groups(groups).tolist()
    assert sorted(set(numbers)) == list(range(max(numbers) + 1))
    same = [(a is not None and a == b) or i == j for i, a in enumerate(groups) for j, b in enumerate(groups)]
    assert same == [a == b for a in numbers for b in numbers]
    known = any(group is not None for group in groups)
    assert count_groups(groups) == (len(set(numbers)) if known else None)
    assert group_sums(np.ones((len(groups), 1)), groups).sum() == len(groups)


def test_groups_of_other_images_are_refused():
    with pytest.raises(InputError, match="`groups`"):
        describe({"x": [1.0, 2.0]}, groups=["a"])
    scores = [PROTOCOLS["paper"].score(preds=np.eye(4, dtype=bool), target=np.eye(4, dtype=bool))] * 2
    with pytest.raises(InputError, match="`groups`"):
        PROTOCOLS["paper"].summarize(scores, groups=["a"])


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_summary_draws_the_groups_of_the_images_that_it_measures(pairs, name):
    """Under `paper` HD leaves images out, and with them their groups."""
    protocol = PROTOCOLS[name]
    scores, groups = (
        [protocol.score(preds=preds, target=target) for preds, target in pairs],
        [f"g{k // 20}" for k in range(len(pairs))],
    )
    summary = protocol.summarize(scores, seed=2, groups=groups)
    assert summary.n_groups == 15
    assert protocol.summarize(scores).n_groups is None
    for metric in ("dice", "hd"):
        kept = [k for k, case in enumerate(scores) if np.isfinite(getattr(case, metric))]
        expected = by_hand([getattr(scores[k], metric) for k in kept], [groups[k] for k in kept], 2)
        assert (summary.metrics[metric].low, summary.metrics[metric].high) == pytest.approx(expected, abs=1e-9)
