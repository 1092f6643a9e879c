"""Overlap of two masks: confusion counts, and the five ratios that are made of them.

A ratio whose denominator is 0 has no value and is NaN here. What such an image counts for is a decision, not
arithmetic: it is written down in :mod:`tmunet.metrics.empty_masks` and taken by a protocol.
"""

import math
from dataclasses import dataclass

import numpy as np

from tmunet.metrics.pair import Mask, check_pair


@dataclass(frozen=True)
class Counts:
    """Pixels of one image by what the reference and the prediction say of them.

    Attributes:
        tp: object in both.
        fp: object in the prediction only.
        fn: object in the reference only.
        tn: object in neither.

    """

    tp: int
    fp: int
    fn: int
    tn: int


def confusion(reference: Mask, prediction: Mask) -> Counts:
    """Count the pixels of each kind.

    Args:
        reference: ``(H, W)`` boolean.
        prediction: ``(H, W)`` boolean.

    Returns:
        The four counts; their sum is ``H * W``.

    Raises:
        InputError: the masks are not two boolean masks of one shape.

    Example:
        >>> reference = np.array([[True, True, False, False]])
        >>> prediction = np.array([[False, True, True, False]])
        >>> confusion(reference, prediction)
        Counts(tp=1, fp=1, fn=1, tn=1)

    """
    check_pair(reference, prediction)
    tp = int(np.count_nonzero(reference & prediction))
    fp = int(np.count_nonzero(prediction)) - tp
    fn = int(np.count_nonzero(reference)) - tp
    return Counts(tp=tp, fp=fp, fn=fn, tn=reference.size - tp - fp - fn)


def dice(counts: Counts, smooth: float = 0.0) -> float:
    """Dice coefficient, ``(2 tp + smooth) / (2 tp + fp + fn + smooth)``.

    Args:
        counts: of one image.
        smooth: added above and below the line; the paper's code adds 1.

    Returns:
        Between 0 and 1; NaN when both masks are empty and ``smooth`` is 0.

    Example:
        >>> dice(Counts(tp=1, fp=1, fn=1, tn=1))
        0.5

    """
    return _ratio(2 * counts.tp + smooth, 2 * counts.tp + counts.fp + counts.fn + smooth)


def iou(counts: Counts, smooth: float = 0.0) -> float:
    """Intersection over union (Jaccard index), ``(tp + smooth) / (tp + fp + fn + smooth)``.

    Args:
        counts: of one image.
        smooth: added above and below the line; the paper's code adds 1.

    Returns:
        Between 0 and 1; NaN when both masks are empty and ``smooth`` is 0.

    """
    return _ratio(counts.tp + smooth, counts.tp + counts.fp + counts.fn + smooth)


def precision(counts: Counts) -> float:
    """Share of the prediction that is right, ``tp / (tp + fp)``; NaN when the prediction is empty."""
    return _ratio(counts.tp, counts.tp + counts.fp)


def recall(counts: Counts) -> float:
    """Share of the reference that was found, ``tp / (tp + fn)``; NaN when the reference is empty."""
    return _ratio(counts.tp, counts.tp + counts.fn)


def f1(counts: Counts) -> float:
    """Harmonic mean of precision and recall, ``2 tp / (2 tp + fp + fn)``; NaN when both masks are empty.

    For one image this is the Dice coefficient under another name; the two differ only where a protocol
    smooths Dice or builds F1 from averages.
    """
    return dice(counts)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
