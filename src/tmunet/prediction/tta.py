"""Test-time augmentation (TTA): average predictions over the flips of the training augmentation."""

import warnings

from tmunet.data.training_stats import Turns
from tmunet.errors import TMUNetWarning, UsageError

Flips = tuple[tuple[int, ...], ...]
"""The axes of each flip; the first is no flip."""

NO_TTA: Flips = ((),)
ALL_FLIPS: Flips = ((), (-1,), (-2,), (-2, -1))


def tta_flips(turns: Turns | None) -> Flips:
    """Select the flips that training images went through.

    Args:
        turns: flips and rotations of the training augmentation; None is unknown, and all flips are used.

    Raises:
        UsageError: training flipped no image, so flipped images are out of its distribution.

    Warns:
        TMUNetWarning: the training augmentation is unknown.
    """
    if turns is None:
        warnings.warn(
            "The model does not state the flips of its training augmentation, so test-time augmentation uses all flips: if "
            "training had none, as for images whose orientation matters, masks get worse.",
            TMUNetWarning,
            stacklevel=3,
        )
        return ALL_FLIPS
    flips = turns.flips()
    if flips == NO_TTA:
        raise UsageError(
            "Expected a model trained with flips for `tta` (test-time augmentation), but this one was trained without; leave "
            "`tta` out.",
            code="no-flips",
        )
    return flips
