"""How tables print their numbers: as the paper does, Dice, IoU and F1 in percent and HD in pixels, with two decimals."""

from collections.abc import Sequence

from tmunet.metrics import DISTANCES

DASH = "–"
HEADINGS = {"dice": "Dice", "iou": "IoU", "f1": "F1", "hd": "HD"}


def unit(metric: str) -> str:
    """The unit in which a metric is printed."""
    return "pixels" if metric in DISTANCES else "percent"


def scaled(metric: str, value: float) -> float:
    """A metric in the unit in which it is printed.

    >>> scaled("dice", 0.5), scaled("hd", 12.0)
    (50.0, 12.0)
    """
    return value if metric in DISTANCES else 100 * value


def shown(metric: str, value: float | None) -> str:
    """A metric as it is printed, or a dash.

    >>> shown("dice", 0.86571), shown("hd", 35.349), shown("iou", None)
    ('86.57', '35.35', '–')
    """
    return DASH if value is None else f"{scaled(metric, value):.2f}"


def plain(value: float | None, digits: int) -> str:
    """A number, or a dash."""
    return DASH if value is None else f"{value:.{digits}f}"


def p_value(p: float) -> str:
    """A p value in words.

    >>> p_value(0.0312), p_value(0.0002)
    ('p = 0.031', 'p < 0.001')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def numbers(values: Sequence[int]) -> str:
    """Whole numbers in a row."""
    return ", ".join(map(str, values))


def seeds(values: Sequence[int]) -> str:
    """Seeds in words.

    >>> seeds([1]), seeds([0, 1])
    ('seed 1', 'seeds 0, 1')
    """
    return f"seed{'s' if len(values) > 1 else ''} {numbers(values)}"
