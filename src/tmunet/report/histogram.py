"""The geometry of the histogram of foreground shares; the template draws it as inline SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

from tmunet.report.charts import Tick, axis
from tmunet.report.report_text import percent
from tmunet.text import pluralize

BINS = 20
START = 12.0  # percent of the width that the bar of the empty masks takes, if there is one


@dataclass(frozen=True)
class Bar:
    """Cases in one range of shares; ``x``, ``width`` and ``height`` are percent of the plot."""

    x: float
    width: float
    height: float
    count: int
    title: str


@dataclass(frozen=True)
class Histogram:
    """How many cases have how much foreground; empty masks have a bar of their own, left of the axis."""

    description: str
    bars: Sequence[Bar]
    ticks: Sequence[Tick]


def histogram(shares: Sequence[float]) -> Histogram | None:
    """Sort shares into 20 bins from 0 to a round number, and those that are 0 into a bar of their own.

    Args:
        shares: foreground share of each case, 0 to 1.

    Returns:
        The chart, or None if there is no case.
    """
    if not shares:
        return None
    filled = [share for share in shares if share > 0]
    _, top, marks = axis(0.0, 100 * max(shares)) if filled else (0.0, 100.0, [0.0, 50.0, 100.0])
    counts = [0] * BINS
    for share in filled:
        counts[min(BINS - 1, int(100 * share / top * BINS))] += 1
    empty = len(shares) - len(filled)
    start = START if empty else 0.0
    tallest, width = max(*counts, empty), (100 - start) / BINS
    bars = []
    if empty:
        label = f"{pluralize(empty, 'image')} with an empty mask"
        bars.append(Bar(0.0, width, 100 * empty / tallest, empty, label))
    for place, count in enumerate(counts):
        span = f"{percent(top * place / BINS / 100)} to {percent(top * (place + 1) / BINS / 100)}"
        if count:
            label = f"{pluralize(count, 'image')} with {span}"
            bars.append(Bar(start + place * width, width, 100 * count / tallest, count, label))
    ticks = [Tick(start + mark / top * (100 - start), f"{mark:g} %") for mark in marks if 0 <= mark <= 100]
    span = f"{percent(min(shares))} to {percent(max(shares))}"
    words = f"Foreground shares of {pluralize(len(shares), 'image')}: {span}, {empty} empty."
    return Histogram(words, bars, [*([Tick(width / 2, "empty")] if empty else []), *ticks])
