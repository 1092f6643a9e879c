"""Tables of measurements for the terminal."""

from collections.abc import Sequence
from itertools import groupby

from tmunet.prediction.backends.names import TORCH
from tmunet.text import table
from tmunet_lab.bench.measure import Measurement
from tmunet_lab.bench.scaling import ScalingPoint, fit_scaling
from tmunet_lab.bench.timing import Quartiles

COST = ("", "parameters", "weights MB", "GMAC", "GMAC by thop")
SPEED = (
    *("", "ms", "quartiles", "images/s", "x reference", "quartiles", "utilization"),
    *("training MB", "peak MB", "difference", ""),
)
SCALING = ("", "ms", "quartiles", "peak MB", "of that added MB", "")


def measurement_table(rows: Sequence[Measurement], reference: str) -> str:
    """Format the cost of each size, then latency and memory of each size and batch.

    Args:
        rows: sorted by size, then by batch.
        reference: label of the network that times are divided by.
    """
    parts = []
    for size, of_size in groupby(rows, key=lambda row: row.size):
        batches = [list(group) for _, group in groupby(of_size, key=lambda row: row.batch)]
        parts.append(f"Cost of one {size} x {size} image:\n{table(map(_cost, batches[0]), COST)}")
        parts += [f"{_heading(group)}; reference {reference}:\n{table(map(_speed, group), SPEED)}" for group in batches]
    return "\n\n".join(parts)


def scaling_table(points: Sequence[ScalingPoint]) -> str:
    """Format every point, then the exponents."""
    cells = [
        (
            f"{point.network} {point.size}",
            *_milliseconds(point.seconds),
            _number(point.peak_bytes, 1e6, 0),
            _number(point.added_bytes, 1e6, 0),
            point.note,
        )
        for point in points
    ]
    exponents = [(row.network, _number(row.time, 1, 2), _number(row.memory, 1, 2)) for row in fit_scaling(points)]
    return (
        f"{table(cells, SCALING)}\n\n"
        "Exponents over the number of pixels (1: linear, 2: quadratic), least squares over the sizes above:\n"
        f"{table(exponents, ('', 'time', 'added memory'))}"
    )


def _heading(rows: Sequence[Measurement]) -> str:
    row, backends = rows[0], {row.backend for row in rows}
    backend = row.backend if len(backends) == 1 else f"{TORCH} where no backend is named"
    pixels = f"{row.size} x {row.size} pixels, batch {row.batch}"
    return f"{row.work}, {pixels}, {row.precision} on {row.device}, {backend}"


def _cost(row: Measurement) -> tuple[str, ...]:
    counts = (_number(row.macs, 1e9, 3), _number(row.macs_thop, 1e9, 3))
    return row.network, f"{row.parameters:,}", f"{row.weights_bytes / 1e6:.1f}", *counts


def _speed(row: Measurement) -> tuple[str, ...]:
    ratio = row.times_reference
    return (
        row.network,
        *_milliseconds(row.seconds),
        _number(row.images_per_second, 1, 2),
        f"{ratio.median:.2f}" if ratio else "-",
        f"{ratio.low:.2f} to {ratio.high:.2f}" if ratio else "-",
        "-" if row.utilization is None else f"{row.utilization:.0%}",
        _number(row.activation_bytes, 1e6, 0),
        _number(row.peak_bytes, 1e6, 0),
        "-" if row.difference is None else f"{row.difference:.0e}",
        row.note,
    )


def _milliseconds(time: Quartiles | None) -> tuple[str, str]:
    """Median and quartiles."""
    if time is None:
        return "-", "-"
    return f"{time.median * 1e3:.1f}", f"{time.low * 1e3:.1f} to {time.high * 1e3:.1f}"


def _number(value: float | None, unit: float, digits: int) -> str:
    return "-" if value is None else f"{value / unit:,.{digits}f}"
