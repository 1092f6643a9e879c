"""What an image counts for when a mask is empty: written once, as a table.

Overlap ratios become 0/0 and distances have no end point when a mask is empty. Tools that drop such images
reward a model for missing them (https://github.com/Project-MONAI/MONAI/issues/9095). Under this policy every
image counts, and a miss costs the most that the image can cost. The code and the documentation read the same
table.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from tmunet.metrics.pair import Mask, Spacing, check_pair, check_spacing


class Outcome(StrEnum):
    """Which of the two masks of an image are empty; "found" says nothing of how well they overlap.

    "ignored" is an image without a pixel that counts: it has no scores and is in no mean, interval or count.
    """

    FOUND = "found"
    MISSED = "missed"
    FALSE_ALARM = "false_alarm"
    BOTH_EMPTY = "both_empty"
    IGNORED = "ignored"


@dataclass(frozen=True)
class EmptyRow:
    """One row of the policy.

    Attributes:
        reference: "empty" or "object".
        prediction: "empty" or "object".
        overlap: value of Dice, IoU, F1, precision and recall.
        distance: value of HD and HD95, in image diagonals.

    """

    reference: str
    prediction: str
    overlap: float
    distance: float


EMPTY_POLICY: Mapping[Outcome, EmptyRow] = MappingProxyType(
    {
        Outcome.BOTH_EMPTY: EmptyRow("empty", "empty", overlap=1.0, distance=0.0),
        Outcome.MISSED: EmptyRow("object", "empty", overlap=0.0, distance=1.0),
        Outcome.FALSE_ALARM: EmptyRow("empty", "object", overlap=0.0, distance=1.0),
    }
)
"""The policy: every outcome of a scored image but "found", whose scores are measured."""


def outcome_of(reference: Mask, prediction: Mask) -> Outcome:
    """Tell which of the two masks are empty.

    Args:
        reference: ``(H, W)`` boolean.
        prediction: ``(H, W)`` boolean.

    Raises:
        InputError: the masks are not two boolean masks of one shape.

    """
    check_pair(reference, prediction)
    if reference.any():
        return Outcome.FOUND if prediction.any() else Outcome.MISSED
    return Outcome.FALSE_ALARM if prediction.any() else Outcome.BOTH_EMPTY


def image_diagonal(shape: tuple[int, int], spacing: Spacing = (1.0, 1.0)) -> float:
    """Length of the image's diagonal, ``sqrt((H * row)^2 + (W * column)^2)``: longer than any distance in it.

    Args:
        shape: ``(H, W)``, in pixels.
        spacing: (row, column) distance between pixel centers, in pixels or mm.

    Returns:
        The diagonal, in units of the spacing.

    Raises:
        InputError: the spacing is not two finite positive numbers.

    Example:
        >>> image_diagonal((30, 40), spacing=(0.5, 0.5))
        25.0

    """
    check_spacing(spacing)
    return math.hypot(shape[0] * spacing[0], shape[1] * spacing[1])


def policy_as_markdown() -> str:
    """Render the policy for the documentation.

    Example:
        >>> print(policy_as_markdown())
        | reference | prediction | Dice, IoU, F1, precision, recall | HD, HD95 | counted as |
        | --- | --- | --- | --- | --- |
        | empty | empty | 1 | 0 x image diagonal | both_empty |
        | object | empty | 0 | 1 x image diagonal | missed |
        | empty | object | 0 | 1 x image diagonal | false_alarm |

    """
    lines = [
        "| reference | prediction | Dice, IoU, F1, precision, recall | HD, HD95 | counted as |",
        "| --- | --- | --- | --- | --- |",
    ]
    for outcome, row in EMPTY_POLICY.items():
        scores = f"{row.overlap:g} | {row.distance:g} x image diagonal"
        lines.append(f"| {row.reference} | {row.prediction} | {scores} | {outcome} |")
    return "\n".join(lines)
