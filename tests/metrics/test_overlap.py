"""Overlap ratios against scikit-learn and against numbers worked out by hand."""

import math

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from tmunet.metrics import Counts, confusion, dice, f1, iou, precision, recall

ORACLES = [
    (f1, sklearn_metrics.f1_score),
    (iou, sklearn_metrics.jaccard_score),
    (precision, sklearn_metrics.precision_score),
    (recall, sklearn_metrics.recall_score),
]


def test_counts_equal_scikit_learn(pairs):
    for reference, prediction in pairs:
        matrix = sklearn_metrics.confusion_matrix(reference.ravel(), prediction.ravel(), labels=[False, True])
        tn, fp, fn, tp = matrix.ravel().tolist()
        assert confusion(reference, prediction) == Counts(tp=tp, fp=fp, fn=fn, tn=tn)


@pytest.mark.parametrize(("ours", "oracle"), ORACLES)
def test_ratios_equal_scikit_learn(found_pairs, ours, oracle):
    for reference, prediction in found_pairs:
        expected = oracle(reference.ravel(), prediction.ravel())
        assert ours(confusion(reference, prediction)) == pytest.approx(expected, abs=1e-12)


def test_dice_is_f1_under_another_name(found_pairs):
    for pair in found_pairs:
        assert dice(confusion(*pair)) == f1(confusion(*pair))


def test_ratios_worked_out_by_hand():
    counts = Counts(tp=6, fp=2, fn=4, tn=8)
    assert dice(counts) == f1(counts) == 12 / 18
    assert iou(counts) == 6 / 12
    assert precision(counts) == 6 / 8
    assert recall(counts) == 6 / 10


def test_smoothing_adds_the_same_above_and_below_the_line():
    counts = Counts(tp=6, fp=2, fn=4, tn=8)
    assert dice(counts, smooth=1.0) == 13 / 19
    assert iou(counts, smooth=1.0) == 7 / 13
    nothing = Counts(tp=0, fp=0, fn=0, tn=20)
    assert dice(nothing, smooth=1.0) == iou(nothing, smooth=1.0) == 1.0


@pytest.mark.parametrize(
    ("counts", "without_value"),
    [
        (Counts(tp=0, fp=0, fn=0, tn=20), {dice, iou, precision, recall, f1}),
        (Counts(tp=0, fp=0, fn=5, tn=15), {precision}),
        (Counts(tp=0, fp=5, fn=0, tn=15), {recall}),
    ],
)
def test_a_ratio_over_zero_has_no_value_and_every_other_is_zero(counts, without_value):
    for ratio in (dice, iou, precision, recall, f1):
        assert math.isnan(ratio(counts)) if ratio in without_value else ratio(counts) == 0.0


def test_counts_of_large_masks_do_not_overflow():
    full = np.ones((4096, 4096), dtype=bool)
    assert confusion(full, full) == Counts(tp=4096 * 4096, fp=0, fn=0, tn=0)
