"""The policy for empty masks, pinned cell by cell."""

import numpy as np
import pytest

from tmunet.metrics import (
    EMPTY_POLICY,
    METRICS,
    EmptyRow,
    Outcome,
    StrictProtocol,
    image_diagonal,
    outcome_of,
    policy_as_markdown,
)

EMPTY = np.zeros((30, 40), dtype=bool)
OBJECT = EMPTY.copy()
OBJECT[10:20, 5:15] = True

DIAGONAL = 50.0  # of 30 x 40 pixels

CELLS = [
    (
        EMPTY,
        EMPTY,
        "both_empty",
        {"dice": 1, "iou": 1, "f1": 1, "precision": 1, "recall": 1, "hd": 0, "hd95": 0},
    ),
    (
        OBJECT,
        EMPTY,
        "missed",
        {"dice": 0, "iou": 0, "f1": 0, "precision": 0, "recall": 0, "hd": 50, "hd95": 50},
    ),
    (
        EMPTY,
        OBJECT,
        "false_alarm",
        {"dice": 0, "iou": 0, "f1": 0, "precision": 0, "recall": 0, "hd": 50, "hd95": 50},
    ),
    (
        OBJECT,
        OBJECT,
        "found",
        {"dice": 1, "iou": 1, "f1": 1, "precision": 1, "recall": 1, "hd": 0, "hd95": 0},
    ),
]


@pytest.mark.parametrize(("reference", "prediction", "outcome", "scores"), CELLS)
@pytest.mark.parametrize("metric", METRICS)
def test_each_cell_of_the_policy(reference, prediction, outcome, scores, metric):
    case = StrictProtocol().score(reference, prediction)
    assert case.outcome == outcome == outcome_of(reference, prediction)
    assert getattr(case, metric) == scores[metric]


def test_the_table_itself():
    assert dict(EMPTY_POLICY) == {
        Outcome.BOTH_EMPTY: EmptyRow(reference="empty", prediction="empty", overlap=1.0, distance=0.0),
        Outcome.MISSED: EmptyRow(reference="object", prediction="empty", overlap=0.0, distance=1.0),
        Outcome.FALSE_ALARM: EmptyRow(reference="empty", prediction="object", overlap=0.0, distance=1.0),
    }
    with pytest.raises(TypeError):
        EMPTY_POLICY[Outcome.MISSED] = EMPTY_POLICY[Outcome.BOTH_EMPTY]


def test_every_outcome_is_measured_or_in_the_table():
    assert set(EMPTY_POLICY) | {Outcome.FOUND, Outcome.IGNORED} == set(Outcome)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.1, 0.1), (4.0, 3.0)])
def test_a_miss_costs_the_diagonal_in_units_of_the_spacing(spacing):
    case = StrictProtocol().score(OBJECT, EMPTY, spacing)
    expected = float(np.sqrt((30 * spacing[0]) ** 2 + (40 * spacing[1]) ** 2))
    assert case.hd == case.hd95 == image_diagonal((30, 40), spacing) == pytest.approx(expected, abs=1e-12)


def test_documentation_has_a_line_for_each_row():
    lines = policy_as_markdown().splitlines()
    assert len(lines) == 2 + len(EMPTY_POLICY)
    assert len({line.count("|") for line in lines}) == 1
    for line, (outcome, row) in zip(lines[2:], EMPTY_POLICY.items(), strict=True):
        assert line.startswith(f"| {row.reference} | {row.prediction} |")
        assert line.endswith(f"| {outcome.value} |")
