"""Interleaved timing: order of the turns, budget, quartiles, relative latency."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmunet.errors import UsageError
from tmunet_lab.bench.timing import Quartiles, ratio, time_interleaved

TIMES = st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=20)


class Clock:
    """Seconds that pass only during a call."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []

    def call(self, name: str, seconds: float) -> Callable[[], None]:
        def run() -> None:
            self.calls.append(name)
            self.now += seconds

        return run


def test_every_round_begins_with_another_call() -> None:
    clock = Clock()
    times = time_interleaved({name: clock.call(name, 1.0) for name in "abc"}, 4, 0, clock=lambda: clock.now)
    assert "".join(clock.calls) == "abc" + "bca" + "cab" + "abc"
    assert times == {name: [1.0] * 4 for name in "abc"}


def test_each_turn_warms_up_untimed() -> None:
    clock = Clock()

    def cold() -> None:  # slow after another call
        clock.call("c", 1.0 if clock.calls[-1:] == ["c"] else 9.0)()

    times = time_interleaved({"a": clock.call("a", 1.0), "c": cold}, 2, 1, clock=lambda: clock.now)
    assert "".join(clock.calls) == "aacc" + "ccaa"
    assert times == {"a": [1.0, 1.0], "c": [1.0, 1.0]}


@pytest.mark.parametrize(("seconds", "rounds", "calls"), [(35.0, 2, 6), (15.0, 1, 3), (5.0, 1, 3)])
def test_a_slow_call_has_fewer_rounds_and_one_at_least(seconds: float, rounds: int, calls: int) -> None:
    clock = Clock()
    calls_by_name = {"slow": clock.call("slow", 10.0), "fast": clock.call("fast", 0.1)}
    times = time_interleaved(calls_by_name, 7, 2, seconds, clock=lambda: clock.now)
    assert (len(times["slow"]), clock.calls.count("slow")) == (rounds, calls)
    assert len(times["fast"]) == 7


def test_the_device_has_finished_before_and_after_each_call() -> None:
    events: list[str] = []
    time_interleaved({"a": lambda: events.append("call")}, 2, 1, synchronize=lambda: events.append("wait"))
    assert events == ["wait", "call", "wait"] * 4


def test_the_real_clock_runs() -> None:
    times = time_interleaved({"a": lambda: sum(range(1000))}, 3, 1)
    assert len(times["a"]) == 3
    assert min(times["a"]) > 0
    assert time_interleaved({}, 3, 1) == {}


@pytest.mark.parametrize(("rounds", "warm_up"), [(0, 1), (1, -1)])
def test_there_is_a_round(rounds: int, warm_up: int) -> None:
    with pytest.raises(UsageError, match=f"but got {rounds} and {warm_up}"):
        time_interleaved({}, rounds, warm_up)


@given(TIMES)
def test_quartiles_are_numpys(values: list[float]) -> None:
    spread = Quartiles.of(values)
    np.testing.assert_allclose((spread.low, spread.median, spread.high), np.percentile(values, (25, 50, 75)))
    assert spread.count == len(values)


@given(TIMES, st.floats(0.01, 100), st.integers(1, 20))
def test_a_ratio_is_of_the_same_round(values: list[float], factor: float, rounds: int) -> None:
    spread = ratio([value * factor for value in values[:rounds]], values)  # a drift of the machine cancels
    np.testing.assert_allclose((spread.low, spread.median, spread.high), factor)
    assert spread.count == min(rounds, len(values))
