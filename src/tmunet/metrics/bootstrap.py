"""Mean, SD, median and bootstrap confidence interval of metrics: the bootstrap over images, or over patients.

Intervals are 95 % percentile intervals of the mean (B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter
13): how far the mean would move with other images of the same kind, not with another training. Images of one patient, video
sequence or slide are alike, and drawing them one by one makes the interval too narrow. Where patients are known, whole patients
are drawn (cluster bootstrap: C. Field and A. Welsh, Journal of the Royal Statistical Society B 69, 2007).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tmunet.errors import InputError

Groups: TypeAlias = Sequence[str | None]
"""The patient (video sequence, slide) of each image; an image of which it is not known (None) stands for itself."""

RESAMPLES = 10_000
"""Bootstrap resamples of an interval."""

LEVEL = 95.0
"""Confidence level of an interval, in percent."""

TAILS = ((100 - LEVEL) / 2, (100 + LEVEL) / 2)
"""Percentiles at the ends of an interval."""

_DRAWS_AT_ONCE = 2_000_000  # bounds the memory to some 50 MB, whatever the number of images


@dataclass(frozen=True)
class Statistics:
    """Statistics of one metric over the images of a set; None where a value does not exist.

    One image has no SD, since ``n - 1`` is 0. One image or one patient has no interval: every resample would be the same, and
    a width of 0 would look like certainty.

    Attributes:
        mean: arithmetic mean over images.
        sd: sample standard deviation over images (``n - 1``).
        median: over images.
        low: lower end of the 95 % bootstrap interval of the mean.
        high: upper end of it.

    """

    mean: float | None
    sd: float | None
    median: float | None
    low: float | None
    high: float | None


NOT_THERE = Statistics(None, None, None, None, None)
"""Statistics of a metric that no image has."""


@dataclass(frozen=True)
class Summary:
    """Scores of a set of images under one protocol; no metric has a value if the class is absent from all n images.

    Attributes:
        protocol: name of the protocol.
        n: scored images.
        n_ignored: further images in which every pixel is ignored; they are in no other number.
        n_groups: patients (video sequences, slides) that the bootstrap draws; None if none is known.
        n_missed: images with an object in the target and an empty prediction.
        n_false_alarm: images with an empty target and an object in the prediction.
        n_both_empty: true negatives, images in which both masks are empty.
        n_hd_left_out: images that the protocol leaves out of HD and HD95.
        objects: lesions (components of at least the smallest area) in all targets.
        objects_missed: those without a predicted pixel.
        objects_false: predicted lesions without a target pixel.
        objects_too_small: components of the targets below the smallest area; they are in no other number.
        objects_too_small_predicted: components of the predictions below it.
        objects_missed_median_px: median area of the missed lesions, in pixels at native size; None if none is missed.
        objects_missed_largest_px: area of the largest missed lesion.
        metrics: statistics by the name of the metric.
        unit: of the distances, "pixels" or "mm".
        objects_missed_median_mm2: median area of the missed lesions in mm2; None in pixels, or if none is missed.
        objects_missed_largest_mm2: the largest one, likewise.

    """

    protocol: str
    n: int
    n_ignored: int
    n_groups: int | None
    n_missed: int
    n_false_alarm: int
    n_both_empty: int
    n_hd_left_out: int
    objects: int
    objects_missed: int
    objects_false: int
    objects_too_small: int
    objects_too_small_predicted: int
    objects_missed_median_px: float | None
    objects_missed_largest_px: int | None
    metrics: Mapping[str, Statistics]
    unit: str = "pixels"
    objects_missed_median_mm2: float | None = None
    objects_missed_largest_mm2: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: finite numbers, None where a value does not exist."""
        return asdict(self)


def is_absent(summary: Mapping[str, Any]) -> bool:
    """Whether a class is absent: no target and no prediction shows it. Given is a ``Summary.to_dict()``.

    Example:
        >>> is_absent({"n": 9, "n_both_empty": 9}), is_absent({"n": 9, "n_both_empty": 8})
        (True, False)

    """
    return bool(summary["n_both_empty"] == summary["n"])


