"""Statistics against the standard library, the interval against SciPy."""

import json
import statistics
import time

import numpy as np
import pytest
from scipy import stats

from tmunet.errors import InputError
from tmunet.metrics import Statistics, describe
from tmunet.metrics.bootstrap import RESAMPLES


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
    with pytest.raises(InputError, match=rf"`hd` to be finite for every image, but got {value} for image 2\."):
        describe({"dice": [1.0, 1.0, 1.0], "hd": [1.0, 2.0, value]})


def test_columns_of_different_images_are_refused():
    with pytest.raises(InputError, match=r"got lengths \{'dice': 2, 'hd': 1\}"):
        describe({"dice": [1.0, 0.5], "hd": [1.0]})


def test_a_thousand_images_take_less_than_a_second():
    columns = np.random.default_rng(1).random((7, 1000)).tolist()
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        describe({f"metric {k}": column for k, column in enumerate(columns)})
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1.0


def test_statistics_hold_plain_numbers_that_json_can_write(values):
    described = describe({"hd": values})["hd"]
    assert json.loads(json.dumps(vars(described), allow_nan=False)) == vars(described)
