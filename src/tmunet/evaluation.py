"""Evaluate a trained model: score its predictions against reference masks, under a named protocol."""

import hashlib
import os
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tmunet.class_names import in_labels_of, match_classes
from tmunet.data.case_spacing import MM, PIXELS, common_spacing
from tmunet.data.cases import Case
from tmunet.data.dataset import Dataset
from tmunet.data.fingerprint import TrainingFingerprint, pixels_sha256
from tmunet.data.io.images import check_range, to_channels
from tmunet.data.parallel import MAX_WORKERS
from tmunet.data.preprocess import resize_image, resize_mask
from tmunet.data.reader import LoadedCase, map_cases, use_cases
from tmunet.errors import DataError, InputError
from tmunet.files import write_csv, write_json
from tmunet.machines.pool import Pool
from tmunet.metrics import METRICS, OBJECT_COLUMNS, CaseScores, Presence, Protocol, Spacing, is_absent
from tmunet.metrics.failure_detection import detect_failures
from tmunet.prediction.confidence import CONFIDENCE_COLUMNS, Confidence
from tmunet.prediction.domain_shift import DomainShift
from tmunet.prediction.pipeline import Stages
from tmunet.prediction.predictor import Predictor
from tmunet.prediction.sliding_window import Size
from tmunet.progress import progress_bar
from tmunet.score_case import class_scores as class_scores
from tmunet.score_case import predict_labels as predict_labels
from tmunet.score_case import score_case as score_case
from tmunet.score_in_pool import ScoredCase, score_in_pool
from tmunet.text import pluralize

IMAGES_AHEAD = 4  # of the network, prepared, and behind it, waiting to be scored
COLUMNS = ("case", "group", "class", "outcome", *METRICS, *OBJECT_COLUMNS, "unit", *CONFIDENCE_COLUMNS)


@dataclass(frozen=True)
class Evaluation:
    """The scores of a model on a set of images.

    Attributes:
        protocol: of the metrics.
        rows: one for each image and class, with the columns of `COLUMNS`; distances in `unit`, None for an unknown group.
            Metrics are None for an image whose pixels are all ignored, and for a class that is in none of the images. The
            columns of the confidence, those of an image, are there if a model was scored.
        summaries: `Summary.to_dict()` for each class without the background.
        facts: provenance of the scores: model, data, split, settings.
        unit: of distances, "mm" if every image states its spacing, else "pixels"; areas are in squared mm then.
        failure_detection: how well confidence and flags find masks of a low Dice, the mean over the classes;
            `FailureDetection.to_dict()`, or None for masks of another program.
    """

    protocol: Protocol
    rows: Sequence[Mapping[str, Any]]
    summaries: Mapping[str, Mapping[str, Any]]
    facts: Mapping[str, Any]
    unit: str = PIXELS
    failure_detection: Mapping[str, Any] | None = None

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        subset: str,
        protocol: Protocol,
        scores: Sequence[Mapping[str, CaseScores]],
        seed: int,
        facts: Mapping[str, Any],
        unit: str = PIXELS,
        confidences: Sequence[Confidence] = (),
    ) -> "Evaluation":
        """Summarize the scores of a subset, in the order of its cases, by class; `seed` is of the bootstrap, `unit` of distances.

        `confidences` are of the masks in the same order, or none.

        Raises:
            InputError: every pixel of every image is ignored.
        """
        classes, cases = dataset.info.classes[1:], dataset.subset(subset)
        if all(case.outcome is Presence.IGNORED for found in scores for case in found.values()):
            raise InputError(
                f"{dataset.folder}: expected {subset} images to score, but every pixel of {pluralize(len(cases), 'mask')} is "
                "marked to be ignored. Draw the masks, or give another split.",
                code="all-ignored",
                path=dataset.folder,
            )
        groups = [case.group for case in cases]
        summaries = {
            name: protocol.summarize([found[name] for found in scores], seed, groups, unit).to_dict()
            for name in classes
        }
        absent = {name: dict.fromkeys(METRICS) if is_absent(summaries[name]) else {} for name in classes}
        known = {
            "data": dataset.info.name,
            "split_sha256": dataset.split.sha256,
            "subset": subset,
            "bootstrap_seed": seed,
        }
        found_confidence = [one.to_dict() for one in confidences] or [dict[str, Any]()] * len(cases)
        rows: list[dict[str, Any]] = [
            {
                "case": case.name,
                "group": case.group,
                "class": name,
                "unit": unit,
                **found[name].to_dict(),
                **absent[name],
                **confidence,
            }
            for case, found, confidence in zip(cases, scores, found_confidence, strict=True)
            for name in classes
        ]
        detection = _failure_detection(rows, seed) if confidences else None
        return cls(protocol, rows, summaries, {**known, **facts}, unit, detection)

    def write(self, folder: Path) -> None:
        """Write `per_image.csv`, and `summary.json` with rows, summaries and facts, into a folder."""
        write_csv(folder / "per_image.csv", COLUMNS, self.rows)
        protocol = {"protocol": self.protocol.name, "description": self.protocol.description}
        content = {
            **protocol,
            "unit": self.unit,
            "facts": self.facts,
            "classes": self.summaries,
            "failure_detection": self.failure_detection,
            "per_image": self.rows,
        }
        write_json(folder / "summary.json", content)


