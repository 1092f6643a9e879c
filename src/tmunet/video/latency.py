"""Percentiles of the latency of frames: from when a frame was read until its overlay was handed to the encoder."""

import math
from collections.abc import Sequence
from typing import Any

PERCENTILES = (50, 95, 99)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest of the values that at least `percent` of them do not exceed (nearest rank).

    No value between two is made up: the 99th percentile is a latency that a frame had.

    >>> percentile([15, 20, 35, 40, 50], 50), percentile([15, 20, 35, 40, 50], 95)
    (35, 50)
    """
    ordered = sorted(values)
    return ordered[max(1, math.ceil(percent / 100 * len(ordered))) - 1]


def summarize_latency(milliseconds: Sequence[float]) -> dict[str, Any]:
    """Summarize latencies: `p50_ms`, `p95_ms`, `p99_ms`, `max_ms`; None without a frame."""
    chosen = {f"p{percent}_ms": percentile(milliseconds, percent) if milliseconds else None for percent in PERCENTILES}
    return {**chosen, "max_ms": max(milliseconds, default=None)}
