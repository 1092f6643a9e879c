"""Predict the validation images of a data set, to choose settings of a model by them: its threshold, its calibration."""

from collections.abc import Callable, Collection
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tmunet.class_names import in_labels_of, match_classes
from tmunet.data.cases import Case
from tmunet.data.dataset import Dataset
from tmunet.data.fingerprint import pixels_sha256
from tmunet.data.io.images import to_channels
from tmunet.data.reader import LoadedCase, map_cases
from tmunet.errors import DataError, InputError
from tmunet.labels import IGNORE_LABEL
from tmunet.prediction.predictor import Prediction, Predictor
from tmunet.progress import progress_bar
from tmunet.text import pluralize

Score: TypeAlias = Callable[[Case, Prediction, NDArray[np.uint8]], None]
"""Takes a case, its prediction, and its reference mask (H, W) in the labels of the model."""


def predict_validation_images(
    predictor: Predictor, dataset: Dataset, score: Score, known_test: Collection[str] = (), what: str = "validate"
) -> None:
    """Predict each val image at its own size.

    Args:
        predictor: the model and its inference settings.
        dataset: the subset "val" of its split is used.
        score: called for each image, in the order of the cases.
        known_test: names of cases that the model's own run keeps for testing.
        what: named beside the progress bar.

    Raises:
        InputError: there are no val images, or they are test images of the run, or images that the model was trained on; or
            the classes differ.
        DataError: every fault of the images and masks.
    """
    cases = dataset.subset("val")
    if not cases:
        raise InputError(
            f"{dataset.folder}: the split has no val images to choose by. Name some in its list val, or train with a random "
            "split; test images are not for choosing.",
            code="empty-subset",
        )
    if test := sorted({case.name for case in cases} & set(known_test)):
        raise InputError(
            f"{dataset.folder}: {len(test)} of the val images, {test[0]} among them, are test images of the model's run. "
            "Choosing by them would make test scores too high. Use the val images of the run's own split.",
            code="test-images",
        )
    classes = predictor.config.classes
    match_classes(classes, dataset.info.classes, dataset.folder)
    trained = set(predictor.fingerprint.train.values())
    in_train = 0
    with progress_bar(total=len(cases), desc=what, unit="image") as bar:

        def predict(index: int, loaded: LoadedCase) -> None:
            nonlocal in_train
            in_train += pixels_sha256(loaded.image) in trained
            image = to_channels(loaded.image, predictor.config.preprocess.channels)
            valid = loaded.mask != IGNORE_LABEL
            mask = in_labels_of(np.where(valid, loaded.mask, 0), dataset.info.classes, classes)
            score(cases[index], predictor.pipeline([image])[0], np.where(valid, mask, np.uint8(IGNORE_LABEL)))
            bar.update()

        faults = map_cases(cases, dataset.info, predict)
    if faults:
        raise DataError(str(dataset.folder), faults)
    if in_train:
        raise InputError(
            f"{dataset.folder}: the model was trained on {in_train} of {pluralize(len(cases), 'val image')}, so that its "
            "probabilities there are not those of new images. Use other images.",
            code="train-images",
        )
