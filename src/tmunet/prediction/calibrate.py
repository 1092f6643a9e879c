"""Calibrate the confidence of a model on validation images: from the agreement of a mask to its expected Dice."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from tmunet.calibration import Calibration
from tmunet.data.cases import Case
from tmunet.data.dataset import Dataset
from tmunet.errors import InputError, UsageError
from tmunet.labels import IGNORE_LABEL
from tmunet.metrics.bootstrap import Groups, number_groups
from tmunet.prediction.confidence import worst_dice
from tmunet.prediction.predictor import Prediction, Predictor
from tmunet.prediction.validation_images import predict_validation_images
from tmunet.text import pluralize

MIN_IMAGES = 10
"""Validation images with a mask that a calibration needs."""

FOLDS = 10  # of the cross-validation of the error
REVIEW_SHARE = 0.05  # of the validation images are below the agreement of a review


def calibrate(predictor: Predictor, dataset: Dataset, known_test: Collection[str] = ()) -> Calibration:
    """Fit the expected Dice of masks to their agreement on the val images, for the settings of the predictor.

    The fit is an isotonic regression (R. Barlow et al., Statistical Inference under Order Restrictions, 1972): nothing but that
    masks of a higher agreement have no lower Dice. Masks without foreground are left out.

    Args:
        predictor: the model and its inference settings.
        dataset: the subset "val" of its split is used.
        known_test: names of cases that the model's own run keeps for testing.

    Raises:
        UsageError: the predictor averages several models.
        InputError: fewer than `MIN_IMAGES` val images have a mask, or as of `predict_validation_images`.
        DataError: every fault of the images and masks.
    """
    if predictor.others:
        raise UsageError("Expected one model to calibrate, but got an average of several.", code="value")
    agreement: list[float] = []
    dice: list[float] = []
    groups: list[str | None] = []

    def score(case: Case, prediction: Prediction, mask: NDArray[np.uint8]) -> None:
        counts = mask != IGNORE_LABEL
        found = np.where(counts, prediction.mask, 0)
        if found.any():
            agreement.append(prediction.confidence.agreement)
            dice.append(worst_dice([found, np.where(counts, mask, 0)]))
            groups.append(case.group)

    predict_validation_images(predictor, dataset, score, known_test, "calibrate")
    if len(dice) < MIN_IMAGES:
        raise InputError(
            f"{dataset.folder}: expected at least {MIN_IMAGES} val images with a predicted mask to calibrate on, but found "
            f"{pluralize(len(dice), 'image')}. Give a split with more in its list val.",
            code="few-images",
            path=dataset.folder,
        )
    fitted = fit(agreement, dice, groups)
    return replace(
        fitted,
        data=dataset.info.name,
        split_sha256=dataset.split.sha256,
        threshold=predictor.postprocess.threshold,
        tile_size=predictor.tile_size,
        tta=predictor.tta,
    )


def fit(agreement: Sequence[float], dice: Sequence[float], groups: Groups | None = None) -> Calibration:
    """Fit a calibration, and cross-validate its error over images, or over groups where they are known.

    Args:
        agreement: (n,) of the masks, 0 to 1, n > 1.
        dice: (n,) of the masks.
        groups: patient of each mask.
    """
    x, y = np.asarray(agreement, np.float64), np.asarray(dice, np.float64)
    order = np.argsort(x, kind="stable")
    unit = np.empty(len(x), np.int64)
    if groups is None or all(group is None for group in groups):
        unit[order] = np.arange(len(x))  # each fold spans the range
    else:
        unit = number_groups(groups)
    folds = min(FOLDS, int(unit.max()) + 1)
    errors = np.full(len(x), np.nan)
    for fold in range(folds):
        out = unit % folds == fold
        if out.any() and not out.all():
            part = _steps(x[~out], y[~out])
            errors[out] = [abs(part.expected_dice(a) - d) for a, d in zip(x[out], y[out], strict=True)]
    known = errors[np.isfinite(errors)]
    return replace(
        _steps(x, y),
        error=float(known.mean()) if len(known) else 1.0,  # one group: nothing is known of others
        review=float(np.quantile(x, REVIEW_SHARE)),
    )


def _steps(x: NDArray[np.float64], y: NDArray[np.float64]) -> Calibration:
    """Isotonic regression as the ends of its steps."""
    values, place, count = np.unique(x, return_inverse=True, return_counts=True)
    means = np.bincount(place, weights=y) / count
    found = isotonic_regression(means, weights=count)
    ends = [
        index
        for first, behind in zip(found.blocks[:-1], found.blocks[1:], strict=True)
        for index in dict.fromkeys((int(first), int(behind) - 1))
    ]
    return Calibration(
        agreement=tuple(round(float(values[index]), 4) for index in ends),
        dice=tuple(round(min(1.0, max(0.0, float(found.x[index]))), 4) for index in ends),
        error=0.0,
        review=0.0,
        images=len(x),
        data="",
        split_sha256="",
    )
