"""Time, measured side by side: candidates take turns, so that whatever else the machine does falls on all of them."""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tmunet.errors import UsageError


@dataclass(frozen=True)
class Spread:
    """The middle of repeated measurements, and how far they scatter.

    Attributes:
        median: of all values.
        low: lower quartile.
        high: upper quartile.
        count: number of values.
    """

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Summarize at least one value; quartiles are interpolated between values.

        >>> Spread.of([4.0, 1.0, 3.0, 2.0, 5.0])
        Spread(median=3.0, low=2.0, high=4.0, count=5)
        """
        if len(values) == 1:
            return cls(values[0], values[0], values[0], 1)
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high, len(values))


def time_interleaved(
    candidates: Mapping[str, Callable[[], object]],
    rounds: int,
    warm_up: int,
    seconds: float = math.inf,
    synchronize: Callable[[], object] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Time candidates in turns: each once a round, and each round begins with another one.

    What another candidate left in the caches, and threads of its that still wait for work, fall on the calls that are not timed.

    Args:
        candidates: what to time, by name.
        rounds: timed calls of each.
        warm_up: calls in each turn before the timed one.
        seconds: a candidate whose calls, warm-up included, have taken this long takes no further part; it is timed at least once.
        synchronize: waits until the device has finished, such as `torch.cuda.synchronize`; called before and after each call.
        clock: seconds that pass.

    Returns:
        Seconds of each candidate's rounds, from the first round on; fewer than `rounds` where its time was up.

    Raises:
        UsageError: there are no rounds, or fewer than no warm-ups.
    """
    if rounds < 1 or warm_up < 0:
        raise UsageError(f"Expected at least 1 of `rounds` and 0 of `warm_up`, but got {rounds} and {warm_up}.")
    times: dict[str, list[float]] = {name: [] for name in candidates}
    spent = dict.fromkeys(candidates, 0.0)
    names = list(candidates)
    for turn in range(rounds):
        first = turn % len(names) if names else 0
        for name in names[first:] + names[:first]:
            if spent[name] >= seconds and times[name]:
                continue
            for _ in range(warm_up + 1):
                synchronize()
                start = clock()
                candidates[name]()
                synchronize()
                passed = clock() - start
                spent[name] += passed
            times[name].append(passed)
    return times


def ratio(times: Sequence[float], reference: Sequence[float]) -> Spread:
    """How many times as long as the reference: the spread of the ratios of each round that both took part in.

    >>> ratio([2.0, 20.0, 3.0], [1.0, 10.0, 1.0]).median
    2.0
    """
    return Spread.of([a / b for a, b in zip(times, reference, strict=False)])
