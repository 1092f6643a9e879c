"""Format numbers as the paper does: Dice, IoU and F1 in percent, HD in pixels, two decimals."""

from collections.abc import Sequence

from tmunet.metrics import DISTANCES

DASH = "–"
HEADINGS = {"dice": "Dice", "iou": "IoU", "f1": "F1", "hd": "HD"}


def unit(metric: str) -> str:
    """Name the unit in which a metric is printed."""
    return "pixels" if metric in DISTANCES else "percent"


def scale_metric(metric: str, value: float) -> float:
    """Convert a metric to the unit in which it is printed.

    >>> scale_metric("dice", 0.5), scale_metric("hd", 12.0)
    (50.0, 12.0)
    """
    return value if metric in DISTANCES else 100 * value


def format_metric(metric: str, value: float | None) -> str:
    """Format a metric, or a dash.

    >>> format_metric("dice", 0.86571), format_metric("hd", 35.349), format_metric("iou", None)
    ('86.57', '35.35', '–')
    """
    return DASH if value is None else f"{scale_metric(metric, value):.2f}"


def format_number(value: float | None, digits: int) -> str:
    """Format a number, or a dash."""
    return DASH if value is None else f"{value:.{digits}f}"


def format_p(p: float) -> str:
    """Format a p value.

    >>> format_p(0.0312), format_p(0.0002)
    ('p = 0.031', 'p < 0.001')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def join_numbers(values: Sequence[int]) -> str:
    """Join whole numbers by commas."""
    return ", ".join(map(str, values))


def format_seeds(values: Sequence[int]) -> str:
    """Name seeds.

    >>> format_seeds([1]), format_seeds([0, 1])
    ('seed 1', 'seeds 0, 1')
    """
    return f"seed{'s' if len(values) > 1 else ''} {join_numbers(values)}"
