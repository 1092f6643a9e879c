"""Calibration of the confidence of a model: the expected Dice of a mask, fitted on validation images. Plain data."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from tmunet.text import pluralize

REVIEW_DICE = 0.7
"""A mask is flagged if less than this Dice is expected."""

REVIEW_AGREEMENT = 0.8
"""A mask of a model without a calibration is flagged below this agreement (`benchmarks/confidence.md`)."""


@dataclass(frozen=True)
class Calibration:
    """Map from the agreement of a mask with its probabilities to its expected Dice, fitted by `tmunet evaluate --calibrate`."""

    agreement: tuple[float, ...]
    """Agreements of validation images, ascending: the ends of the steps of an isotonic regression."""
    dice: tuple[float, ...]
    """Expected Dice at each, ascending."""
    error: float
    """Mean absolute difference of expected and true Dice, by cross-validation over the validation images."""
    review: float
    """Agreement that 5 % of the validation images are below; a mask below it is flagged."""
    images: int
    """Number of validation images with a mask that is not empty."""
    data: str
    """Name of the data set."""
    split_sha256: str
    """SHA-256 of the split that the images are from."""
    threshold: float = 0.5
    """Threshold of the masks."""
    tile_size: int | None = None
    """Tile size of the sliding window it was fitted with."""
    tta: bool = False
    """Whether it was fitted with test-time augmentation, whose flips are part of the agreement."""

    def __post_init__(self) -> None:
        ascending = all(list(values) == sorted(values) for values in (self.agreement, self.dice))
        inside = all(0 <= value <= 1 for value in (*self.agreement, *self.dice, self.error, self.review))
        if not self.agreement or len(self.agreement) != len(self.dice) or not ascending or not inside:
            raise ValueError("Expected `agreement` and `dice` to be equally many ascending numbers from 0 to 1.")

    def __str__(self) -> str:
        return (
            f"expected Dice within {self.error:.3f} on average, fitted on "
            f"{pluralize(self.images, 'validation image')} of {self.data}"
        )

    def is_low(self, agreement: float) -> bool:
        """Return whether a mask is to be reviewed: a low Dice is expected, or its agreement is unusually low."""
        return agreement < self.review or self.expected_dice(agreement) < REVIEW_DICE

    def expected_dice(self, agreement: float) -> float:
        """Interpolate the expected Dice; below the lowest agreement of the fit, on a line to 0 at 0.

        >>> fit = Calibration((0.8, 0.9), (0.7, 0.95), 0.02, 0.81, 20, "nuclei", "0" * 64)
        >>> [round(fit.expected_dice(agreement), 3) for agreement in (0.4, 0.8, 0.85, 1.0)]
        [0.35, 0.7, 0.825, 0.95]
        """
        known, dice = [0.0, *self.agreement], [0.0, *self.dice]
        if agreement >= known[-1]:
            return dice[-1]
        return _interpolate(known, dice, agreement)


def _interpolate(known: Sequence[float], values: Sequence[float], at: float) -> float:
    above = max(1, bisect_left(known, at))
    low, high = known[above - 1], known[above]
    share = 0.0 if high == low else (at - low) / (high - low)
    return values[above - 1] + share * (values[above] - values[above - 1])
