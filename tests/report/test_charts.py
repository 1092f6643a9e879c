import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmunet.report.charts import TALLEST, axis, best_epoch, curves, strip

from .report_samples import history_of, row_of

STATISTICS = {"mean": 0.5, "low": 0.4, "high": 0.6}
numbers = st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda value: round(value, 4))


@given(numbers, numbers, st.booleans())
def test_axis_covers_its_values_in_few_even_round_steps(one, other, whole):
    low, high = sorted((one, other))
    first, last, ticks = axis(low, high, whole)
    steps = [after - before for before, after in pairwise(ticks)]
    slack = 1e-6 * max(1.0, abs(low), abs(high))
    assert first <= low + slack
    assert last >= high - slack
    assert 2 <= len(ticks) <= 8
    assert steps == pytest.approx([steps[0]] * len(steps), rel=1e-6)
    assert any(
        math.isclose(steps[0] / 10 ** math.floor(math.log10(steps[0]) + 1e-7), f, rel_tol=1e-5) for f in (1, 2, 5)
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200))
def test_every_image_is_one_dot_at_its_value_inside_the_strip(values):
    rows = [row_of(f"case {index}", "a", "found", value) for index, value in enumerate(values)]
    chart = strip(rows, "dice", STATISTICS)
    first = min(float(tick.label) for tick in chart.ticks)
    assert len(chart.dots) == len(values)
    for dot, value in zip(chart.dots, sorted(values), strict=True):
        assert dot.x == pytest.approx(100 * (value - first) / (1 - first), abs=1e-3)
        assert 0 < dot.y <= chart.height
    assert chart.height <= TALLEST + 20


def test_dots_at_the_same_value_are_stacked_apart():
    chart = strip([row_of(name, "a", "found", 0.5) for name in "abc"], "dice", STATISTICS)
    assert len({dot.y for dot in chart.dots}) == 3


def test_a_dot_says_its_case_value_and_outcome():
    (dot,) = strip([row_of("frame 7", "a", "false_alarm", 0.0)], "hd95", {**STATISTICS, "mean": None}).dots
    assert dot.title == "frame 7: 5.7, false alarm"
    assert dot.outcome == "false_alarm"


def test_images_without_a_value_are_counted_and_no_interval_is_invented():
    rows = [row_of("a", "a", "found", 0.9), row_of("b", "a", "found", None)]
    chart = strip(rows, "dice", {"mean": 0.9, "low": None, "high": None})
    assert (len(chart.dots), chart.missing, chart.low, chart.high) == (1, 1, None, None)
    assert chart.description == "Dice of 1 image: mean 0.900, 95 % interval –."


def test_a_strip_of_nothing_has_an_axis_and_no_dots():
    chart = strip([], "hd95", {"mean": None, "low": None, "high": None})
    assert not chart.dots
    assert chart.mean is None
    assert len(chart.ticks) > 1


def test_curves_run_from_the_first_epoch_to_the_last_and_mark_the_best():
    history = history_of(10)
    history[3]["val_dice"] = 0.99
    chart = curves(history, "Validation Dice", {"val_dice": "validation"}, ceiling=1.0)
    (line,) = chart.lines
    assert [x for x, _ in line.points] == pytest.approx([100 * index / 9 for index in range(10)], abs=1e-3)
    assert min(y for _, y in line.points) == line.points[3][1]
    assert chart.best == pytest.approx(100 * 3 / 9, abs=1e-3)
    assert [tick.label for tick in chart.x_ticks] == ["2", "4", "6", "8", "10"]


def test_height_of_a_curve_matches_its_axis():
    history = [{"epoch": 1, "train_loss": 2.0}, {"epoch": 2, "train_loss": 1.0}]
    chart = curves(history, "Loss", {"train_loss": "training", "val_loss": "validation"})
    heights = {tick.label: tick.at for tick in chart.y_ticks}
    assert chart.lines[0].points == [(0.0, heights["2.0"]), (100.0, heights["1.0"])]
    assert len(chart.lines) == 1
    assert chart.best is None


def test_epochs_without_a_value_are_passed_over():
    history = history_of(6)
    for row in history[::2]:
        row["val_dice"] = None
    chart = curves(history, "Validation Dice", {"val_dice": "validation"})
    assert len(chart.lines[0].points) == 3


def test_one_epoch_stands_in_the_middle():
    chart = curves(history_of(1), "Loss", {"train_loss": "training"})
    assert chart.lines[0].points == [(50.0, 50.0)]


def test_a_perfect_dice_stays_below_the_ceiling():
    chart = curves([{"epoch": 1, "val_dice": 1.0}], "Validation Dice", {"val_dice": "validation"}, ceiling=1.0)
    assert chart.y_ticks[-1].label == "1.00"
    assert chart.lines[0].points == [(50.0, 0.0)]


def test_a_quantity_that_was_never_logged_has_no_chart():
    assert curves([{"epoch": 1, "val_dice": None}], "Dice", {"val_dice": "validation"}) is None
    assert curves([], "Dice", {"val_dice": "validation"}) is None


def test_the_best_epoch_is_the_first_of_equals():
    history = [
        {"epoch": 1, "val_dice": 0.5},
        {"epoch": 2, "val_dice": 0.9},
        {"epoch": 3, "val_dice": 0.9},
    ]
    assert best_epoch(history)["epoch"] == 2
    assert best_epoch([{"epoch": 1}]) is None