def scored_classes(summaries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Classes that are not absent, in their order. Given is ``Summary.to_dict()`` by class."""
    return [name for name, summary in summaries.items() if not is_absent(summary)]


def mean_over_classes(summaries: Mapping[str, Mapping[str, Any]], metric: str) -> float | None:
    """Macro average of a metric over the classes that are not absent; None if there is none or one has no value.

    Example:
        >>> there = {"n": 2, "n_both_empty": 0, "metrics": {"dice": {"mean": 0.5}}}
        >>> absent = {"n": 2, "n_both_empty": 2, "metrics": {"dice": {"mean": None}}}
        >>> mean_over_classes({"a": there, "b": absent}, "dice")
        0.5

    """
    means = [summaries[name]["metrics"][metric]["mean"] for name in scored_classes(summaries)]
    return fmean(means) if means and None not in means else None


def describe(
    columns: Mapping[str, Sequence[float]], seed: int = 0, groups: Groups | None = None
) -> dict[str, Statistics]:
    """Compute mean, SD, median and bootstrap interval of metrics measured on the same images.

    All metrics share the resamples, and so do two models with equally many images (patients) and the same seed.

    Args:
        columns: per-image values of each metric, ``(n,)`` each.
        seed: of the bootstrap.
        groups: patient of each image; None if none is known.

    Raises:
        InputError: columns and groups differ in length, or a value is infinite or NaN.

    Example:
        >>> describe({"hd": [3.0, 3.0, 3.0]})["hd"]
        Statistics(mean=3.0, sd=0.0, median=3.0, low=3.0, high=3.0)

    """
    _check_columns(columns, groups)
    values = np.array(list(columns.values()), dtype=np.float64).T  # (n, metrics)
    if len(values) == 0:
        return dict.fromkeys(columns, NOT_THERE)
    means, medians = values.mean(axis=0).tolist(), np.median(values, axis=0).tolist()
    sds = values.std(axis=0, ddof=1).tolist() if len(values) > 1 else [None] * len(columns)
    resampled = _resampled_means(values, seed, groups)
    lows, highs = [[None] * len(columns)] * 2 if resampled is None else np.percentile(resampled, TAILS, axis=0).tolist()
    return {name: Statistics(means[k], sds[k], medians[k], lows[k], highs[k]) for k, name in enumerate(columns)}


def check_groups(lengths: Mapping[str, int], groups: Groups | None) -> None:
    """Validate that there is one group an image, given the number of images by column.

    Raises:
        InputError: there are more or fewer.

    """
    if groups is not None and any(length != len(groups) for length in lengths.values()):
        raise InputError(
            f"Expected `groups` to have one entry an image, but got {len(groups)} beside columns of lengths {lengths}. "
            "Give None for an image whose patient, video sequence or slide is not known."
        )


def _check_columns(columns: Mapping[str, Sequence[float]], groups: Groups | None) -> None:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(
            f"Expected `columns` to have one value an image each, but got lengths {lengths}. "
            "Give every metric the same images."
        )
    check_groups(lengths, groups)
    for name, column in columns.items():
        for index, value in enumerate(column):
            if not np.isfinite(value):
                raise InputError(
                    f"Expected `{name}` to be finite for every image, but got {value} for image {index}. "
                    "Summarize scores with the protocol that made them."
                )


def _resampled_means(
    values: npt.NDArray[np.float64], seed: int, groups: Groups | None
) -> npt.NDArray[np.float64] | None:
    """Means ``(RESAMPLES, metrics)`` of resamples of values ``(n, metrics)``; None if there is but one unit to draw."""
    n, sums = len(values), group_sums(values, groups)
    if len(sums) < 2:
        return None
    draws = resamples(len(sums), seed)  # one draw serves all metrics
    if len(sums) == n:
        return np.concatenate([drawn @ sums / n for drawn in draws])
    sizes = group_sums(np.ones((n, 1)), groups)  # they differ, and so does the number of images in a resample
    return np.concatenate([drawn @ sums / (drawn @ sizes) for drawn in draws])


def resamples(n: int, seed: int = 0) -> Iterator[npt.NDArray[np.int64]]:
    """Multiplicity of each of `n` images or patients in each of `RESAMPLES` resamples, in blocks ``(rows, n)``."""
    generator = np.random.default_rng(seed)
    rows_at_once = max(1, _DRAWS_AT_ONCE // n)
    for start in range(0, RESAMPLES, rows_at_once):
        rows = min(rows_at_once, RESAMPLES - start)
        drawn = generator.integers(n, size=(rows, n)) + n * np.arange(rows)[:, np.newaxis]
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)


def number_groups(groups: Groups) -> npt.NDArray[np.int64]:
    """Number the groups of n images by first occurrence, ``(n,)`` from 0 without gaps.

    Example:
        >>> number_groups(["video 1", None, "video 2", "video 1", None])
        array([0, 1, 2, 0, 3])

    """
    numbers: dict[tuple[str, str | int], int] = {}
    keys = [("image", index) if group is None else ("group", group) for index, group in enumerate(groups)]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def count_groups(groups: Groups | None) -> int | None:
    """Count the groups, images without one among them; None if no group is known.

    Example:
        >>> count_groups(["video 1", None, "video 1"]), count_groups([None, None])
        (2, None)

    """
    if groups is None or all(group is None for group in groups):
        return None
    return len(set(number_groups(groups).tolist()))


def group_sums(values: npt.NDArray[np.float64], groups: Groups | None) -> npt.NDArray[np.float64]:
    """Sum values ``(n, columns)`` over the images of each group, ``(groups, columns)``; the values if no group is known.

    Example:
        >>> group_sums(np.array([[1.0], [2.0], [4.0]]), ["a", "b", "a"]).tolist()
        [[5.0], [2.0]]

    """
    count = count_groups(groups)
    if groups is None or count is None:
        return values
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, number_groups(groups), values)
    return sums
