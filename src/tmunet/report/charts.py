"""Charts of the HTML pages: dot plots of scores, training curves, histogram; templates draw them as inline SVG.

Inline SVG and not matplotlib: its colors follow the page into dark mode and onto paper, its text keeps its
size on a phone, each dot can say its name, and a chart weighs a few kilobytes. Positions are percent of the
plot's width and, for curves, of its height (0 at the top); the height of dots is in pixels above the axis.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tmunet.report.report_text import METRICS, OUTCOMES, Metric, interval, known, number, percent
from tmunet.text import pluralize

STRIP_BINS = 50  # columns in which the dots of a strip are stacked
TALLEST = 130.0  # pixels of the highest stack
PITCH = 7.0  # pixels between two dots of a stack
HISTOGRAM_BINS = 20
EMPTY_BAR = 12.0  # percent of the width that the bar of empty masks takes, if there is one


@dataclass(frozen=True)
class Tick:
    """Tick of an axis, at a percentage of its length."""

    at: float
    label: str


@dataclass(frozen=True)
class Dot:
    """Image in a dot plot."""

    x: float
    y: float
    outcome: str
    title: str


@dataclass(frozen=True)
class Strip:
    """Dot plot of one metric over the images of one class, with mean and 95 % interval."""

    heading: str
    description: str
    height: float
    ticks: Sequence[Tick]
    dots: Sequence[Dot]
    mean: float | None
    low: float | None
    high: float | None
    missing: int


@dataclass(frozen=True)
class Line:
    """Quantity over the epochs in which it was logged."""

    label: str
    style: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Curves:
    """Training curves; ``best`` is the position of the best epoch, if known."""

    heading: str
    description: str
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    lines: Sequence[Line]
    best: float | None


@dataclass(frozen=True)
class Bar:
    """Cases in one bin; ``x``, ``width`` and ``height`` are percent of the plot."""

    x: float
    width: float
    height: float
    count: int
    title: str


@dataclass(frozen=True)
class Histogram:
    """Histogram of foreground fractions, with the bar of empty masks left of the axis."""

    description: str
    bars: Sequence[Bar]
    ticks: Sequence[Tick]


def axis(low: float, high: float, whole: bool = False) -> tuple[float, float, list[float]]:
    """Choose an axis from ``low`` to ``high`` that begins and ends on a round number.

    Args:
        low: smallest value.
        high: largest value; may equal ``low``.
        whole: only whole numbers as ticks.

    Returns:
        The first and the last value of the axis, and its ticks, in steps of 1, 2 or 5 times a power of ten.

    Example:
        >>> axis(0.0, 37.0)
        (0.0, 40.0, [0.0, 10.0, 20.0, 30.0, 40.0])
    """
    if high <= low:
        low, high = low - (abs(low) or 1.0) / 2, low + (abs(low) or 1.0) / 2
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    step = max(1.0, step) if whole else step
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = [round(index * step, 12) for index in range(first, last + 1)]
    return ticks[0], ticks[-1], ticks


def strip(
    rows: Sequence[Mapping[str, Any]],
    name: str,
    statistics: Mapping[str, float | None],
    metrics: Mapping[str, Metric] = METRICS,
) -> Strip:
    """Lay out a dot plot: the images of one class stacked along the values of one metric.

    Args:
        rows: per-image rows of one class: ``"case"``, ``"outcome"`` and the metric.
        name: ``"dice"`` (axis up to 1) or a distance (axis from 0).
        statistics: ``"mean"``, ``"low"`` and ``"high"`` of the metric.
        metrics: formats by the name of the metric.
    """
    scored = sorted((row for row in rows if known(row[name]) is not None), key=lambda row: float(row[name]))
    values = [float(row[name]) for row in scored]
    distance = bool(metrics[name].unit)
    start, end, marks = (
        axis(0.0, max([*values, 1.0 if metrics[name].unit == "pixels" else 1e-6]))
        if distance
        else axis(min([*values, 0.9]), 1.0)
    )
    dots, height = _stack(scored, [_percent(value, start, end) for value in values], name, metrics)
    mean, low, high = (known(statistics[key]) for key in ("mean", "low", "high"))
    return Strip(
        heading=metrics[name].heading,
        description=f"{metrics[name].heading} of {pluralize(len(scored), 'image')}: "
        f"mean {number(mean, name, metrics)}, 95 % interval {interval(low, high, name, metrics)}.",
        height=height,
        ticks=[Tick(_percent(mark, start, end), _label(mark, marks)) for mark in marks],
        dots=dots,
        mean=None if mean is None else _percent(mean, start, end),
        low=None if low is None or high is None else _percent(low, start, end),
        high=None if low is None or high is None else _percent(high, start, end),
        missing=len(rows) - len(scored),
    )


def _stack(
    rows: Sequence[Mapping[str, Any]], positions: Sequence[float], name: str, metrics: Mapping[str, Metric]
) -> tuple[list[Dot], float]:
    columns = [min(int(position * STRIP_BINS / 100), STRIP_BINS - 1) for position in positions]
    tallest = max(Counter(columns).values(), default=1)
    pitch = min(PITCH, TALLEST / tallest)
    filled: Counter[int] = Counter()
    dots = []
    for row, position, column in zip(rows, positions, columns, strict=True):
        title = f"{row['case']}: {number(row[name], name, metrics)}, {OUTCOMES.get(row['outcome'], row['outcome'])}"
        dots.append(Dot(position, round(PITCH * 0.75 + filled[column] * pitch, 2), row["outcome"], title))
        filled[column] += 1
    return dots, round(PITCH * 1.5 + max(tallest - 1, 5) * pitch, 1)


def best_epoch(history: Sequence[Mapping[str, float | None]]) -> Mapping[str, float | None] | None:
    """Find the first epoch with the highest validation Dice; None if none was logged."""
    scored = [row for row in history if known(row.get("val_dice")) is not None]
    return max(scored, key=lambda row: row["val_dice"] or 0.0, default=None)


def curves(
    history: Sequence[Mapping[str, float | None]],
    heading: str,
    names: Mapping[str, str],
    ceiling: float | None = None,
) -> Curves | None:
    """Lay out training curves.

    Args:
        history: one row for each epoch, with ``"epoch"`` and the quantities; None where one was not measured.
        heading: what is drawn.
        names: label by quantity, such as ``{"train_loss": "training"}``.
        ceiling: the value at which the axis ends, or None to end it after the largest value.

    Returns:
        The chart, or None if none of the quantities was logged.
    """
    values = [value for row in history for name in names if (value := known(row.get(name))) is not None]
    if not values:
        return None
    epochs = [float(row["epoch"] or 0) for row in history]
    left, right = min(epochs), max(epochs)
    if ceiling is None:
        bottom, top, marks = axis(min(values), max(values))
    else:
        bottom, top, marks = axis(min([*values, 0.9 * ceiling]), ceiling)
    steps = [mark for mark in axis(left, right, whole=True)[2] if left <= mark <= right]
    best = best_epoch(history)

    def points(name: str) -> list[tuple[float, float]]:
        return [
            (_percent(epoch, left, right), _percent(top + bottom - value, bottom, top))
            for epoch, row in zip(epochs, history, strict=True)
            if (value := known(row.get(name))) is not None
        ]

    return Curves(
        heading=heading,
        description=f"{heading} over epochs {left:g} to {right:g}: {min(values):.3f} to {max(values):.3f}.",
        x_ticks=[Tick(_percent(step, left, right), f"{step:g}") for step in steps],
        y_ticks=[Tick(_percent(top + bottom - mark, bottom, top), _label(mark, marks)) for mark in marks],
        lines=[Line(label, name, drawn) for name, label in names.items() if (drawn := points(name))],
        best=None if best is None else _percent(float(best["epoch"] or 0), left, right),
    )


def histogram(fractions: Sequence[float]) -> Histogram | None:
    """Lay out a histogram of foreground fractions: 20 bins from 0 to a round number, and a separate bar for empty masks.

    Args:
        fractions: foreground fraction of each case, 0 to 1.

    Returns:
        The chart, or None if there is no case.
    """
    if not fractions:
        return None
    filled = [fraction for fraction in fractions if fraction > 0]
    _, top, marks = axis(0.0, 100 * max(fractions)) if filled else (0.0, 100.0, [0.0, 50.0, 100.0])
    counts = [0] * HISTOGRAM_BINS
    for fraction in filled:
        counts[min(HISTOGRAM_BINS - 1, int(100 * fraction / top * HISTOGRAM_BINS))] += 1
    empty = len(fractions) - len(filled)
    start = EMPTY_BAR if empty else 0.0
    tallest, width = max(*counts, empty), (100 - start) / HISTOGRAM_BINS
    bars = []
    if empty:
        label = f"{pluralize(empty, 'image')} with an empty mask"
        bars.append(Bar(0.0, width, 100 * empty / tallest, empty, label))
    for index, count in enumerate(counts):
        span = f"{percent(top * index / HISTOGRAM_BINS / 100)} to {percent(top * (index + 1) / HISTOGRAM_BINS / 100)}"
        if count:
            label = f"{pluralize(count, 'image')} with {span}"
            bars.append(Bar(start + index * width, width, 100 * count / tallest, count, label))
    ticks = [Tick(start + mark / top * (100 - start), f"{mark:g} %") for mark in marks if 0 <= mark <= 100]
    span = f"{percent(min(fractions))} to {percent(max(fractions))}"
    words = f"Foreground fraction of {pluralize(len(fractions), 'image')}: {span}, {empty} empty."
    return Histogram(words, bars, [*([Tick(width / 2, "empty")] if empty else []), *ticks])


def _percent(value: float, start: float, end: float) -> float:
    return 50.0 if end == start else round(100 * (value - start) / (end - start), 3)


def _label(mark: float, marks: Sequence[float]) -> str:
    decimals = max(0, -math.floor(math.log10(marks[1] - marks[0]) + 1e-9))
    return f"{mark:.{decimals}f}"
