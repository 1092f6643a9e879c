"""Temporal hysteresis: small regions that flicker between frames are held back until seen twice, and let go once faint.

Large regions pass as they are, so that a polyp's outline never lags behind the camera. It looks at the past only.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tmunet.metrics import components

SMALL = 0.01
"""Share of the frame below which a region is small."""


@dataclass
class TemporalHysteresis:
    """Steady the masks of a video; call it with the frames in order.

    A small region appears only where the frame before also had a region of its label, and a small region that was shown stays
    where its probability is still above half of the threshold.

    Args:
        threshold: probability above which a pixel is foreground, for two classes.
        small: share of the frame below which a region is small.
    """

    threshold: float = 0.5
    small: float = SMALL
    _seen: NDArray[np.uint8] | None = field(default=None, init=False, repr=False)
    _shown: NDArray[np.uint8] | None = field(default=None, init=False, repr=False)

    def __call__(self, mask: NDArray[np.uint8], probability: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return the steadied mask of the next frame.

        Args:
            mask: (H, W) labels.
            probability: (K, H, W) of each class.
        """
        result = mask.copy()
        if self._seen is not None and self._shown is not None and self._seen.shape == mask.shape:
            limit = self.small * mask.size
            for label in range(1, probability.shape[0]):
                now, before = mask == label, self._shown == label
                hidden = _small_regions_apart(now, before | (self._seen == label), limit)
                faint = _small_regions_apart(before, now, limit)
                result[hidden] = 0
                result[faint & (result == 0) & (probability[label] > self.threshold / 2)] = label
        self._seen, self._shown = mask, result
        return result


def _small_regions_apart(regions: NDArray[np.bool_], others: NDArray[np.bool_], limit: float) -> NDArray[np.bool_]:
    """The small components (H, W) of a mask that touch none of another, not even by one pixel around."""
    if not regions.any():
        return regions
    objects, areas = components(regions)
    chosen = np.asarray(areas < limit)
    chosen[0] = False
    if others.any():
        chosen[np.unique(objects[ndimage.binary_dilation(others, np.ones((3, 3), bool))])] = False
    return np.asarray(chosen[objects])


def count_flips(masks: list[NDArray[np.uint8]], small: float = SMALL) -> int:
    """Count the small regions that appear or vanish from one mask (H, W) to the next: no region of their label touches them.

    >>> spot = np.zeros((20, 20), np.uint8)
    >>> spot[5, 5] = 1
    >>> count_flips([spot * 0, spot, spot * 0, spot * 0])
    2
    """
    flips = 0
    for first, second in pairwise(masks):
        limit = small * first.size
        for label in np.union1d(first, second):
            if label:
                pair = (first == label, second == label)
                flips += sum(
                    int(components(_small_regions_apart(*two, limit))[1][1:].size) for two in (pair, pair[::-1])
                )
    return flips
