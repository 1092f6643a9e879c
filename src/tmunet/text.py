"""Text for messages: counts with plural nouns, and tables."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

KINDS = "video sequence, patient, slide"
"""What a group of images can be."""


def pluralize(number: int, noun: str, plural: str | None = None) -> str:
    """A count with its noun: ``"1 case"``, ``"1,204 cases"``; `plural` is for nouns that do not take an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def resampling_unit(images: int, groups: int | None) -> str:
    """Describe what a bootstrap resamples: groups of images, or images.

    Args:
        images: number of images.
        groups: number of groups, images without a group included; None where no group is known.

    Example:
        >>> resampling_unit(122, None), resampling_unit(122, 27)
        ('122 images', '27 groups (video sequence, patient, slide) of 122 images')

    """
    of = pluralize(images, "image")
    return of if groups is None else f"{pluralize(groups, 'group')} ({KINDS}) of {of}"


def missed_sizes(summary: Mapping[str, Any]) -> str:
    """Areas of the missed objects in parentheses, in the unit of the scores; empty if none is missed.

    Args:
        summary: `Summary.to_dict()` of one class.

    >>> missed_sizes({"objects_missed": 2, "objects_missed_median_px": 12.0, "objects_missed_largest_px": 1204})
    ' (median 12 px, largest 1,204 px)'
    """
    if not summary["objects_missed"]:
        return ""
    if summary.get("unit") == "mm":
        middle, largest = (f"{summary[f'objects_missed_{which}_mm2']:.3g} mm²" for which in ("median", "largest"))
    else:
        middle, largest = (f"{summary[f'objects_missed_{which}_px']:,.0f} px" for which in ("median", "largest"))
    return f" (median {middle}, largest {largest})"


def table(rows: Iterable[Sequence[str]], header: Sequence[str]) -> str:
    """Format a text table: the first column left-aligned, the others right-aligned; a last column without heading holds notes.

    >>> print(table([("unet", "12.5", "2 of 3 rounds")], ("network", "ms", "")))
      network    ms
      unet     12.5  2 of 3 rounds
    """
    lines = [tuple(header), *map(tuple, rows)]
    notes = len(header) > 1 and not header[-1]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = []
    for first, *others in lines:
        cells = [f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True)]
        if notes:
            cells[-1] = others[-1]
        aligned.append("  ".join([f"  {first:{widths[0]}}", *cells]).rstrip())
    return "\n".join(aligned)
