"""Statistics over runs: mean and SD over seeds, bootstrap intervals, paired tests.

Three questions, three numbers. The variation between trainings: the SD over seeds. The variation between test sets: the bootstrap
interval over images. The difference between two networks on these images: the signed-rank test of F. Wilcoxon (Biometrics
Bulletin 1, 1945), with zeros ranked as by J. Pratt (JASA 54, 1959), corrected for the number of networks as by S. Holm
(Scandinavian Journal of Statistics 6, 1979). Where groups of images (patients, videos, slides) are known, interval and test
resample and rank groups, since images of a group are not independent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np

from tmunet.errors import InputError
from tmunet.metrics.bootstrap import TAILS, count_groups, group_sums, resamples
from tmunet_lab.experiments.results import RunResult

DECIMALS = 12  # differences below are rounding errors


@dataclass(frozen=True)
class MetricEstimate:
    """A metric of one network on one test set, in the unit of the metric.

    Attributes:
        mean: over seeds, of the means over images.
        sd: sample standard deviation over seeds; None for one seed.
        seeds: ascending.
        images: number of images with the metric in any class and seed.
        groups: number of groups of these images, single images included; None where no group is known.
        low: lower end of the 95 % bootstrap interval of `mean` over images or groups. None for one image or group, and for a
            metric that is not a mean over images, such as F1 under the protocol `paper`.
        high: upper end.
    """

    mean: float
    sd: float | None
    seeds: tuple[int, ...]
    images: int
    groups: int | None
    low: float | None
    high: float | None


def check_comparable(results: Sequence[RunResult]) -> None:
    """Make sure that results share protocol and split.

    Raises:
        InputError: results have different protocols or splits.
    """
    for result in results:
        for what in ("protocol", "split_sha256"):
            first, other = getattr(results[0], what), getattr(result, what)
            if first != other:
                raise InputError(
                    f"{results[0].run} and {result.run}: expected the same {what} to compare their scores, but found {first} and "
                    f"{other}; score both under one protocol, on the test images of one split.",
                    code="not-comparable",
                )


def is_mean_over_images(results: Sequence[RunResult], metric: str) -> bool:
    """Whether a metric of a test set is the mean over its images, so that intervals and tests over images apply."""
    return all(
        one.scores["classes"][name]["metrics"][metric]["median"] is not None for one in results for name in one.classes
    )


def image_means(results: Sequence[RunResult], metric: str) -> dict[str, float]:
    """Average a metric of each image over the runs that have it, sorted by name."""
    found: dict[str, list[float]] = {}
    for result in results:
        for case, value in result.values(metric).items():
            found.setdefault(case, []).append(value)
    return {case: fmean(found[case]) for case in sorted(found)}


def estimate_metrics(
    results: Sequence[RunResult], metrics: Sequence[str], groups: Mapping[str, str]
) -> dict[str, MetricEstimate | None]:
    """Estimate metrics of one network from its runs with several seeds.

    Args:
        results: at least one; all of one network, data set, split and protocol.
        metrics: names.
        groups: by case, where known.

    Returns:
        By metric; None where a run has no image with it.

    Raises:
        InputError: the results have different protocols or splits.
    """
    check_comparable(results)
    results = sorted(results, key=lambda result: result.seed)
    found: dict[str, MetricEstimate | None] = {}
    for metric in metrics:
        means = [mean for result in results if (mean := result.mean(metric)) is not None]
        low, high = _interval(results, metric, groups) if is_mean_over_images(results, metric) else (None, None)
        images = image_means(results, metric)
        found[metric] = (
            MetricEstimate(
                mean=fmean(means),
                sd=stdev(means) if len(means) > 1 else None,
                seeds=tuple(result.seed for result in results),
                images=len(images),
                groups=count_groups([groups.get(case) for case in images]),
                low=low,
                high=high,
            )
            if len(means) == len(results)
            else None
        )
    return found


def _interval(
    results: Sequence[RunResult], metric: str, groups: Mapping[str, str]
) -> tuple[float | None, float | None]:
    """Bootstrap interval of the mean over seeds of the mean over classes of the mean over images.

    An image may lack the metric in some classes or seeds; a class without an image in a resample does not count in it.
    """
    cells: dict[tuple[int, str], dict[str, float]] = {}  # one for each seed and class, which weigh alike
    for result in results:
        for row in result.rows:
            if row[metric] is not None:
                cells.setdefault((result.seed, row["class"]), {})[row["case"]] = row[metric]
    cases = sorted({case for cell in cells.values() for case in cell})
    group_of = [groups.get(case) for case in cases]
    values = np.array([[cell.get(case, np.nan) for cell in cells.values()] for case in cases])  # (images, cells)
    known = group_sums((~np.isnan(values)).astype(np.float64), group_of)  # (groups, cells)
    filled = group_sums(np.nan_to_num(values), group_of)
    if len(filled) < 2:
        return None, None
    means = []
    for drawn in resamples(len(filled)):
        counts = drawn @ known
        sums = np.divide(drawn @ filled, counts, out=np.zeros(counts.shape), where=counts > 0)
        means.append(sums.sum(1) / (counts > 0).sum(1))
    low, high = np.percentile(np.concatenate(means), TAILS).tolist()
    return low, high


def paired_p(
    first: Sequence[RunResult], second: Sequence[RunResult], metric: str, groups: Mapping[str, str]
) -> float | None:
    """Compute the two-sided p value of Wilcoxon's signed-rank test over images with both networks, averaged over seeds.

    Where groups are known, the mean difference of each group is ranked. Zero differences are ranked and then left out (Pratt):
    leaving them out first, as Wilcoxon did, overstates few differences among many equal images.

    Args:
        first: runs of one network.
        second: runs of another, with the same protocol and split.
        metric: its name.
        groups: by case, where known.

    Returns:
        The p value, 1 if no image (group) differs; None if the metric is not a mean over images or no image has it.

    Raises:
        InputError: the results have different protocols or splits.
    """
    from scipy.stats import wilcoxon

    check_comparable([*first, *second])
    if not is_mean_over_images([*first, *second], metric):
        return None
    a, b = image_means(first, metric), image_means(second, metric)
    pairs = {case: a[case] - b[case] for case in a if case in b}
    group_of = [groups.get(case) for case in pairs]
    columns = np.array([(difference, 1.0) for difference in pairs.values()]).reshape(-1, 2)
    sums = group_sums(columns, group_of)  # (groups, 2)
    differences = np.round(sums[:, 0] / sums[:, 1], DECIMALS)
    if not differences.size:
        return None
    return float(wilcoxon(differences, zero_method="pratt").pvalue) if differences.any() else 1.0


def holm(values: Sequence[float]) -> list[float]:
    """Adjust p values for multiple tests by Holm's step-down method; in the given order.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    corrected = [0.0] * len(values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        highest = max(highest, min(1.0, (len(values) - rank) * values[index]))
        corrected[index] = highest
    return corrected
