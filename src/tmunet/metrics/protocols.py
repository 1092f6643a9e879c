"""Two named ways to score a test set, side by side.

A number in a segmentation paper depends on the size the masks had, on what an empty mask counts for and on
what is averaged. A protocol fixes all three under a name, and the name is printed with the number.
"""

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from statistics import median
from types import MappingProxyType
from typing import Any, ClassVar

from tmunet.errors import InputError, UsageError
from tmunet.metrics import functional as overlap
from tmunet.metrics.bootstrap import NOT_THERE, Statistics, Summary, check_groups, describe
from tmunet.metrics.empty_masks import EMPTY_POLICY, Outcome, image_diagonal, outcome_of
from tmunet.metrics.groups import Groups, count_groups
from tmunet.metrics.lesions import MIN_OBJECT_PIXELS, OBJECT_COLUMNS, ObjectCounts, count_objects
from tmunet.metrics.pair import Mask, Spacing, check_spacing
from tmunet.metrics.surface_distance import surface_distances

OVERLAPS = ("dice", "iou", "f1", "precision", "recall")
"""Names of the overlap metrics, 0 to 1, larger is better."""

DISTANCES = ("hd", "hd95")
"""Names of the distance metrics, in units of the spacing, smaller is better."""

METRICS = (*OVERLAPS, *DISTANCES)
"""Names of all metrics, in the order of a table's columns."""

_INTERVALS = (
    "Intervals are 95 % bootstrap intervals of the mean over images; where it is known which images belong "
    "together (video sequence, patient, slide), whole groups are drawn."
)

_OBJECTS = (
    "Objects are connected areas (by side or corner) of at least "
    f"{MIN_OBJECT_PIXELS} pixels of the image at its own size; smaller ones are counted apart."
)

_LEFT_OUT = (
    "An image of which every pixel is to be ignored has no scores; a class that no reference and no prediction shows has none "
    "either, and is not in means over classes."
)


@dataclass(frozen=True)
class CaseScores:
    """The scores of one image.

    Attributes:
        dice: Dice coefficient.
        iou: intersection over union.
        f1: harmonic mean of precision and recall.
        precision: share of the prediction that is right.
        recall: share of the reference that was found.
        hd: Hausdorff distance, in units of the spacing; NaN where the protocol leaves the image out.
        hd95: 95 % Hausdorff distance, likewise.
        outcome: which of the two masks are empty, or that no pixel counts.
        objects: how many there are, are missed and are false.

    """

    dice: float
    iou: float
    f1: float
    precision: float
    recall: float
    hd: float
    hd95: float
    outcome: Outcome
    objects: ObjectCounts

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: the outcome's name and numbers, with None where a value does not exist."""
        values = {name: getattr(self, name) for name in METRICS}
        plain = {name: None if math.isnan(value) else value for name, value in values.items()}
        ignored = self.outcome is Outcome.IGNORED
        objects = dict.fromkeys(OBJECT_COLUMNS) if ignored else self.objects.to_dict()
        return {**plain, "outcome": self.outcome.value, **objects}


UNSCORED = CaseScores(
    **dict.fromkeys((*OVERLAPS, *DISTANCES), math.nan), outcome=Outcome.IGNORED, objects=ObjectCounts(0, 0, 0)
)
"""Of an image without a pixel that counts."""


