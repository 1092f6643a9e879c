"""Evaluation protocols `strict` and `paper`: size of the masks, policy for empty masks, and what is averaged.

A number in a segmentation paper depends on all three. A protocol fixes them under a name that is printed with the number.

Tools that drop images with an empty mask reward a model for missing lesions
(https://github.com/Project-MONAI/MONAI/issues/9095). Under `strict` every image counts, and a miss costs the most that an image
can cost.
"""

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from statistics import median
from types import MappingProxyType
from typing import Any, ClassVar

from tmunet.errors import InputError, UsageError
from tmunet.metrics.bootstrap import NOT_THERE, Groups, Statistics, Summary, check_groups, count_groups, describe
from tmunet.metrics.functional import (
    MIN_OBJECT_PIXELS,
    OBJECT_COLUMNS,
    MaskLike,
    ObjectCounts,
    Spacing,
    as_masks,
    check_spacing,
    confusion,
    count_objects,
    image_diagonal,
    surface_distances,
)

OVERLAPS = ("dice", "iou", "f1", "precision", "recall")
"""Names of the overlap metrics, 0 to 1, higher is better."""

DISTANCES = ("hd", "hd95")
"""Names of the distance metrics, in units of the spacing, lower is better."""

METRICS = (*OVERLAPS, *DISTANCES)
"""Names of all metrics, in the order of a table's columns."""

METRIC_LABELS: Mapping[str, str] = MappingProxyType(
    {
        "dice": "Dice",
        "iou": "IoU",
        "f1": "F1",
        "precision": "Precision",
        "recall": "Recall",
        "hd": "HD",
        "hd95": "HD95",
    }
)
"""Column headings of the metrics."""

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


class Presence(StrEnum):
    """Which of the masks of an image show an object; the values are those of the column "outcome" in files.

    IGNORED is an image in which every pixel is ignored: it has no scores and is in no mean, interval or count.
    """

    BOTH = "found"
    MISSED = "missed"
    FALSE_ALARM = "false_alarm"
    NEITHER = "both_empty"
    IGNORED = "ignored"


@dataclass(frozen=True)
class EmptyRow:
    """Row of the policy for empty masks.

    Attributes:
        reference: "empty" or "object".
        prediction: "empty" or "object".
        overlap: Dice, IoU, F1, precision and recall.
        distance: HD and HD95, in image diagonals.

    """

    reference: str
    prediction: str
    overlap: float
    distance: float


EMPTY_POLICY: Mapping[Presence, EmptyRow] = MappingProxyType(
    {
        Presence.NEITHER: EmptyRow("empty", "empty", overlap=1.0, distance=0.0),
        Presence.MISSED: EmptyRow("object", "empty", overlap=0.0, distance=1.0),
        Presence.FALSE_ALARM: EmptyRow("empty", "object", overlap=0.0, distance=1.0),
    }
)
"""Scores of images with an empty mask; the code and the documentation read this table."""


def presence(preds: MaskLike, target: MaskLike) -> Presence:
    """Determine which of two masks ``(H, W)`` show an object.

    Raises:
        InputError: the masks are not two boolean masks of one shape.

    Example:
        >>> import numpy as np
        >>> presence(np.array([[False, False]]), np.array([[True, False]]))
        <Presence.MISSED: 'missed'>

    """
    preds, target = as_masks(preds, target)
    if target.any():
        return Presence.BOTH if preds.any() else Presence.MISSED
    return Presence.FALSE_ALARM if preds.any() else Presence.NEITHER


def policy_as_markdown() -> str:
    """Render the policy for empty masks as a table for the documentation."""
    lines = [
        "| reference | prediction | Dice, IoU, F1, precision, recall | HD, HD95 | counted as |",
        "| --- | --- | --- | --- | --- |",
    ]
    for outcome, row in EMPTY_POLICY.items():
        scores = f"{row.overlap:g} | {row.distance:g} x image diagonal"
        lines.append(f"| {row.reference} | {row.prediction} | {scores} | {outcome} |")
    return "\n".join(lines)


