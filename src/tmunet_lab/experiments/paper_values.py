"""Look up the values of the paper (Tables 1, 2 and 3), from `paper.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from tmunet.config import read_yaml, suggest
from tmunet.errors import UsageError

MACHINE = "NVIDIA A100"  # Section 3.1; of the paper's frames per second
SPLIT = "random"  # Section 3.1: 7:1:2, without groups
PROTOCOL = "paper"  # as its released code scores


@dataclass(frozen=True)
class PaperRow:
    """One row of a table.

    Attributes:
        flops: in G; multiply-accumulates as thop counts them.
        fps: images per second.
        scores: by data set, then by metric; Dice, IoU and F1 in percent, HD in pixels.
    """

    flops: float
    fps: float
    scores: Mapping[str, Mapping[str, float]]


@cache
def paper_tables() -> Mapping[str, Mapping[str, PaperRow]]:
    """Read all tables: "table1", "table2" and "table3", each with its rows by name."""
    with resources.as_file(resources.files(__package__) / "paper.yaml") as path:
        tables = read_yaml(path)
    return {table: {name: PaperRow(**row) for name, row in rows.items()} for table, rows in tables.items()}


def paper_row(table: str, row: str) -> PaperRow | None:
    """Look up a row.

    Args:
        table: "table1", "table2" or "table3".
        row: its name in `paper.yaml`; "" for a network that the paper does not have.

    Raises:
        UsageError: the table has no such row.
    """
    rows = paper_tables()[table]
    if row and row not in rows:
        raise UsageError(f"The paper's {table} has no row {row!r}.{suggest(row, rows)}", code="row")
    return rows[row] if row else None


def paper_value(table: str, row: str, data: str, metric: str) -> float | None:
    """Look up a score; None where the paper has none.

    Args:
        table: "table1", "table2" or "table3".
        row: its name in `paper.yaml`, or "".
        data: name of a data set.
        metric: "dice", "iou" or "f1" (percent), or "hd" (pixels).

    Raises:
        UsageError: the table has no such row.

    >>> paper_value("table1", "TM-UNet", "MoNuSeg", "dice")
    85.63
    """
    found = paper_row(table, row)
    return None if found is None else found.scores.get(data, {}).get(metric)