class Protocol(ABC):
    """A named way to score images and to summarize them.

    Attributes:
        name: printed with every number.
        size: side in pixels to which the caller resizes images and masks before scoring; None is native size.
        description: one paragraph in plain words, printed under tables.
        left_out_of_distances: outcomes whose images do not count in HD and HD95.

    """

    name: ClassVar[str]
    size: ClassVar[int | None]
    description: ClassVar[str]
    left_out_of_distances: ClassVar[frozenset[Outcome]] = frozenset()

    @abstractmethod
    def score(
        self, reference: Mask, prediction: Mask, spacing: Spacing = (1.0, 1.0), magnification: float = 1.0
    ) -> CaseScores:
        """Score one image.

        Args:
            reference: what the annotator drew, ``(H, W)`` boolean, already resized to ``size``.
            prediction: what the model drew, ``(H, W)`` boolean.
            spacing: (row, column) distance between pixel centers; distances come out in the same unit.
            magnification: pixels of the masks for each pixel of the image at its own size, by which objects are measured.

        Raises:
            InputError: not two boolean masks of one shape, or the spacing is not two finite positive numbers.

        """

    def summarize(self, scores: Sequence[CaseScores], seed: int = 0, groups: Groups | None = None) -> Summary:
        """Summarize the images of a set.

        Args:
            scores: of each image, made by this protocol; those of images without a pixel that counts are left out.
            seed: of the bootstrap; the same seed gives the same intervals.
            groups: of the images, in their order; None where no group is known.

        Raises:
            InputError: there is no image with a pixel that counts, groups are more or fewer than the images, or a score is not
                finite where this protocol needs it.

        """
        if not scores:
            raise InputError("Expected `scores` to hold at least one image, but got none. Score images first.")
        check_groups({"scores": len(scores)}, groups)
        kept = [k for k, case in enumerate(scores) if case.outcome is not Outcome.IGNORED]
        if not kept:
            raise InputError(
                f"Expected `scores` to hold at least one image with a pixel that counts, but got {len(scores)} of which every "
                "pixel is to be ignored. Score images that are annotated."
            )
        ignored = len(scores) - len(kept)
        scores, groups = [scores[k] for k in kept], None if groups is None else [groups[k] for k in kept]
        outcomes = Counter(case.outcome for case in scores)
        absent = outcomes[Outcome.BOTH_EMPTY] == len(scores)
        measured = [k for k, case in enumerate(scores) if case.outcome not in self.left_out_of_distances]
        areas = [area for case in scores for area in case.objects.missed_areas]
        return Summary(
            protocol=self.name,
            n=len(scores),
            n_ignored=ignored,
            n_groups=count_groups(groups),
            n_missed=outcomes[Outcome.MISSED],
            n_false_alarm=outcomes[Outcome.FALSE_ALARM],
            n_both_empty=outcomes[Outcome.BOTH_EMPTY],
            n_hd_left_out=len(scores) - len(measured),
            objects=sum(case.objects.reference for case in scores),
            objects_missed=sum(case.objects.missed for case in scores),
            objects_false=sum(case.objects.false for case in scores),
            objects_too_small=sum(case.objects.too_small for case in scores),
            objects_too_small_predicted=sum(case.objects.too_small_predicted for case in scores),
            objects_missed_median_px=median(areas) if areas else None,
            objects_missed_largest_px=max(areas, default=None),
            metrics=dict.fromkeys(METRICS, NOT_THERE)
            if absent
            else {
                **describe(_columns(scores, OVERLAPS), seed, groups),
                **describe(
                    _columns([scores[k] for k in measured], DISTANCES),
                    seed,
                    None if groups is None else [groups[k] for k in measured],
                ),
            },
        )


def _columns(scores: Sequence[CaseScores], names: Sequence[str]) -> dict[str, list[float]]:
    return {name: [getattr(case, name) for case in scores] for name in names}


class StrictProtocol(Protocol):
    """The default: native size, plain ratios, and every image counts (see :mod:`tmunet.metrics.empty_masks`).

    Example:
        >>> import numpy as np
        >>> reference = np.zeros((30, 40), dtype=bool)
        >>> reference[10:20, 10:20] = True
        >>> scores = StrictProtocol().score(reference, prediction=np.zeros_like(reference))
        >>> scores.outcome.value, scores.dice, scores.hd
        ('missed', 0.0, 50.0)

    """

    name = "strict"
    size = None
    description = (
        "Protocol strict: every image is scored at its own size, and every image counts. Dice, IoU, F1, "
        "precision and recall are computed for each image and averaged over images. HD is the larger of the "
        "two directed maxima of the distances between the mask outlines, HD95 the larger of the directed "
        "95th percentiles. An image with an object and an empty prediction (missed), or with a prediction "
        "and no object (false alarm), scores 0 in every overlap metric and the diagonal of the image in both "
        f"distances; an image where both masks are empty scores 1 and 0. {_LEFT_OUT} {_OBJECTS} {_INTERVALS}"
    )

    def score(
        self, reference: Mask, prediction: Mask, spacing: Spacing = (1.0, 1.0), magnification: float = 1.0
    ) -> CaseScores:
        """Score one image; see :meth:`Protocol.score`."""
        outcome = outcome_of(reference, prediction)
        if outcome in EMPTY_POLICY:
            row = EMPTY_POLICY[outcome]
            distance = row.distance * image_diagonal(reference.shape, spacing)
            return CaseScores(
                **dict.fromkeys(OVERLAPS, row.overlap),
                **dict.fromkeys(DISTANCES, distance),
                outcome=outcome,
                objects=count_objects(reference, prediction, magnification=magnification),
            )
        counts = overlap.confusion(reference, prediction)
        distances = surface_distances(reference, prediction, spacing)
        return CaseScores(
            dice=overlap.dice(counts),
            iou=overlap.iou(counts),
            f1=overlap.f1(counts),
            precision=overlap.precision(counts),
            recall=overlap.recall(counts),
            hd=distances.hd,
            hd95=distances.hd95,
            outcome=outcome,
            objects=count_objects(reference, prediction, magnification=magnification),
        )


