"""How much of an image each class covers."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tmunet.labels import IGNORE_LABEL


def class_fractions(mask: NDArray[np.uint8], classes: Sequence[str]) -> dict[str, float]:
    """Share of each class but the background in the pixels that are not ignored.

    Args:
        mask: ``(H, W)`` labels 0..K-1, and 255 where ignored.
        classes: names of the labels.

    Returns:
        0 to 1 by class name, in order of the labels; nothing where every pixel is ignored.

    >>> class_fractions(np.array([[0, 1, 1, 255]], np.uint8), ("background", "polyp"))
    {'polyp': 0.6666666666666666}
    """
    counts = np.bincount(mask.ravel(), minlength=IGNORE_LABEL + 1)[: len(classes)]
    counted = int(counts.sum())
    return {name: int(counts[label]) / counted for label, name in enumerate(classes) if label > 0 and counted}
