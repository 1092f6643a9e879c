"""Confidence of a mask: how well it agrees with its probabilities or with other predictions, expected Dice, reasons for review.

The agreement of a mask is, in this order:

- of several models, the worst Dice between their masks;
- with test-time augmentation, the worst Dice between the masks of the flips;
- else the soft Dice of the probability with its own mask, 2 sum(p m) / (sum p + sum m), which needs no further pass.

Dice is the mean over the classes that are present. `tmunet.calibration` maps the agreement to the expected Dice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tmunet.calibration import REVIEW_AGREEMENT, Calibration

LOW_AGREEMENT, NOTHING_FOUND = "low agreement", "nothing found"


@dataclass(frozen=True)
class Confidence:
    """Confidence of one mask.

    Attributes:
        agreement: 0 to 1; see the module. 0 for a mask without foreground if only the soft Dice is known.
        soft_dice: of the probability with its own mask; 0 for a mask without foreground.
        expected_dice: by the calibration of the model; None without one, or for a mask without foreground.
        error: mean absolute error of the expected Dice on validation images; None without a calibration.
        flags: reasons to review the mask: "low agreement", "nothing found", and "size", "intensity", "brightness", "contrast",
            "blur" or "noise" where the image is outside the range of the training images.
    """

    agreement: float
    soft_dice: float
    expected_dice: float | None
    error: float | None
    flags: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the values by the names of `CONFIDENCE_COLUMNS`; the flags are one text."""
        numbers = {name: getattr(self, name) for name in CONFIDENCE_COLUMNS[:-1]}
        rounded = {name: None if value is None else round(value, 4) for name, value in numbers.items()}
        return {**rounded, "flags": ", ".join(self.flags)}


CONFIDENCE_COLUMNS = ("agreement", "soft_dice", "expected_dice", "error", "flags")


def soft_dice(probability: NDArray[np.float32], mask: NDArray[np.uint8]) -> float:
    """Compute the soft Dice of probabilities (K, H, W) with their mask (H, W): the mean over the classes in the mask.

    The background is no class; 0 for a mask without foreground.

    >>> soft_dice(np.array([[[0.1, 0.9]], [[0.9, 0.1]]], np.float32), np.array([[1, 0]], np.uint8))
    0.9
    """
    scores = []
    for label in range(1, len(probability)):
        inside = mask == label
        area = int(np.count_nonzero(inside))
        if area:
            p = probability[label]
            total = float(p.sum(dtype=np.float64)) + area
            scores.append(2 * float(p[inside].sum(dtype=np.float64)) / total)
    return round(float(np.mean(scores)), 6) if scores else 0.0


def worst_dice(masks: Sequence[NDArray[np.uint8]]) -> float:
    """Compute the lowest Dice between any two masks (H, W) of labels: the mean over the classes in either of the two.

    1 if no mask has foreground.

    >>> worst_dice([np.array([[1, 1]]), np.array([[1, 0]]), np.array([[1, 1]])])
    0.6666666666666666
    """
    return min(_mean_dice(a, b) for a, b in combinations(masks, 2))


def _mean_dice(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    areas_a, areas_b = np.bincount(a.ravel(), minlength=256), np.bincount(b.ravel(), minlength=256)
    both = np.bincount(a[a == b], minlength=256)
    total = areas_a + areas_b
    present = np.flatnonzero(total[1:]) + 1
    return float(np.mean(2 * both[present] / total[present])) if len(present) else 1.0


def confidence_of(
    soft: float,
    agreement: float | None,
    found: bool,
    calibration: Calibration | None,
    shifts: Sequence[str] = (),
) -> Confidence:
    """Assemble the confidence of a mask.

    Args:
        soft: soft Dice of the probability with its own mask.
        agreement: of flips or models; None takes the soft Dice.
        found: whether the mask has foreground.
        calibration: of the model, fitted with the same settings; None without one.
        shifts: flags of the image, as `tmunet.prediction.domain_shift.shift_flags` returns them.
    """
    known = soft if agreement is None else agreement
    low = known < REVIEW_AGREEMENT if calibration is None else calibration.is_low(known)
    reasons = [NOTHING_FOUND] if not found else [LOW_AGREEMENT] if low else []
    expected = calibration.expected_dice(known) if calibration is not None and found else None
    return Confidence(
        agreement=known,
        soft_dice=soft,
        expected_dice=expected,
        error=None if expected is None or calibration is None else calibration.error,
        flags=(*reasons, *shifts),
    )
