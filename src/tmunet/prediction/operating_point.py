"""Choose the operating point of a binary model: the threshold with the highest mean Dice on validation images."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from tmunet.data.cases import Case
from tmunet.data.dataset import Dataset
from tmunet.errors import InputError, UsageError
from tmunet.labels import IGNORE_LABEL
from tmunet.model_config import OperatingPoint
from tmunet.prediction.postprocess import THRESHOLD
from tmunet.prediction.predictor import Prediction, Predictor
from tmunet.prediction.validation_images import predict_validation_images

GRID = np.arange(1, 100, dtype=np.float64) / 100
"""Thresholds that are tried: 0.01 to 0.99."""


def tune_threshold(predictor: Predictor, dataset: Dataset, known_test: Collection[str] = ()) -> OperatingPoint:
    """Choose the threshold that maximizes the mean Dice of the val images, each at its own size, by the policy for empty masks.

    Of several equally good thresholds the one nearest to 0.5 is taken, and of two of these the lower. Cleaning of masks is not
    applied, and pixels to ignore count in neither mask.

    Args:
        predictor: the model and its inference settings.
        dataset: the subset "val" of its split is used.
        known_test: names of cases that the model's own run keeps for testing.

    Raises:
        UsageError: the model has more than two classes, or is an average of several.
        InputError: there are no val images, or they are test images of the run, or images that the model was trained on; or
            every pixel is ignored; or the classes differ.
        DataError: every fault of the images and masks.
    """
    classes = predictor.config.classes
    if len(classes) > 2 or predictor.others:
        found = f"one of {len(classes)} classes" if len(classes) > 2 else "an average of several models"
        raise UsageError(f"Expected one model of two classes to choose its threshold, but got {found}.", code="value")
    curves: list[NDArray[np.float64]] = []

    def score(_case: Case, prediction: Prediction, mask: NDArray[np.uint8]) -> None:
        valid = mask != IGNORE_LABEL
        if valid.any():
            curves.append(dice_curve(prediction.probability[1][valid], mask[valid] == 1))

    predict_validation_images(predictor, dataset, score, known_test, "tune threshold")
    if not curves:
        raise InputError(
            f"{dataset.folder}: every pixel of the val images is ignored. Give annotated ones.", code="ignored"
        )
    means = np.mean(curves, axis=0)
    best = choose(means)
    return OperatingPoint(
        threshold=float(GRID[best]),
        dice=float(means[best]),
        dice_at_half=float(means[np.flatnonzero(GRID == THRESHOLD)[0]]),
        images=len(curves),
        data=dataset.info.name,
        split_sha256=dataset.split.sha256,
        tile_size=predictor.tile_size,
        tta=predictor.tta,
    )


def dice_curve(probability: NDArray[np.float32], reference: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Compute the Dice of one image at every threshold of `GRID`.

    Args:
        probability: (N,) of the foreground.
        reference: (N,) boolean.

    Returns:
        (99,); 1 where both masks are empty, 0 where one is.

    >>> dice_curve(np.array([0.2, 0.6], np.float32), np.array([False, True]))[[0, 19, 59]].tolist()
    [0.6666666666666666, 1.0, 0.0]
    """
    # the number of thresholds below a probability, in float32 as the comparison of `labels` is
    above = np.searchsorted(GRID.astype(np.float32), probability, side="left")
    marked = _at_least(above, len(GRID))
    hit = _at_least(above[reference], len(GRID))
    total = marked + int(reference.sum())
    return np.where(total > 0, 2 * hit / np.maximum(total, 1), 1.0)


def _at_least(above: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """Count the pixels that exceed each threshold."""
    counts = np.bincount(above, minlength=length + 1)
    return counts[::-1].cumsum()[::-1][1:]


def choose(means: NDArray[np.float64]) -> int:
    """Index of the highest mean; of equal ones that nearest to 0.5, then the lower threshold."""
    best = np.flatnonzero(means == means.max())
    return min(map(int, best), key=lambda index: (abs(index + 1 - 50), index))  # distances in hundredths