@dataclass(frozen=True)
class CaseScores:
    """Scores of one image.

    Attributes:
        dice: Dice coefficient.
        iou: intersection over union.
        f1: harmonic mean of precision and recall.
        precision: positive predictive value.
        recall: sensitivity.
        hd: Hausdorff distance, in units of the spacing; NaN where the protocol leaves the image out.
        hd95: 95th percentile Hausdorff distance, likewise.
        outcome: which of the two masks show an object.
        objects: lesion-wise counts.
        pixel_area: area of a pixel of the image at native size, in squared units of the spacing.

    """

    dice: float
    iou: float
    f1: float
    precision: float
    recall: float
    hd: float
    hd95: float
    outcome: Presence
    objects: ObjectCounts
    pixel_area: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, None where a value does not exist."""
        values = {name: getattr(self, name) for name in METRICS}
        plain = {name: None if math.isnan(value) else value for name, value in values.items()}
        ignored = self.outcome is Presence.IGNORED
        objects = dict.fromkeys(OBJECT_COLUMNS) if ignored else self.objects.to_dict()
        return {**plain, "outcome": self.outcome.value, **objects}


UNSCORED = CaseScores(**dict.fromkeys(METRICS, math.nan), outcome=Presence.IGNORED, objects=ObjectCounts(0, 0, 0))
"""Scores of an image in which every pixel is ignored."""


class Protocol(ABC):
    """Named way to score images and to summarize them.

    Attributes:
        name: printed with every number.
        size: side in pixels to which the caller resizes images and masks before scoring; None is native size.
        description: one paragraph, printed under tables.
        left_out_of_distances: images that do not count in HD and HD95.

    """

    name: ClassVar[str]
    size: ClassVar[int | None]
    description: ClassVar[str]
    left_out_of_distances: ClassVar[frozenset[Presence]] = frozenset()

    @abstractmethod
    def score(
        self, *, preds: MaskLike, target: MaskLike, spacing: Spacing = (1.0, 1.0), magnification: float = 1.0
    ) -> CaseScores:
        """Score one class of one image.

        Args:
            preds: ``(H, W)`` boolean, resized to ``size``.
            target: ``(H, W)`` boolean.
            spacing: (row, column) distance between pixel centers; distances come out in the same unit.
            magnification: pixels of the masks per pixel of the image at native size, in which areas of lesions are measured.

        Raises:
            InputError: not two boolean masks of one shape, or the spacing is not two finite positive numbers.

        """

    def summarize(
        self, scores: Sequence[CaseScores], seed: int = 0, groups: Groups | None = None, unit: str = "pixels"
    ) -> Summary:
        """Summarize the images of a set.

        Args:
            scores: of each image, made by this protocol; images in which every pixel is ignored are left out.
            seed: of the bootstrap.
            groups: patient (video sequence, slide) of each image; None if none is known.
            unit: of the spacing, "pixels" or "mm"; the same for all images.

        Raises:
            InputError: there is no image with a scored pixel, groups are more or fewer than the images, or a score is not
                finite where this protocol needs it.

        """
        if not scores:
            raise InputError("Expected `scores` to hold at least one image, but got none. Score images first.")
        check_groups({"scores": len(scores)}, groups)
        kept = [k for k, case in enumerate(scores) if case.outcome is not Presence.IGNORED]
        if not kept:
            raise InputError(
                f"Expected `scores` to hold at least one image with a scored pixel, but got {len(scores)} in which every "
                "pixel is ignored. Score images that are annotated."
            )
        ignored = len(scores) - len(kept)
        scores, groups = [scores[k] for k in kept], None if groups is None else [groups[k] for k in kept]
        outcomes = Counter(case.outcome for case in scores)
        absent = outcomes[Presence.NEITHER] == len(scores)
        measured = [k for k, case in enumerate(scores) if case.outcome not in self.left_out_of_distances]
        areas = [area for case in scores for area in case.objects.missed_areas]
        in_mm2 = (
            [area * case.pixel_area for case in scores for area in case.objects.missed_areas] if unit == "mm" else []
        )
        return Summary(
            protocol=self.name,
            n=len(scores),
            n_ignored=ignored,
            n_groups=count_groups(groups),
            n_missed=outcomes[Presence.MISSED],
            n_false_alarm=outcomes[Presence.FALSE_ALARM],
            n_both_empty=outcomes[Presence.NEITHER],
            n_hd_left_out=len(scores) - len(measured),
            objects=sum(case.objects.reference for case in scores),
            objects_missed=sum(case.objects.missed for case in scores),
            objects_false=sum(case.objects.false for case in scores),
            objects_too_small=sum(case.objects.too_small for case in scores),
            objects_too_small_predicted=sum(case.objects.too_small_predicted for case in scores),
            objects_missed_median_px=median(areas) if areas else None,
            objects_missed_largest_px=max(areas, default=None),
            unit=unit,
            objects_missed_median_mm2=median(in_mm2) if in_mm2 else None,
            objects_missed_largest_mm2=max(in_mm2, default=None),
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
    """Default protocol: native size, ratios without smoothing, and `EMPTY_POLICY`, so that every image counts.

    Example:
        >>> import numpy as np
        >>> target = np.zeros((30, 40), dtype=bool)
        >>> target[10:20, 10:20] = True
        >>> scores = StrictProtocol().score(preds=np.zeros_like(target), target=target)
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
        self, *, preds: MaskLike, target: MaskLike, spacing: Spacing = (1.0, 1.0), magnification: float = 1.0
    ) -> CaseScores:
        """See :meth:`Protocol.score`."""
        preds, target = as_masks(preds, target)
        outcome = presence(preds, target)
        if outcome in EMPTY_POLICY:
            row = EMPTY_POLICY[outcome]
            distance = row.distance * image_diagonal(target.shape, spacing)
            return CaseScores(
                **dict.fromkeys(OVERLAPS, row.overlap),
                **dict.fromkeys(DISTANCES, distance),
                outcome=outcome,
                objects=count_objects(preds, target, magnification=magnification),
                pixel_area=spacing[0] * spacing[1] * magnification,
            )
        counts = confusion(preds, target)
        distances = surface_distances(preds, target, spacing)
        return CaseScores(
            dice=counts.dice(),
            iou=counts.iou(),
            f1=counts.dice(),
            precision=counts.precision(),
            recall=counts.recall(),
            hd=distances.hausdorff(),
            hd95=distances.hausdorff(95),
            outcome=outcome,
            objects=count_objects(preds, target, magnification=magnification),
            pixel_area=spacing[0] * spacing[1] * magnification,
        )


