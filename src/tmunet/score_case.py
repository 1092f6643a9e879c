"""Score the prediction of one image against its reference, for each class of a data set."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tmunet.class_names import in_labels_of
from tmunet.data.io.images import to_channels
from tmunet.data.preprocess import resize_image, resize_mask
from tmunet.data.reader import LoadedCase
from tmunet.labels import IGNORE_LABEL
from tmunet.metrics import UNSCORED, CaseScores, Protocol, Spacing
from tmunet.prediction.confidence import Confidence
from tmunet.prediction.pipeline import Prediction
from tmunet.prediction.predictor import Predictor


def score_case(
    predictor: Predictor,
    loaded: LoadedCase,
    classes: Sequence[str],
    protocol: Protocol,
    spacing: Spacing = (1.0, 1.0),
) -> tuple[dict[str, CaseScores], Confidence]:
    """Score one image for each class of the data set without the background, at the size of the protocol; see `CaseScorer`.

    Returns:
        The scores by class, and the confidence of the mask.
    """
    image, mask = loaded.image, loaded.mask
    if protocol.size is not None:
        size = (protocol.size, protocol.size)
        image, mask = resize_image(image, size), resize_mask(mask, size)
    found = predict_case(predictor, image, loaded.mask.shape)
    predicted = in_labels_of(found.mask, predictor.config.classes, classes)
    return class_scores(mask, predicted, classes, protocol, mask.size / loaded.mask.size, spacing), found.confidence


def predict_case(predictor: Predictor, image: NDArray[Any], own_size: tuple[int, ...]) -> Prediction:
    """Predict an image, without warnings.

    Args:
        predictor: the model.
        image: (H, W, C) values, at the size of the protocol.
        own_size: height and width of the image in its file.
    """
    height, width = own_size
    pixels = to_channels(image, predictor.config.preprocess.channels)
    return predictor.pipeline([pixels], [(height, width)])[0]


def predict_labels(
    predictor: Predictor, image: NDArray[Any], classes: Sequence[str], own_size: tuple[int, ...]
) -> NDArray[np.uint8]:
    """Predict the mask (H, W) of an image in the labels of a data set, without warnings.

    Args:
        predictor: the model; `match_classes` has matched its classes with those of the data set.
        image: (H, W, C) values, at the size of the protocol.
        classes: of the data set.
        own_size: height and width of the image in its file.
    """
    return in_labels_of(predict_case(predictor, image, own_size).mask, predictor.config.classes, classes)


def class_scores(
    reference: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    classes: Sequence[str],
    protocol: Protocol,
    magnification: float = 1.0,
    spacing: Spacing = (1.0, 1.0),
) -> dict[str, CaseScores]:
    """Score labels (H, W) for each class without the background; ignored pixels count in neither mask.

    `magnification` is the number of pixels of the masks for each pixel of the original image, `spacing` the (row, column)
    distance of the masks' pixels.
    """
    valid = reference != IGNORE_LABEL
    if not valid.any():
        return dict.fromkeys(classes[1:], UNSCORED)
    return {
        name: protocol.score(
            preds=(prediction == label) & valid,
            target=(reference == label) & valid,
            spacing=spacing,
            magnification=magnification,
        )
        for label, name in enumerate(classes)
        if label > 0
    }