class PaperProtocol(Protocol):
    """What the paper's released code (``eval.py``) computes, for comparison with published tables.

    The definitions are the code's, including those that flatter a model that misses objects. HD95 and the
    intervals are not in that code; HD95 is treated as HD. The SD is the sample SD as under ``strict``, where
    the code prints the population SD.
    """

    name = "paper"
    size = 512
    description = (
        "Protocol paper: the definitions of the paper's released code, at 512 x 512 pixels. Dice and IoU add "
        "1 above and below the line; precision and recall are 0 where they would be 0/0; F1 is computed from "
        "the mean precision and the mean recall, so it has no spread. Images with an empty mask on either "
        "side are left out of HD and HD95, so a model can improve both by missing objects: read them with "
        f"the number of images left out. {_LEFT_OUT} {_OBJECTS} {_INTERVALS}"
    )
    left_out_of_distances = frozenset(EMPTY_POLICY)

    def score(
        self, reference: Mask, prediction: Mask, spacing: Spacing = (1.0, 1.0), magnification: float = 1.0
    ) -> CaseScores:
        """Score one image; see :meth:`Protocol.score`. HD and HD95 are NaN when a mask is empty."""
        check_spacing(spacing)
        outcome = outcome_of(reference, prediction)
        counts = overlap.confusion(reference, prediction)
        precision = overlap.precision(counts) if prediction.any() else 0.0
        recall = overlap.recall(counts) if reference.any() else 0.0
        hd = hd95 = math.nan
        if outcome is Outcome.FOUND:
            distances = surface_distances(reference, prediction, spacing)
            hd, hd95 = distances.hd, distances.hd95
        return CaseScores(
            dice=overlap.dice(counts, smooth=1.0),
            iou=overlap.iou(counts, smooth=1.0),
            f1=_harmonic_mean(precision, recall),
            precision=precision,
            recall=recall,
            hd=hd,
            hd95=hd95,
            outcome=outcome,
            objects=count_objects(reference, prediction, magnification=magnification),
        )

    def summarize(self, scores: Sequence[CaseScores], seed: int = 0, groups: Groups | None = None) -> Summary:
        """Summarize the images of a set; see :meth:`Protocol.summarize`.

        F1 is ``2 P R / (P + R)`` of the mean precision P and the mean recall R, and 0 when both are 0. It is
        one number for the set, so its SD, median and interval are None.
        """
        summary = super().summarize(scores, seed, groups)
        precision, recall = summary.metrics["precision"].mean, summary.metrics["recall"].mean
        if precision is None or recall is None:
            return summary
        f1 = Statistics(mean=_harmonic_mean(precision, recall), sd=None, median=None, low=None, high=None)
        return replace(summary, metrics={**summary.metrics, "f1": f1})


def _harmonic_mean(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {protocol.name: protocol for protocol in (StrictProtocol(), PaperProtocol())}
)
"""The protocols by name; the first is the default."""


def get_protocol(name: str) -> Protocol:
    """Look up a protocol.

    Args:
        name: a key of ``PROTOCOLS``.

    Raises:
        UsageError: there is no protocol of that name; the message lists the names and suggests the nearest.

    Example:
        >>> get_protocol("paper").size
        512

    """
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    nearest = get_close_matches(name, PROTOCOLS, n=1)
    raise UsageError(
        f"Expected `protocol` to be one of {', '.join(map(repr, PROTOCOLS))}, but got {name!r}. "
        + (f"Did you mean {nearest[0]!r}?" if nearest else "The default is 'strict'.")
    )
