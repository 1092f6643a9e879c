"""Measurements as text for the terminal."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from tmunet.prediction.backends.names import TORCH
from tmunet_lab.bench.measure import Measurement

COST = ("", "parameters", "weights MB", "GMAC", "GMAC by hooks")
SPEED = (
    "",
    "ms",
    "quartiles",
    "images/s",
    "x reference",
    "quartiles",
    "of peak",
    "training MB",
    "peak MB",
    "difference",
    "",
)


def measurement_table(rows: Sequence[Measurement], reference: str) -> str:
    """Cost of each size, then time and memory of each size and batch.

    Args:
        rows: sorted by size, then by batch.
        reference: label of the network that times are divided by.
    """
    parts = []
    for size, of_size in groupby(rows, key=lambda row: row.size):
        batches = [list(group) for _, group in groupby(of_size, key=lambda row: row.batch)]
        parts.append(f"Cost of one {size} x {size} image:\n{aligned([COST, *map(_cost, batches[0])])}")
        parts += [
            f"{_heading(group)}; reference {reference}:\n{aligned([SPEED, *map(_speed, group)])}" for group in batches
        ]
    return "\n\n".join(parts)


def _heading(rows: Sequence[Measurement]) -> str:
    """What was measured, of rows of one size and batch."""
    row = rows[0]
    return f"{row.work}, {row.size} x {row.size} pixels, batch {row.batch}, {row.precision} on {row.device}, {_engines(rows)}"


def _engines(rows: Sequence[Measurement]) -> str:
    """What ran the networks: where they differ, labels name all but PyTorch."""
    backends = {row.backend for row in rows}
    return rows[0].backend if len(backends) == 1 else f"{TORCH} where no backend is named"


def _cost(row: Measurement) -> tuple[str, ...]:
    return (
        row.network,
        f"{row.parameters:,}",
        f"{row.weights_bytes / 1e6:.1f}",
        _number(row.macs, 1e9, 3),
        _number(row.macs_thop, 1e9, 3),
    )


def _speed(row: Measurement) -> tuple[str, ...]:
    own, ratio = row.seconds, row.times_reference
    return (
        row.network,
        f"{own.median * 1e3:.1f}" if own else "-",
        f"{own.low * 1e3:.1f} to {own.high * 1e3:.1f}" if own else "-",
        _number(row.images_per_second, 1, 2),
        f"{ratio.median:.2f}" if ratio else "-",
        f"{ratio.low:.2f} to {ratio.high:.2f}" if ratio else "-",
        "-" if row.utilization is None else f"{row.utilization:.0%}",
        _number(row.activation_bytes, 1e6, 0),
        _number(row.peak_bytes, 1e6, 0),
        "-" if row.difference is None else f"{row.difference:.0e}",
        row.note,
    )


def _number(value: float | None, unit: float, digits: int) -> str:
    return "-" if value is None else f"{value / unit:,.{digits}f}"


def aligned(rows: Iterable[Sequence[str]]) -> str:
    """Rows of cells in columns: the first to the left, the others to the right, notes at the end as they are.

    >>> print(aligned([("network", "ms", ""), ("unet", "12.5", "its time was up")]))
      network    ms
      unet     12.5  its time was up
    """
    rows = [tuple(row) for row in rows]
    open_end = not rows[0][-1]  # a last column without a heading holds notes
    columns = range(1, len(rows[0]) - open_end)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [f"  {row[0]:{widths[0]}}", *(f"{row[column]:>{widths[column]}}" for column in columns)]
        lines.append("  ".join([*cells, *(row[-1:] if open_end else ())]).rstrip())
    return "\n".join(lines)