def _failure_detection(rows: Sequence[Mapping[str, Any]], seed: int) -> dict[str, Any] | None:
    """Compare the confidence of each image with its Dice, the mean over the classes; None if no image has a Dice."""
    dice: dict[str, list[float]] = {}
    for row in rows:
        if row["dice"] is not None:
            dice.setdefault(row["case"], []).append(row["dice"])
    first = {row["case"]: row for row in rows if row["case"] in dice}
    if not first:
        return None
    return detect_failures(
        confidence=[row["agreement"] for row in first.values()],
        dice=[fmean(dice[case]) for case in first],
        flagged=[bool(row["flags"]) for row in first.values()],
        groups=[row["group"] for row in first.values()],
        seed=seed,
    ).to_dict()


def evaluate(
    predictor: Predictor,
    dataset: Dataset,
    subset: str,
    protocol: Protocol,
    seed: int = 0,
    facts: Mapping[str, Any] | None = None,
    allow_train_images: bool = False,
    pool: Pool | None = None,
) -> Evaluation:
    """Score a model on a subset of a data set. Each image is read once.

    Args:
        predictor: the model and its inference settings.
        dataset: images, masks and split.
        subset: "train", "val" or "test".
        protocol: of `tmunet.metrics.PROTOCOLS`.
        seed: of the bootstrap.
        facts: recorded with the scores, beside data, split and subset.
        allow_train_images: score images even if the model was trained or selected on them (data leakage).
        pool: workers that read, predict and score, each a part of the images, and share the disk.

    Raises:
        InputError: the model's classes are not those of the data set, the subset is empty, all its pixels are ignored, or the
            model was trained or selected on its images.
        DataError: every fault of the images and masks.

    Warns:
        TMUNetWarning: classes are matched by name, or images have a domain shift.
    """
    match_classes(predictor.config.classes, dataset.info.classes, dataset.folder)
    cases = dataset.subset(subset)
    if not cases:
        raise InputError(
            f"{dataset.folder}: the split has no {subset} images to score.", code="no-images", path=dataset.folder
        )
    spacings = spacings_of(cases, protocol, dataset)
    images, shift = ScoredImages(predictor.fingerprint), DomainShift(predictor.config, predictor.tile_size)
    trained_on_this = predictor.config.provenance.get("split_sha256") == dataset.split.sha256
    known = allow_train_images or (subset == "train" and trained_on_this)
    with (
        progress_bar(total=len(cases), desc=f"evaluate ({protocol.name})", unit="image") as bar,
        CaseScorer(predictor, dataset.info.classes, protocol) as scorer,
    ):

        def score(index: int, loaded: LoadedCase) -> None:
            check_range(cases[index].image, loaded.has_known_range, predictor.config.preprocess.normalize)
            pixels = predictor.pipeline.load(to_channels(loaded.image, predictor.config.preprocess.channels))
            shift.add(str(cases[index].image), pixels)
            images.add(loaded)
            if protocol.size is None:  # otherwise channels are converted, which rounds, after the protocol's resizing
                loaded = replace(loaded, image=pixels)
            if index == scorer.added and (
                known or not is_contaminated(subset, images.seen)
            ):  # else only find every fault
                scorer.add(loaded, spacings[index] if spacings else (1.0, 1.0))
            bar.update()

        def take(_: int, found: ScoredCase) -> None:
            bar.update()
            if found.fault is not None:
                raise InputError(found.fault)
            shift.merge(found.shift)
            images.add_hashed(found.image_sha256, found.mask)
            elsewhere.append((found.scores, found.confidence))

        elsewhere: list[tuple[dict[str, CaseScores], Confidence]] = []
        if pool is None:
            faults = map_cases(cases, dataset.info, score)
        else:
            faults = use_cases(
                cases, dataset.info, score_in_pool(pool, predictor, dataset, cases, protocol, spacings), take
            )
        if faults:
            raise DataError(str(dataset.folder), faults)
        shift.warn()
        check_contamination(dataset, subset, images.seen, known)
        if pool is None:
            scores, confidences = scorer.finish()
        else:
            scores, confidences = [one for one, _ in elsewhere], [one for _, one in elsewhere]
    known_facts = {**images.facts(), **(facts or {})}
    return Evaluation.of(dataset, subset, protocol, scores, seed, known_facts, MM if spacings else PIXELS, confidences)


def spacings_of(cases: Sequence[Case], protocol: Protocol, dataset: Dataset) -> list[Spacing] | None:
    """Spacing of each case in mm; None measures in pixels: one image states none, or the protocol fixes the size."""
    return None if protocol.size is not None else common_spacing(cases, str(dataset.folder))


