"""Say what the values of masks are that are no labels: gray levels, numbers of objects, or stored values of classes.

The advice never proposes a threshold for what may be labels, nor a merge of what may be classes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tmunet.labels import IGNORE_LABEL
from tmunet.text import pluralize

FEW_VALUES = 8
"""Up to that many values may be labels of classes; more are gray levels or numbers of objects."""

Counts = NDArray[np.intp]
"""Number of pixels of each value, as of `numpy.bincount`."""

_BRIGHT = 192
_DIM = 64  # a gray mask has its foreground above this level
_NEAR = 8  # levels around a common one
_END = "tmunet does not guess."
_IMPORT = "`tmunet import SOURCE DESTINATION"


def add_counts(counts: Sequence[Counts]) -> Counts:
    """Sum histograms of different lengths."""
    total = np.zeros(max(map(len, counts)), np.intp)
    for one in counts:
        total[: len(one)] += one
    return total


def common_level(counts: Counts) -> int | None:
    """The level that most of the foreground of gray masks is near, such as 255; None if there is none.

    JPEG, smooth scaling and anti-aliasing leave gray levels around it, while objects are numbered from 1 on.
    """
    if len(counts) > 256 or not counts[_DIM:].sum():
        return None
    if counts[_BRIGHT:].sum() * 2 >= counts[1:].sum():
        return 255
    level = _DIM + int(counts[_DIM:].argmax())
    near = counts[max(level - _NEAR, 0) : level + _NEAR + 1].sum()
    return level if near * 2 >= counts[1:].sum() else None


def _are_numbers(counts: Counts) -> bool:
    """Whether values may only number objects: beyond 8 bits, or nearly all numbers from 1 on are there."""
    return len(counts) > 256 or 2 * int(np.count_nonzero(counts)) > len(counts)


def describe_values(
    counts: Sequence[Counts], of: int, classes: Sequence[str], ignore_label: int | None = None
) -> tuple[str, str]:
    """Describe the values of all masks of a data set that are no labels, and what to do.

    Args:
        counts: histogram of each such mask.
        of: number of all masks.
        classes: names of the data set.
        ignore_label: 255, or None.

    Returns:
        What was found, and the advice.

    >>> describe_values([np.bincount([0] * 88 + [*range(1, 9)] + [255] * 4)], 3, ("background", "polyp"))[0]
    '1 of 3 masks with 10 values from 0 to 255'
    """
    total = add_counts(counts)
    values = np.flatnonzero(total).tolist()
    which, span = f"{len(counts):,} of {of:,} masks with", f"from {values[0]} to {values[-1]}"
    hint = advice(total, classes, ignore_label)
    level = common_level(total)
    if len(values) <= FEW_VALUES:
        return f"{which} the values " + ", ".join(
            f"{value} ({total[value] / total.sum():.1%})" for value in values
        ), hint
    if level is None or len(classes) > 2 or ignore_label is not None:
        return f"{which} {pluralize(len(values), 'value')} {span}", hint
    exact = (total[0] + total[level]) / total.sum()
    return f"{which} gray values: {exact:.1%} of their pixels are 0 or {level}", hint


def advice(counts: Counts, classes: Sequence[str], ignore_label: int | None = None) -> str:
    """Write the hint for masks with unexpected values."""
    values = np.flatnonzero(counts).tolist()
    ignore = ', with "ignore_label": 255 if that is what 255 means' * (IGNORE_LABEL in values and ignore_label is None)
    several = f"name all classes in dataset.json{ignore}"
    if len(classes) > 2 or ignore_label is not None:
        return f"If they are labels of several classes, {several}, or map them: {_IMPORT} --values ...`; {_END}"
    numbers = f"If they number objects, make all of them one class: {_IMPORT} --foreground any`"
    if len(values) > FEW_VALUES:
        level = common_level(counts)
        if level is None and _are_numbers(counts):
            return f"{numbers}; {_END}"
        gray = f"JPEG, smooth scaling and anti-aliasing make such values: {_IMPORT} --threshold {(level or 255) // 2}`"
        return f"{gray}; {_END}" if level is not None else f"{gray}. {numbers}; {_END}"
    if len(values) <= 2:
        meant = ",".join(f"{value}={name}" for value, name in zip(values, classes[2 - len(values) :], strict=True))
        return (
            f"If they are these two classes, say so: {_IMPORT} --values {meant}`. If there are more, {several}; {_END}"
        )
    names = [classes[0], *(f"CLASS{number}" for number in range(1, len(values)))]
    mapped = ",".join(f"{value}={name}" for value, name in zip(values, names, strict=True))
    labels = f"--classes {','.join(names)} --values {mapped}"
    return f"If they are labels of several classes, {several}, or {_IMPORT} {labels}`. {numbers}; {_END}"
