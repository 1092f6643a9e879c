"""Predict single test images again with the model of a run, and verify that Dice is that of its evaluation."""

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tmunet.data.dataset import Dataset, open_dataset
from tmunet.data.preprocess import resize_image, resize_mask
from tmunet.data.reader import LoadedCase, load_case
from tmunet.errors import InputError
from tmunet.evaluation import class_scores, predict_labels
from tmunet.metrics import get_protocol
from tmunet.prediction.backends.names import TORCH
from tmunet.prediction.predictor import Predictor
from tmunet_lab.experiments.results import RunResult

TOLERANCE = 1e-6  # of Dice: on the CPU masks are identical
TOLERANCE_GPU = 1e-3  # another order of sums flips pixels at the threshold


@dataclass(frozen=True, kw_only=True)
class ScoredCase(LoadedCase):
    """A case at the size at which a protocol scores it.

    Attributes:
        own_size: height and width of the image in its file.
        classes: names of the labels of the mask.
    """

    own_size: tuple[int, ...]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class RerunPredictor:
    """Predicts with the model of a run, with the settings of its evaluation."""

    result: RunResult
    predictor: Predictor

    @classmethod
    def from_result(cls, result: RunResult) -> "RerunPredictor":
        """Load the model of a run.

        Raises:
            ModelError: the run has no model, or it cannot be loaded.
        """
        facts = result.scores["facts"]
        predictor = Predictor(
            result.run / "model",
            tile_size=facts["tile_size"],
            tta=facts["tta"],
            backend=facts.get("backend", TORCH),  # older evaluations do not name it
            precision=facts["precision"],
            device="cpu" if facts["device"] == "cpu" else "auto",
        )
        return cls(result, predictor)

    def predict(self, case: str, loaded: ScoredCase) -> NDArray[np.uint8]:
        """Predict the mask (H, W) of a case.

        Args:
            case: its name.
            loaded: image and reference at the size of the protocol.

        Raises:
            InputError: Dice is not that of the evaluation: images, model or machine differ.
        """
        mask = predict_labels(self.predictor, loaded.image, loaded.classes, loaded.own_size)
        scores = class_scores(loaded.mask, mask, loaded.classes, get_protocol(self.result.protocol))
        found = fmean(scores[name].dice for name in self.result.classes)
        expected = self.result.values("dice")[case]
        on_cpu = self.result.scores["facts"]["device"] == "cpu" and self.predictor.device.type == "cpu"
        if abs(found - expected) > (TOLERANCE if on_cpu else TOLERANCE_GPU):
            raise InputError(
                f"{self.result.run}: expected the prediction of {case} to have the Dice of the evaluation, {expected:.6f}, but "
                f"found {found:.6f}. The images, the model or the machine are not those that were "
                "scored; evaluate the run again.",
                code="other-model",
                path=self.result.run,
            )
        return mask


def open_scored(result: RunResult, data_root: Path) -> Dataset:
    """Open the data set of a run with the split of the run.

    Raises:
        InputError: the split is not the one that was scored.
        DataError: all faults of the data set.
    """
    dataset = open_dataset(data_root / result.data, result.run / "split.json")
    if dataset.split.sha256 != result.split_sha256:
        raise InputError(
            f"{result.run / 'split.json'}: expected the split that was scored, {result.split_sha256[:12]}, but found "
            f"{dataset.split.sha256[:12]}; evaluate the run again.",
            code="other-split",
            path=result.run / "split.json",
        )
    return dataset


def load_scored(dataset: Dataset, name: str, protocol: str) -> ScoredCase:
    """Load a case at the size at which a protocol scores it.

    Raises:
        DataError: all faults of the case.
    """
    (case,) = (case for case in dataset.cases if case.name == name)
    loaded = load_case(case, dataset.info)
    side: Any = get_protocol(protocol).size
    own, classes = loaded.mask.shape, dataset.info.classes
    if side is None:
        return ScoredCase(loaded.image, loaded.mask, own_size=own, classes=classes)
    image, mask = resize_image(loaded.image, (side, side)), resize_mask(loaded.mask, (side, side))
    return ScoredCase(image, mask, own_size=own, classes=classes)