class CaseScorer:
    """Score images in their order: the network in the calling thread, what comes before and after it in others.

    Attributes:
        added: number of images so far.
    """

    def __init__(self, predictor: Predictor, classes: Sequence[str], protocol: Protocol) -> None:
        self._predictor, self._classes, self._protocol = predictor, classes, protocol
        self._pipeline: Stages = predictor.pipeline
        self._pool = ThreadPoolExecutor(min(MAX_WORKERS, os.cpu_count() or 1))
        self._prepared: deque[Future[_Prepared]] = deque()
        self._scored: list[Future[tuple[dict[str, CaseScores], Confidence]]] = []
        self.added = 0

    def __enter__(self) -> "CaseScorer":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def add(self, loaded: LoadedCase, spacing: Spacing = (1.0, 1.0)) -> None:
        """Add an image; few of them are in memory at a time.

        Raises:
            ModelError: the network gives a probability that is not finite.
        """
        self.added += 1
        self._prepared.append(self._pool.submit(self._prepare, loaded, spacing))
        if len(self._prepared) > IMAGES_AHEAD:
            self._predict()

    def finish(self) -> tuple[list[dict[str, CaseScores]], list[Confidence]]:
        """Return the scores of each image for each class of the data set without the background, in order, and confidences."""
        while self._prepared:
            self._predict()
        found = [one.result() for one in self._scored]
        return [scores for scores, _ in found], [confidence for _, confidence in found]

    def _prepare(self, loaded: LoadedCase, spacing: Spacing) -> "_Prepared":
        """Resize image and mask to the size of the protocol, and the image to the network's input."""
        image, mask = loaded.image, loaded.mask
        if self._protocol.size is not None:
            size = (self._protocol.size, self._protocol.size)
            image, mask = resize_image(image, size), resize_mask(mask, size)
        pixels = to_channels(image, self._predictor.config.preprocess.channels)
        height, width = loaded.mask.shape
        x = self._pipeline.prepare(pixels, (height, width))
        return _Prepared(x, (pixels.shape[0], pixels.shape[1]), mask, mask.size / loaded.mask.size, spacing)

    def _predict(self) -> None:
        one = self._prepared.popleft().result()
        (probability,) = self._pipeline.predict_each([one.x])
        if len(self._scored) >= IMAGES_AHEAD:
            self._scored[-IMAGES_AHEAD].result()
        self._scored.append(self._pool.submit(self._score, probability, one))

    def _score(self, probability: Any, one: "_Prepared") -> tuple[dict[str, CaseScores], Confidence]:
        found = self._pipeline.finish(probability, one.size)
        predicted = in_labels_of(found.mask, self._predictor.config.classes, self._classes)
        scores = class_scores(one.reference, predicted, self._classes, self._protocol, one.magnification, one.spacing)
        return scores, found.confidence


@dataclass(frozen=True)
class _Prepared:
    """The network's input, and what its mask is compared with, at the size of the protocol."""

    x: Any
    size: Size
    reference: NDArray[np.uint8]
    magnification: float
    spacing: Spacing


class ScoredImages:
    """Count the scored images that a model was trained or selected on, and hash all images and masks.

    Args:
        seen: fingerprint of the training and validation images of the model.
    """

    def __init__(self, seen: TrainingFingerprint) -> None:
        self._side_of, self._digest = seen.side_of(), hashlib.sha256()
        self.seen = {"train": 0, "val": 0}

    def add(self, loaded: LoadedCase) -> None:
        """Add one image, in the order of the cases."""
        self.add_hashed(pixels_sha256(loaded.image), loaded.mask)

    def add_hashed(self, image: str, mask: NDArray[np.uint8]) -> None:
        """Add the `pixels_sha256` of one image, and its mask (H, W), in the order of the cases."""
        self._digest.update(image.encode() + mask.tobytes())
        if (side := self._side_of.get(image)) is not None:
            self.seen[side] += 1

    def facts(self) -> dict[str, Any]:
        """Return what an evaluation records about its images."""
        return {
            "images_sha256": self._digest.hexdigest(),
            "images_in_train": self.seen["train"],
            "images_in_val": self.seen["val"],
        }


def is_contaminated(subset: str, seen: Mapping[str, int]) -> bool:
    """Return whether a model was trained on images of a subset, or selected on images of another subset than val."""
    return bool(seen["train"] or (subset != "val" and seen["val"]))


def check_contamination(dataset: Dataset, subset: str, seen: Mapping[str, int], known: bool = False) -> None:
    """Check for data leakage: test images that the model was trained or selected on.

    Args:
        dataset: of the images.
        subset: to score.
        seen: number of its images that the model was trained on ("train") and selected on ("val").
        known: accept it, because the user asked for it or scores the training images as such.

    Raises:
        InputError: the model was trained on some of them, or selected on some of them outside the val subset.
    """
    if not known and is_contaminated(subset, seen):
        images = pluralize(len(dataset.subset(subset)), f"{subset} image")
        raise InputError(
            f"{dataset.folder}: data leakage: of {images}, the model was trained on {seen['train']} and "
            f"selected on {seen['val']}, so their scores do not estimate performance on new images. Score other images, with "
            "the split of the model's own run, or accept it with --allow-train-images.",
            code="leakage",
            path=dataset.folder,
        )
