"""Score mask files under a named protocol."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tmunet.data.case_spacing import MM, PIXELS
from tmunet.data.cases import Case
from tmunet.data.dataset import Dataset
from tmunet.data.fingerprint import TrainingFingerprint
from tmunet.data.io.masks import read_mask
from tmunet.data.reader import LoadedCase, map_cases
from tmunet.errors import DataError, InputError
from tmunet.evaluate_predictions import score_labels
from tmunet.evaluation import Evaluation, ScoredImages, check_contamination, spacings_of
from tmunet.files import sha256
from tmunet.metrics import CaseScores, Protocol
from tmunet.prediction.mask_files import source_of


def score_masks(
    masks: Path,
    dataset: Dataset,
    fingerprint: TrainingFingerprint,
    protocol: Protocol,
    seed: int = 0,
    facts: Mapping[str, Any] | None = None,
    allow_train_images: bool = False,
) -> Evaluation:
    """Score predicted masks of the test images.

    A protocol of a fixed size resizes the predicted mask as it does the reference, by nearest neighbor; the prediction
    itself was made at the size of the image.

    Args:
        masks: folder of ``NAME.png``, as `tmunet.prediction.mask_files.write_mask` writes them.
        dataset: images, reference masks and split.
        fingerprint: images that the network was trained on and validated with.
        protocol: of `tmunet.metrics.PROTOCOLS`.
        seed: of the bootstrap.
        facts: recorded with the scores, beside data, split and subset.
        allow_train_images: score images of the fingerprint too.

    Raises:
        InputError: the split has no test images, or some are in the fingerprint (contamination).
        DataError: all faults: masks that are missing, damaged, of another size or of another image.
    """
    cases, classes = dataset.subset("test"), dataset.info.classes
    if not cases:
        raise InputError(
            f"{dataset.folder}: the split has no test images to score.", code="no-images", path=dataset.folder
        )
    images, spacings = ScoredImages(fingerprint), spacings_of(cases, protocol, dataset)
    scores: list[dict[str, CaseScores]] = []

    def score(index: int, loaded: LoadedCase) -> None:
        images.add(loaded)
        prediction = _read_prediction(masks, cases[index], dataset, loaded.mask.shape)
        spacing = spacings[index] if spacings else (1.0, 1.0)
        scores.append(score_labels(loaded.mask, prediction, classes, protocol, spacing))

    faults = map_cases(cases, dataset.info, score)
    if faults:
        raise DataError(str(masks), faults)
    if not allow_train_images:
        check_contamination(dataset, "test", images.seen)
    known, unit = {**images.facts(), **(facts or {})}, MM if spacings else PIXELS
    return Evaluation.of(dataset, "test", protocol, scores, seed, known, unit)


def _read_prediction(masks: Path, case: Case, dataset: Dataset, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    path = masks / f"{case.name}.png"
    prediction = read_mask(path, dataset.info.classes)
    if source_of(path) != sha256(case.image):
        raise InputError(f"{path}: is not of the image as it is now; predict again, or put the image back.")
    if prediction.shape != shape:
        raise InputError(
            f"{path}: expected {shape[1]} x {shape[0]} pixels (width x height), as its reference has, but found "
            f"{prediction.shape[1]} x {prediction.shape[0]}; predict again."
        )
    return prediction
