"""Interleaved timing: calls take turns, so that other load on the machine falls on all of them."""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tmunet.errors import UsageError


@dataclass(frozen=True)
class Quartiles:
    """Median and quartiles of repeated measurements.

    Attributes:
        median: of the values.
        low: lower quartile.
        high: upper quartile.
        count: number of values.
    """

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Quartiles":
        """Summarize at least one value; quartiles are interpolated between values.

        >>> Quartiles.of([4.0, 1.0, 3.0, 2.0, 5.0])
        Quartiles(median=3.0, low=2.0, high=4.0, count=5)
        """
        if len(values) == 1:
            return cls(values[0], values[0], values[0], 1)
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high, len(values))


def time_interleaved(
    calls: Mapping[str, Callable[[], object]],
    rounds: int,
    warm_up: int,
    seconds: float = math.inf,
    synchronize: Callable[[], object] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Time calls in turns: each once a round, and each round begins with another one.

    Untimed warm-up calls take what the call before left in the caches, and its threads that still spin.

    Args:
        calls: what to time, by name.
        rounds: timed calls of each.
        warm_up: calls in each turn before the timed one.
        seconds: budget of each call, warm-up included; once it is spent there are no further rounds of it, but one at least.
        synchronize: waits for the device, such as `torch.cuda.synchronize`; runs before and after each call.
        clock: in seconds.

    Returns:
        Seconds of each round by name, from the first round on; fewer than `rounds` where the budget was spent.

    Raises:
        UsageError: `rounds` is below 1 or `warm_up` below 0.
    """
    if rounds < 1 or warm_up < 0:
        raise UsageError(
            f"Expected at least 1 of `rounds` and 0 of `warm_up`, but got {rounds} and {warm_up}.", code="value"
        )
    times: dict[str, list[float]] = {name: [] for name in calls}
    spent = dict.fromkeys(calls, 0.0)
    names = list(calls)
    for turn in range(rounds):
        first = turn % len(names) if names else 0
        for name in names[first:] + names[:first]:
            if spent[name] >= seconds and times[name]:
                continue
            for _ in range(warm_up + 1):
                synchronize()
                start = clock()
                calls[name]()
                synchronize()
                passed = clock() - start
                spent[name] += passed
            times[name].append(passed)
    return times


def ratio(times: Sequence[float], reference: Sequence[float]) -> Quartiles:
    """Relative latency: quartiles of the ratios of the rounds that both have.

    >>> ratio([2.0, 20.0, 3.0], [1.0, 10.0, 1.0]).median
    2.0
    """
    return Quartiles.of([a / b for a, b in zip(times, reference, strict=False)])
