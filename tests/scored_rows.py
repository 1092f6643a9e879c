"""Rows of an evaluation, as masks without probabilities have them."""

from typing import Any

from tmunet.evaluation import Evaluation
from tmunet.prediction.confidence import CONFIDENCE_COLUMNS


def without_confidence(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The rows of a model without the columns that only its probabilities give."""
    assert all(row[name] is not None for row in evaluation.rows for name in ("agreement", "soft_dice"))
    return [{name: value for name, value in row.items() if name not in CONFIDENCE_COLUMNS} for row in evaluation.rows]
