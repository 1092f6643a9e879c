"""Score a trained model on images whose masks are known, under a named protocol."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from tmunet.class_names import in_labels_of, match_classes
from tmunet.data.cases import Case
from tmunet.data.dataset import Dataset
from tmunet.data.fingerprint import TrainingFingerprint, pixels_sha256
from tmunet.data.io.images import to_channels
from tmunet.data.preprocess import resize_image, resize_mask
from tmunet.data.reader import LoadedCase, collect
from tmunet.errors import DataError, InputError
from tmunet.files import write_csv, write_json
from tmunet.labels import IGNORE_LABEL
from tmunet.metrics import METRICS, OBJECT_COLUMNS, UNSCORED, CaseScores, Presence, Protocol, is_absent
from tmunet.prediction.domain_shift import Unlike
from tmunet.prediction.predictor import Predictor
from tmunet.text import pluralize

COLUMNS = ("case", "group", "class", "outcome", *METRICS, *OBJECT_COLUMNS)


@dataclass(frozen=True)
class Evaluation:
    """The scores of a model on a set of images.

    Attributes:
        protocol: how they were computed.
        rows: one for each image and class, with the columns of `COLUMNS`; distances in pixels, None for an unknown group. No
            metric has a value where no pixel of the image counts, nor where the class is in none of these images.
        summaries: `Summary.to_dict()` for each class without the background.
        facts: what the scores can be traced to.
    """

    protocol: Protocol
    rows: Sequence[Mapping[str, Any]]
    summaries: Mapping[str, Mapping[str, Any]]
    facts: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        subset: str,
        protocol: Protocol,
        scores: Sequence[Mapping[str, CaseScores]],
        seed: int,
        facts: Mapping[str, Any],
    ) -> "Evaluation":
        """Summarize the scores of the cases of one side of a split, in their order, by class; `seed` is of the bootstrap.

        Raises:
            InputError: no pixel of any of the images counts.
        """
        classes, cases = dataset.info.classes[1:], dataset.subset(subset)
        if all(case.outcome is Presence.IGNORED for found in scores for case in found.values()):
            raise InputError(
                f"{dataset.folder}: expected {subset} images to score, but every pixel of {pluralize(len(cases), 'mask')} is "
                "marked to be ignored. Draw the masks, or give another split."
            )
        groups = [case.group for case in cases]
        summaries = {
            name: protocol.summarize([found[name] for found in scores], seed, groups).to_dict() for name in classes
        }
        absent = {name: dict.fromkeys(METRICS) if is_absent(summaries[name]) else {} for name in classes}
        known = {
            "data": dataset.info.name,
            "split_sha256": dataset.split.sha256,
            "subset": subset,
            "bootstrap_seed": seed,
        }
        return cls(
            protocol,
            rows=[
                {"case": case.name, "group": case.group, "class": name, **found[name].to_dict(), **absent[name]}
                for case, found in zip(cases, scores, strict=True)
                for name in classes
            ],
            summaries=summaries,
            facts={**known, **facts},
        )

    def write(self, folder: Path) -> None:
        """Write `per_image.csv`, and `summary.json` with the same rows, the summaries and the facts, into a folder."""
        write_csv(folder / "per_image.csv", COLUMNS, self.rows)
        protocol = {"protocol": self.protocol.name, "description": self.protocol.description}
        content = {**protocol, "facts": self.facts, "classes": self.summaries, "per_image": self.rows}
        write_json(folder / "summary.json", content)


def evaluate(
    predictor: Predictor,
    dataset: Dataset,
    subset: str,
    protocol: Protocol,
    seed: int = 0,
    facts: Mapping[str, Any] | None = None,
    allow_train_images: bool = False,
) -> Evaluation:
    """Score a model on one side of a split.

    Args:
        predictor: the model and how it predicts.
        dataset: images, masks and split.
        subset: "train", "val" or "test".
        protocol: of `tmunet.metrics.PROTOCOLS`.
        seed: of the bootstrap.
        facts: recorded with the scores, beside data, split and subset.
        allow_train_images: score validation or test images even if the model was trained on them or chosen by them.

    Raises:
        InputError: the model's classes are not those of the data set, the subset is empty, none of its pixels counts, or the
            model has seen its images.
        DataError: every fault of the images and masks.

    Warns:
        TMUNetWarning: classes are matched by name, or images are unlike those of training.
    """
    match_classes(predictor.config.classes, dataset.info.classes, dataset.folder)
    cases = dataset.subset(subset)
    if not cases:
        raise InputError(f"{dataset.folder}: the split has no {subset} images to score.")
    images = _look(cases, dataset, predictor)
    if not allow_train_images:
        trained_on_this = predictor.config.provenance.get("split_sha256") == dataset.split.sha256
        check_contamination(dataset, subset, images.seen, known=subset == "train" and trained_on_this)
    scores: list[dict[str, CaseScores]] = []
    with tqdm(total=len(cases), desc=f"evaluate ({protocol.name})", unit="image", disable=None) as bar:

        def score(_: int, loaded: LoadedCase) -> None:
            scores.append(score_case(predictor, loaded, dataset.info.classes, protocol))
            bar.update()

        faults = collect(cases, dataset.info, score)
    if faults:  # the files changed under our hands
        raise DataError(str(dataset.folder), faults)
    return Evaluation.of(dataset, subset, protocol, scores, seed, {**images.facts(), **(facts or {})})


class ScoredImages:
    """What is known of the images that are scored: how many the model has seen, and the hash of all with their masks.

    Args:
        seen: what the model was trained on and chosen by.
    """

    def __init__(self, seen: TrainingFingerprint) -> None:
        self._side_of, self._digest = seen.side_of(), hashlib.sha256()
        self.seen = {"train": 0, "val": 0}

    def add(self, loaded: LoadedCase) -> None:
        """Take note of one image, in the order of the cases."""
        image = pixels_sha256(loaded.image)
        self._digest.update(image.encode() + loaded.mask.tobytes())
        if (side := self._side_of.get(image)) is not None:
            self.seen[side] += 1

    def facts(self) -> dict[str, Any]:
        """What an evaluation records of its images."""
        return {
            "images_sha256": self._digest.hexdigest(),
            "images_in_train": self.seen["train"],
            "images_in_val": self.seen["val"],
        }


def _look(cases: Sequence[Case], dataset: Dataset, predictor: Predictor) -> ScoredImages:
    """Look at every image before the first is predicted."""
    images, unlike = ScoredImages(predictor.seen), Unlike(predictor.config, predictor.tile_size)

    def look(index: int, loaded: LoadedCase) -> None:
        own = to_channels(loaded.image, predictor.config.preprocess.channels)
        unlike.add(str(cases[index].image), predictor.prepare(own))
        images.add(loaded)

    faults = collect(cases, dataset.info, look)
    if faults:
        raise DataError(str(dataset.folder), faults)
    unlike.tell()
    return images


def score_case(
    predictor: Predictor, loaded: LoadedCase, classes: Sequence[str], protocol: Protocol
) -> dict[str, CaseScores]:
    """Scores of one image for each class (of the data set) without the background, at the size the protocol asks for."""
    image, mask = loaded.image, loaded.mask
    if protocol.size is not None:
        size = (protocol.size, protocol.size)
        image, mask = resize_image(image, size), resize_mask(mask, size)
    predicted = predict_labels(predictor, image, classes, loaded.mask.shape)
    return class_scores(mask, predicted, classes, protocol, mask.size / loaded.mask.size)


def predict_labels(
    predictor: Predictor, image: NDArray[Any], classes: Sequence[str], own_size: tuple[int, ...]
) -> NDArray[np.uint8]:
    """The predicted mask (H, W) of an image in the labels of a data set; what there is to say of both was said before.

    Args:
        predictor: the model, whose classes `match_classes` has matched with those of the data set.
        image: (H, W, C) values, at the size of the protocol.
        classes: of the data set.
        own_size: height and width of the image in its file.
    """
    height, width = own_size
    mask = predictor.predict_prepared([predictor.prepare(image)], [(height, width)])[0].mask
    return in_labels_of(mask, predictor.config.classes, classes)


def class_scores(
    reference: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    classes: Sequence[str],
    protocol: Protocol,
    magnification: float = 1.0,
) -> dict[str, CaseScores]:
    """Scores of labels (H, W) for each class without the background; pixels to ignore count on neither side.

    `magnification` is the number of their pixels for each of the image at its own size.
    """
    valid = reference != IGNORE_LABEL
    if not valid.any():
        return dict.fromkeys(classes[1:], UNSCORED)
    return {
        name: protocol.score(
            preds=(prediction == label) & valid, target=(reference == label) & valid, magnification=magnification
        )
        for label, name in enumerate(classes)
        if label > 0
    }


def check_contamination(dataset: Dataset, subset: str, seen: Mapping[str, int], known: bool = False) -> None:
    """Refuse to score what a model knows as if it were new.

    Args:
        dataset: of the images.
        subset: the side that is scored.
        seen: number of its images that the model was trained on ("train") and chosen by ("val").
        known: whether the side is that on which the model was trained, so that its scores say what they are.

    Raises:
        InputError: the model was trained on some of them, or chosen by some of them that are not of the valid side.
    """
    if not known and (seen["train"] or (subset != "val" and seen["val"])):
        images = pluralize(len(dataset.subset(subset)), f"{subset} image")
        raise InputError(
            f"{dataset.folder}: of {images}, the model was trained on {seen['train']} and "
            f"chosen by {seen['val']}, so their scores say nothing of new images. Score images that it has not seen, with "
            "the split of its own run, or state that you want this with --allow-train-images."
        )
