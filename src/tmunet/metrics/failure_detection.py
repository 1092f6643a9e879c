"""Failure detection: how well a confidence ranks masks by their Dice; AUROC, AURC and the failures among the flagged masks.

AURC is the area under the risk-coverage curve (Y. Geifman, G. Uziel and R. El-Yaniv, Bias-Reduced Uncertainty Estimation for
Deep Neural Classifiers, ICLR 2019; for segmentation M. Zenk et al., Comparative Benchmarking of Failure Detection Methods in
Medical Image Segmentation, Medical Image Analysis 101, 2025), with the risk 1 - Dice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tmunet.errors import InputError
from tmunet.metrics.bootstrap import TAILS, Groups, check_groups, count_groups, number_groups, resamples

FAILURE_DICE = 0.7
"""A mask with a lower Dice is a failure."""

FEW = 5
"""Of fewer failures or successes than this no AUROC and no interval is shown; the files have them."""

Values = Sequence[float] | npt.NDArray[np.float64]
Choices = Sequence[bool] | npt.NDArray[np.bool_]


@dataclass(frozen=True)
class FailureDetection:
    """How well confidence and flags of masks find those that fail; a value is None where it does not exist.

    Attributes:
        n: masks with a Dice.
        failure_dice: a mask of a lower Dice is a failure.
        failures: number of them.
        flagged: number of flagged masks.
        caught: number of flagged failures.
        caught_low: lower end of the 95 % bootstrap interval of the share of the failures that is flagged.
        caught_high: upper end of it.
        auroc: probability that a failure has a lower confidence than another mask; 0.5 is chance.
        auroc_low: lower end of its 95 % bootstrap interval.
        auroc_high: upper end of it.
        aurc: mean risk (1 - Dice) of the most confident masks, over all shares of masks that are kept; lower is better.
        aurc_best: the same for a ranking by Dice.
        aurc_random: the same for a random ranking, which is the mean risk.
        n_groups: patients (video sequences, slides) that the bootstrap draws; None draws images.
    """

    n: int
    failure_dice: float
    failures: int
    flagged: int
    caught: int
    caught_low: float | None
    caught_high: float | None
    auroc: float | None
    auroc_low: float | None
    auroc_high: float | None
    aurc: float
    aurc_best: float
    aurc_random: float
    n_groups: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


def auroc(confidence: Values, failed: Choices) -> float | None:
    """Compute the area under the ROC curve of low confidence as a detector of failures; ties count one half.

    Args:
        confidence: (n,) of the masks; higher is better.
        failed: (n,) whether a mask is a failure.

    Returns:
        0 to 1; None where none or all fail.

    >>> auroc([0.9, 0.8, 0.3, 0.3], [False, True, True, False])
    0.625
    """
    bad = np.asarray(failed, bool)
    failures, others = int(bad.sum()), int((~bad).sum())
    if not failures or not others:
        return None
    # not scipy.stats.rankdata: its import takes longer than the ranks of any data set
    _, place, count = np.unique(np.asarray(confidence, np.float64), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]  # from 1, the lowest; the mean of ties
    above = float(ranks[~bad].sum()) - others * (others + 1) / 2
    return above / (failures * others)


def aurc(confidence: Values, risk: Values) -> float:
    """Compute the area under the risk-coverage curve: mean risk of the k most confident masks, averaged over k = 1, ..., n.

    Masks of one confidence are in no order, so each has their mean risk.

    Args:
        confidence: (n,) of the masks, n > 0; higher is better.
        risk: (n,) such as 1 - Dice; lower is better.

    >>> round(aurc([0.9, 0.5, 0.1], [0.0, 0.2, 0.4]), 6)
    0.1
    """
    risks = np.asarray(risk, np.float64)
    _, place, count = np.unique(-np.asarray(confidence, np.float64), return_inverse=True, return_counts=True)
    tied = np.bincount(place, weights=risks) / count
    ranked = np.repeat(tied, count)
    return float(np.mean(np.cumsum(ranked) / np.arange(1, len(ranked) + 1)))


def detect_failures(
    confidence: Values,
    dice: Values,
    flagged: Choices,
    groups: Groups | None = None,
    seed: int = 0,
    failure_dice: float = FAILURE_DICE,
) -> FailureDetection:
    """Compare confidence and flags of masks with their Dice.

    Args:
        confidence: (n,), n > 0; higher is better.
        dice: (n,) of the masks.
        flagged: (n,) whether a mask is flagged for review.
        groups: patient of each mask, which the bootstrap draws; None draws masks.
        seed: of the bootstrap.
        failure_dice: a mask of a lower Dice is a failure.

    Raises:
        InputError: there is no mask, or the columns differ in length.
    """
    scores, quality, chosen = (
        np.asarray(confidence, np.float64),
        np.asarray(dice, np.float64),
        np.asarray(flagged, bool),
    )
    lengths = {"confidence": len(scores), "dice": len(quality), "flagged": len(chosen)}
    if len(set(lengths.values())) > 1 or not len(scores):
        raise InputError(f"Expected one value for each of at least one mask, but got {lengths}.", code="length")
    check_groups(lengths, groups)
    failed, risk = quality < failure_dice, 1 - quality
    blocks = list(_resampled(scores, failed, chosen, groups, seed))
    caught, ranked = (_interval([block[column] for block in blocks]) for column in (0, 1))
    return FailureDetection(
        n=len(scores),
        failure_dice=failure_dice,
        failures=int(failed.sum()),
        flagged=int(chosen.sum()),
        caught=int((chosen & failed).sum()),
        caught_low=caught[0],
        caught_high=caught[1],
        auroc=auroc(scores, failed),
        auroc_low=ranked[0],
        auroc_high=ranked[1],
        aurc=aurc(scores, risk),
        aurc_best=aurc(quality, risk),
        aurc_random=float(risk.mean()),
        n_groups=count_groups(groups),
    )


def _resampled(
    scores: npt.NDArray[np.float64],
    failed: npt.NDArray[np.bool_],
    flagged: npt.NDArray[np.bool_],
    groups: Groups | None,
    seed: int,
) -> Iterator[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """Share of the failures that is flagged, and AUROC, in blocks of resamples; NaN where none or all fail."""
    known = count_groups(groups)
    group_of = np.arange(len(scores)) if groups is None or known is None else number_groups(groups)
    units = int(group_of.max()) + 1
    if units < 2 or not failed.any():
        return
    bad, good = scores[failed][:, None], scores[~failed][None]
    wins = (good > bad) + 0.5 * (good == bad)  # (failures, others)
    for drawn in resamples(units, seed):
        of_failures, of_others = drawn[:, group_of[failed]], drawn[:, group_of[~failed]]
        failures, others = of_failures.sum(1), of_others.sum(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = of_failures @ flagged[failed] / failures
            area = ((of_failures @ wins) * of_others).sum(1) / (failures * others)
        yield share, area


def _interval(blocks: Sequence[npt.NDArray[np.float64]]) -> tuple[float | None, float | None]:
    """The 95 % percentile interval over the resamples that have a value."""
    values = np.concatenate([np.empty(0), *blocks])
    values = values[np.isfinite(values)]
    if not len(values):
        return None, None
    low, high = np.percentile(values, TAILS).tolist()
    return low, high
