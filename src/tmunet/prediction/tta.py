"""The flips over which a prediction is averaged: those that training images went through."""

import warnings

from tmunet.data.training_stats import Turns
from tmunet.errors import TMUNetWarning, UsageError

NONE: tuple[tuple[int, ...], ...] = ((),)
ALL: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))


def flips_of(turns: Turns | None) -> tuple[tuple[int, ...], ...]:
    """The axes of each flip, the first of which is none.

    Args:
        turns: how training images were turned; None is not known, and then all flips are taken.

    Raises:
        UsageError: training turned no image, so a flipped one is unlike all it has seen.

    Warns:
        TMUNetWarning: it is not known.
    """
    if turns is None:
        warnings.warn(
            "The model does not say which flips its training images went through, so all are averaged over: where training "
            "had none, as for images whose orientation means something, that makes masks worse.",
            TMUNetWarning,
            stacklevel=3,
        )
        return ALL
    flips = turns.flips()
    if flips == NONE:
        raise UsageError(
            "Expected a model that was trained with flips, but this one was trained without: `flips` would turn images in a way "
            "it has never seen. Leave `flips` out."
        )
    return flips
