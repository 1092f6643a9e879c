"""From one number an image to one line of a table: mean, SD, median and a bootstrap interval of the mean.

The interval is the percentile interval of B. Efron and R. Tibshirani, An Introduction to the Bootstrap
(1993), chapter 13. It tells how far the mean would move with other images of the same kind, not with another
training. Where it is known which images belong together, the kind is that of the groups: see
:mod:`tmunet.metrics.groups`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tmunet.errors import InputError
from tmunet.metrics.groups import Groups, group_sums

RESAMPLES = 10_000
"""Bootstrap resamples of an interval."""

LEVEL = 95.0
"""Level of the interval, in percent."""

TAILS = ((100 - LEVEL) / 2, (100 + LEVEL) / 2)
"""Percentiles at its ends."""

_DRAWS_AT_ONCE = 2_000_000  # bounds the memory to some 50 MB, whatever the number of images


@dataclass(frozen=True)
class Statistics:
    """One metric over the images of a set; None where a value does not exist.

    One image has a mean and a median. It has no SD, because ``n - 1`` is 0, and no interval, because every
    resample of one image is that image: the interval would have width 0 and look like certainty. So it is with
    the images of one group.

    Attributes:
        mean: arithmetic mean over images.
        sd: sample standard deviation over images (``n - 1`` below the line).
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
"""Of a metric that no image has."""


@dataclass(frozen=True)
class Summary:
    """A set of images under one protocol: how many, how many failed, and the statistics of each metric.

    Where both masks are empty in all n images, the class is not in these images, and no metric has a value.

    Attributes:
        protocol: name of the protocol that scored and summarized.
        n: images that are scored.
        n_ignored: images beside them of which no pixel counts; they are in no other number here.
        n_groups: groups of images that the intervals are drawn from; None where no group is known.
        n_missed: images with an object in the reference and an empty prediction.
        n_false_alarm: images with an empty reference and an object in the prediction.
        n_both_empty: images where both masks are empty.
        n_hd_left_out: images that the protocol leaves out of HD and HD95.
        objects: connected components of all references that are large enough to be objects.
        objects_missed: of them, those without a predicted pixel.
        objects_false: such components of all predictions without a pixel of the reference.
        objects_too_small: components of all references that are too small; they are in no other number here.
        objects_too_small_predicted: those of all predictions.
        objects_missed_median_px: median area of the missed, in pixels of the images at their own size; None if none is.
        objects_missed_largest_px: area of the largest of them.
        metrics: statistics by the name of the metric.

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

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: numbers are finite, and None stands where a value does not exist."""
        return asdict(self)


def describe(
    columns: Mapping[str, Sequence[float]], seed: int = 0, groups: Groups | None = None
) -> dict[str, Statistics]:
    """Describe metrics that were measured on the same images.

    A resample draws whole images, or whole groups of them where groups are known, and takes the mean over all
    images that it has drawn: all metrics see the same resamples, and so do two models with equally many images
    (groups) and the same seed.

    Args:
        columns: one value an image for each metric, ``(n,)`` each, in the same order of images.
        seed: of the bootstrap; the same seed gives the same interval.
        groups: of the images, in their order; None where no group is known.

    Returns:
        The statistics of each metric; all None for no image, SD and interval None for one, the interval None for
        one group.

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
    """Refuse groups of more or fewer images than columns have, whose lengths are given by name."""
    if groups is not None and any(length != len(groups) for length in lengths.values()):
        raise InputError(
            f"Expected `groups` to have one entry an image, but got {len(groups)} beside columns of lengths {lengths}. "
            "Give None for an image whose group is not known."
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
        for place, value in enumerate(column):
            if not np.isfinite(value):
                raise InputError(
                    f"Expected `{name}` to be finite for every image, but got {value} for image {place}. "
                    "Summarize scores with the protocol that made them."
                )


def _resampled_means(
    values: npt.NDArray[np.float64], seed: int, groups: Groups | None
) -> npt.NDArray[np.float64] | None:
    """Means ``(RESAMPLES, metrics)`` of what is drawn with replacement from values ``(n, metrics)``; None if that is one."""
    n, sums = len(values), group_sums(values, groups)
    if len(sums) < 2:
        return None
    draws = resamples(len(sums), seed)  # one draw serves all metrics
    if len(sums) == n:
        return np.concatenate([drawn @ sums / n for drawn in draws])
    sizes = group_sums(np.ones((n, 1)), groups)  # they differ, and so does the number of images in a resample
    return np.concatenate([drawn @ sums / (drawn @ sizes) for drawn in draws])


def resamples(n: int, seed: int = 0) -> Iterator[npt.NDArray[np.int64]]:
    """How often each of `n` images or groups comes in each of `RESAMPLES` resamples, in blocks ``(rows, n)``, by seed."""
    generator = np.random.default_rng(seed)
    rows_at_once = max(1, _DRAWS_AT_ONCE // n)
    for start in range(0, RESAMPLES, rows_at_once):
        rows = min(rows_at_once, RESAMPLES - start)
        drawn = generator.integers(n, size=(rows, n)) + n * np.arange(rows)[:, np.newaxis]
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
