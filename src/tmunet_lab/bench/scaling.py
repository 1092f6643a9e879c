"""Scaling of latency and memory with the image size."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tmunet.errors import UsageError
from tmunet.nn.input_size import input_size_of
from tmunet.prediction.backends.names import TORCH
from tmunet_lab.bench.model_spec import ModelSpec
from tmunet_lab.bench.peak_memory import LimitExceeded, MemoryProbe, Peak
from tmunet_lab.bench.subprocess_probe import measure_in_subprocess
from tmunet_lab.bench.timing import Quartiles, time_interleaved
from tmunet_lab.bench.workload import Conditions, inference


@dataclass(frozen=True)
class ScalingPoint:
    """One network at one size, batch 1. Quantities that were not measured are None, and `note` says why.

    Attributes:
        network: its label.
        size: side of the square image, in pixels.
        peak_bytes: peak memory of a prediction; see `measure_peak` for what it includes.
        added_bytes: of that, what came on top of the loaded network.
        seconds: of a call.
        note: why it was not run.
    """

    network: str
    size: int
    peak_bytes: int | None = None
    added_bytes: int | None = None
    seconds: Quartiles | None = None
    note: str = ""


@dataclass(frozen=True)
class ScalingExponents:
    """Exponents of one network over the sizes that were run; None where these are fewer than two."""

    network: str
    time: float | None
    memory: float | None


def fit_exponent(sizes: Sequence[int], values: Sequence[float]) -> float:
    """Fit p of value = c (H W)^p by least squares through logarithms: 1 is linear in the number of pixels, 2 quadratic.

    >>> round(fit_exponent([256, 512, 1024], [1.0, 16.0, 256.0]), 6)
    2.0
    """
    x = [2 * math.log(size) for size in sizes]
    y = [math.log(value) for value in values]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum((a - mean_x) ** 2 for a in x)


def fit_scaling(points: Sequence[ScalingPoint]) -> list[ScalingExponents]:
    """Fit the exponents of each network: of its median latency, and of the memory that an image adds to the loaded network."""
    found = []
    for label in dict.fromkeys(point.network for point in points):
        run = [
            (point.size, point.seconds.median, point.added_bytes)
            for point in points
            if point.network == label and point.seconds and point.added_bytes
        ]
        if len(run) < 2:
            found.append(ScalingExponents(label, None, None))
            continue
        sizes, times, added = zip(*run, strict=True)
        found.append(ScalingExponents(label, fit_exponent(sizes, times), fit_exponent(sizes, added)))
    return found


def measure_scaling(
    specs: Sequence[ModelSpec],
    sizes: Sequence[int],
    rounds: int,
    warm_up: int,
    conditions: Conditions,
    probe: MemoryProbe = measure_in_subprocess,
    progress: Callable[[str], object] = lambda _: None,
) -> list[ScalingPoint]:
    """Measure peak memory in subprocesses, from the smallest size up to the limits, then time what fits, interleaved.

    Args:
        specs: the networks.
        sizes: sides of square images, in pixels, ascending.
        rounds: timed calls of each network at each size.
        warm_up: calls in each turn before the timed one.
        conditions: with the limits: a network ends at the size where one prediction exceeds them.
        probe: measures the peak memory.
        progress: takes a line before each step.

    Raises:
        UsageError: a network has another backend than PyTorch; their files are of one size.
    """
    if others := [spec.label for spec in specs if spec.backend != TORCH]:
        raise UsageError(f"Expected networks run by PyTorch to measure their scaling, but got {', '.join(others)}.")
    peaks = {spec.label: _sweep_sizes(spec, sizes, conditions, probe, progress) for spec in specs}
    networks = {spec.label: spec.create() for spec in specs}
    calls = {
        f"{label} {size}": inference(networks[label], size, 1, conditions)
        for size in sizes
        for label in networks
        if isinstance(peaks[label][size], Peak)
    }
    progress(f"time of {len(calls)} calls, interleaved")
    times = time_interleaved(calls, rounds, warm_up, conditions.seconds, conditions.synchronize)
    return [
        _point(label, size, peak, times.get(f"{label} {size}"))
        for label, found in peaks.items()
        for size, peak in found.items()
    ]


def _sweep_sizes(
    spec: ModelSpec,
    sizes: Sequence[int],
    conditions: Conditions,
    probe: MemoryProbe,
    progress: Callable[[str], object],
) -> dict[int, Peak | LimitExceeded]:
    """Probe size after size; beyond the first that exceeds a limit nothing is run."""
    found: dict[int, Peak | LimitExceeded] = {}
    admitted = input_size_of(spec.create())
    beyond: LimitExceeded | None = None
    for size in sizes:
        if beyond:
            found[size] = beyond
            continue
        if not admitted.admits(size, size):
            found[size] = LimitExceeded("size", f"takes {admitted}")
            continue
        progress(f"{size} px: memory of {spec.label}")
        found[size] = peak = probe(spec.label, size, 1, conditions)
        if isinstance(peak, Peak) and peak.seconds > conditions.seconds:
            found[size] = peak = LimitExceeded("time", f"takes longer than {conditions.seconds:g} s")
        if isinstance(peak, LimitExceeded):
            beyond = LimitExceeded(peak.kind, f"{size} px already {peak.reason}")
    return found


def _point(label: str, size: int, peak: Peak | LimitExceeded, times: Sequence[float] | None) -> ScalingPoint:
    if isinstance(peak, LimitExceeded) or times is None:
        return ScalingPoint(label, size, note=f"not run: {peak.reason}" if isinstance(peak, LimitExceeded) else "")
    added = peak.highest - peak.before
    return ScalingPoint(label, size, peak_bytes=peak.highest, added_bytes=added, seconds=Quartiles.of(times))
