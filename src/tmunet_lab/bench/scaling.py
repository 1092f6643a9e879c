"""How time and memory grow with the image."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tmunet.errors import UsageError
from tmunet.nn.input_size import input_size_of
from tmunet.prediction.backends.names import TORCH
from tmunet_lab.bench.bench_table import aligned
from tmunet_lab.bench.model_spec import ModelSpec
from tmunet_lab.bench.peak_memory import Alone, LimitExceeded, Peak
from tmunet_lab.bench.timing import Spread, time_interleaved
from tmunet_lab.bench.workload import Conditions, inference


@dataclass(frozen=True)
class Step:
    """One network at one size, batch 1. What was not run has a note and nothing else.

    Attributes:
        network: its label.
        size: side of the square image, in pixels.
        peak_bytes: highest memory of a prediction; see `measure_peak` for what it includes.
        added_bytes: of that, what came on top of the loaded network.
        seconds: of a call.
        note: why it was not run.
    """

    network: str
    size: int
    peak_bytes: int | None = None
    added_bytes: int | None = None
    seconds: Spread | None = None
    note: str = ""


def slope(sizes: Sequence[int], values: Sequence[float]) -> float:
    """Exponent p of value = c (H W)^p: the least squares line through logarithms, over the number of pixels.

    1 is in proportion to the pixels, 2 to their square.

    >>> round(slope([256, 512, 1024], [1.0, 16.0, 256.0]), 6)
    2.0
    """
    x = [2 * math.log(size) for size in sizes]
    y = [math.log(value) for value in values]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum((a - mean_x) ** 2 for a in x)


def measure_scaling(
    candidates: Sequence[ModelSpec],
    sizes: Sequence[int],
    rounds: int,
    warm_up: int,
    conditions: Conditions,
    alone: Alone,
    watch: Callable[[str], object] = lambda _: None,
) -> list[Step]:
    """Measure memory in processes of their own, from the smallest size up to the limits, then time what fits, in turns.

    Args:
        candidates: the networks.
        sizes: sides of square images, in pixels, ascending.
        rounds: timed calls of each network at each size.
        warm_up: calls in each turn before the timed one.
        conditions: with the limits: a network ends at the size where one prediction exceeds them.
        alone: predicts in a process of its own.
        watch: told what is done next.

    Raises:
        UsageError: a network is to be run by another backend than PyTorch, whose files are of one size.
    """
    if others := [candidate.label for candidate in candidates if candidate.backend != TORCH]:
        raise UsageError(f"Expected networks run by PyTorch to see how they grow, but got {', '.join(others)}.")
    peaks = {candidate.label: _climb(candidate, sizes, conditions, alone, watch) for candidate in candidates}
    networks = {candidate.label: candidate.create() for candidate in candidates}
    calls = {
        f"{label} {size}": inference(networks[label], size, 1, conditions)
        for size in sizes
        for label in networks
        if isinstance(peaks[label][size], Peak)
    }
    watch(f"time of {len(calls)} calls, in turns")
    times = time_interleaved(calls, rounds, warm_up, conditions.seconds, conditions.synchronize)
    return [
        _step(label, size, peak, times.get(f"{label} {size}"))
        for label, found in peaks.items()
        for size, peak in found.items()
    ]


def _climb(
    candidate: ModelSpec, sizes: Sequence[int], conditions: Conditions, alone: Alone, watch: Callable[[str], object]
) -> dict[int, Peak | LimitExceeded]:
    """From size to size; beyond the first that exceeds a limit nothing is tried."""
    found: dict[int, Peak | LimitExceeded] = {}
    admitted = input_size_of(candidate.create())
    beyond: LimitExceeded | None = None
    for size in sizes:
        if beyond:
            found[size] = beyond
            continue
        if not admitted.admits(size, size):
            found[size] = LimitExceeded(f"takes {admitted}")
            continue
        watch(f"{size} px: memory of {candidate.label}")
        found[size] = peak = alone(candidate.label, size, 1, conditions)
        if isinstance(peak, Peak) and peak.seconds > conditions.seconds:
            found[size] = peak = LimitExceeded(f"takes longer than {conditions.seconds:g} s")
        if isinstance(peak, LimitExceeded):
            beyond = LimitExceeded(f"{size} px already {peak.reason}")
    return found


def _step(label: str, size: int, peak: Peak | LimitExceeded, times: Sequence[float] | None) -> Step:
    if isinstance(peak, LimitExceeded) or times is None:
        return Step(label, size, note=f"not run: {peak.reason}" if isinstance(peak, LimitExceeded) else "")
    return Step(label, size, peak_bytes=peak.highest, added_bytes=peak.highest - peak.before, seconds=Spread.of(times))


@dataclass(frozen=True)
class Slopes:
    """Exponents of the growth of one network, over the sizes that were run; None where these are fewer than two."""

    network: str
    time: float | None
    memory: float | None


def slopes(steps: Sequence[Step]) -> list[Slopes]:
    """The growth of each network: of its median time, and of the memory that an image adds to the loaded network."""
    found = []
    for label in dict.fromkeys(step.network for step in steps):
        run = [step for step in steps if step.network == label and step.seconds and step.added_bytes]
        if len(run) < 2:
            found.append(Slopes(label, None, None))
            continue
        sizes = [step.size for step in run]
        time = slope(sizes, [step.seconds.median for step in run if step.seconds])
        found.append(Slopes(label, time, slope(sizes, [step.added_bytes for step in run if step.added_bytes])))
    return found


def scaling_table(steps: Sequence[Step]) -> str:
    """Every step, then the slopes, as text."""
    cells = [
        (
            f"{step.network} {step.size}",
            f"{step.seconds.median * 1e3:.1f}" if step.seconds else "-",
            f"{step.seconds.low * 1e3:.1f} to {step.seconds.high * 1e3:.1f}" if step.seconds else "-",
            f"{step.peak_bytes / 1e6:,.0f}" if step.peak_bytes else "-",
            f"{step.added_bytes / 1e6:,.0f}" if step.added_bytes else "-",
            step.note,
        )
        for step in steps
    ]
    ends = [
        (row.network, *("-" if value is None else f"{value:.2f}" for value in (row.time, row.memory)))
        for row in slopes(steps)
    ]
    return (
        f"{aligned([('', 'ms', 'quartiles', 'peak MB', 'of that added MB', ''), *cells])}\n\n"
        "Growth with the number of pixels (1: in proportion, 2: with its square), least squares over the sizes above:\n"
        f"{aligned([('', 'time', 'added memory'), *ends])}"
    )
