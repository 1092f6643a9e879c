"""AUROC and AURC of a confidence against scikit-learn and a count by hand, and the bootstrap over groups."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from tmunet.errors import InputError
from tmunet.metrics.failure_detection import aurc, auroc, detect_failures

Pairs = list[tuple[float, bool]]
LEVELS = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])  # with ties


@given(st.lists(st.tuples(LEVELS, st.booleans()), min_size=2, max_size=30))
def test_auroc_is_that_of_scikit_learn(pairs: Pairs) -> None:
    confidence, failed = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    if len(set(failed)) < 2:
        assert auroc(confidence, failed) is None
    else:
        assert auroc(confidence, failed) == pytest.approx(roc_auc_score(failed, [-one for one in confidence]))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12, unique=True))
def test_aurc_is_the_mean_of_the_selective_risks(confidence: list[float]) -> None:
    risk = np.random.default_rng(len(confidence)).random(len(confidence))
    by_hand = [np.mean([r for c, r in zip(confidence, risk, strict=True) if c >= floor]) for floor in confidence]
    assert aurc(confidence, risk) == pytest.approx(np.mean(by_hand))


def test_masks_of_one_confidence_are_in_no_order() -> None:
    assert aurc([0.5] * 4, [1.0, 0.0, 0.0, 0.0]) == aurc([0.5] * 4, [0.0, 0.0, 0.0, 1.0]) == 0.25


def test_counts_and_intervals() -> None:
    dice = np.array([0.1, 0.5, 0.9, 0.95, 0.8, 0.69])
    found = detect_failures(dice, dice, dice < 0.6)
    assert (found.n, found.failures, found.flagged, found.caught) == (6, 3, 2, 2)
    assert (found.auroc, found.auroc_low, found.auroc_high) == (1.0, 1.0, 1.0)
    assert found.aurc == found.aurc_best < found.aurc_random == pytest.approx(1 - dice.mean())
    assert found.caught_low is not None
    assert found.caught_high is not None
    assert found.caught_low < 2 / 3 < found.caught_high


def test_whole_groups_are_drawn() -> None:
    dice = np.tile([0.2, 0.9, 0.3, 0.8], 5)
    flagged = np.tile([True, False, False, True], 5)
    alone = detect_failures(dice, dice, flagged)
    grouped = detect_failures(dice, dice, flagged, groups=[str(index % 4) for index in range(20)])
    assert grouped.n_groups == 4
    assert (grouped.caught_low, grouped.caught_high) == (0.0, 1.0)  # some resamples hold one group of failures alone
    assert alone.caught_low is not None
    assert alone.caught_low > 0


def test_without_failures_there_is_nothing_to_detect() -> None:
    found = detect_failures([0.5, 0.6], [0.9, 0.8], [False, True])
    assert (found.failures, found.auroc, found.caught_low, found.auroc_high) == (0, None, None, None)
    for columns in (([], [], []), ([0.5], [0.5, 0.6], [True])):
        with pytest.raises(InputError):
            detect_failures(*columns)