class PaperProtocol(Protocol):
    """Protocol of the paper's released code (``eval.py``), for comparison with published tables.

    The definitions are the code's, including those that reward a model for missing objects. HD95 and intervals are not in that
    code; HD95 is treated as HD. The SD is the sample SD, where the code prints the population SD.
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
        self, *, preds: MaskLike, target: MaskLike, spacing: Spacing = (1.0, 1.0), magnification: float = 1.0
    ) -> CaseScores:
        """See :meth:`Protocol.score`; HD and HD95 are NaN if a mask is empty."""
        preds, target = as_masks(preds, target)
        check_spacing(spacing)
        outcome = presence(preds, target)
        counts = confusion(preds, target)
        precision = counts.precision() if preds.any() else 0.0
        recall = counts.recall() if target.any() else 0.0
        hd = hd95 = math.nan
        if outcome is Presence.BOTH:
            distances = surface_distances(preds, target, spacing)
            hd, hd95 = distances.hausdorff(), distances.hausdorff(95)
        return CaseScores(
            dice=counts.dice(smooth=1.0),
            iou=counts.iou(smooth=1.0),
            f1=_harmonic_mean(precision, recall),
            precision=precision,
            recall=recall,
            hd=hd,
            hd95=hd95,
            outcome=outcome,
            objects=count_objects(preds, target, magnification=magnification),
            pixel_area=spacing[0] * spacing[1] * magnification,
        )

    def summarize(
        self, scores: Sequence[CaseScores], seed: int = 0, groups: Groups | None = None, unit: str = "pixels"
    ) -> Summary:
        """Summarize the images of a set; see :meth:`Protocol.summarize`.

        F1 is ``2 P R / (P + R)`` of the mean precision P and the mean recall R, and 0 when both are 0. It is
        one number for the set, so its SD, median and interval are None.
        """
        summary = super().summarize(scores, seed, groups, unit)
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
        + (f"Did you mean {nearest[0]!r}?" if nearest else "The default is 'strict'."),
        code="protocol",
    )
