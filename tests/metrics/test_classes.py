"""Images without a pixel that counts, classes that are nowhere, and means over the classes that are there."""

import math
import statistics
from dataclasses import replace

import numpy as np
import pytest

from tmunet.errors import InputError
from tmunet.metrics import (
    METRICS,
    OBJECT_COLUMNS,
    PROTOCOLS,
    UNSCORED,
    Outcome,
    is_absent,
    mean_over_classes,
    scored_classes,
)

EMPTY = np.zeros((8, 9), dtype=bool)
LEFT, RIGHT = EMPTY.copy(), EMPTY.copy()
LEFT[1:7, 1:5] = True
RIGHT[1:7, 3:8] = True


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_an_ignored_image_changes_nothing_but_its_own_count(protocol):
    scores = [protocol.score(*pair) for pair in ((LEFT, RIGHT), (LEFT, EMPTY), (EMPTY, RIGHT), (RIGHT, RIGHT))]
    groups = ["a", "a", "b", None]
    alone = protocol.summarize(scores, seed=3, groups=groups)
    beside = protocol.summarize(
        [UNSCORED, *scores[:2], UNSCORED, *scores[2:]], seed=3, groups=["c", *groups[:2], None, *groups[2:]]
    )
    assert beside == replace(alone, n_ignored=2)
    assert (alone.n, alone.n_ignored, alone.n_groups) == (4, 0, 3)
    assert beside.metrics["dice"].mean == pytest.approx(statistics.fmean(score.dice for score in scores))


def test_an_ignored_image_has_no_scores():
    plain = UNSCORED.to_dict()
    assert plain.pop("outcome") == "ignored"
    assert plain == dict.fromkeys((*METRICS, *OBJECT_COLUMNS))


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_images_of_which_none_counts_are_refused(protocol):
    with pytest.raises(InputError):
        protocol.summarize([UNSCORED, UNSCORED])


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_a_class_that_nothing_shows_has_no_scores(protocol):
    empty = protocol.score(EMPTY, EMPTY)
    assert empty.outcome is Outcome.BOTH_EMPTY
    summary = protocol.summarize([empty, UNSCORED, empty])
    assert (summary.n, summary.n_ignored, summary.n_both_empty) == (2, 1, 2)
    plain = summary.to_dict()
    assert is_absent(plain)
    assert {value for metric in plain["metrics"].values() for value in metric.values()} == {None}
    assert list(plain["metrics"]) == list(METRICS)


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_a_false_alarm_of_a_class_that_no_reference_shows_is_scored(protocol):
    scores = [protocol.score(EMPTY, EMPTY), protocol.score(EMPTY, LEFT)]
    plain = protocol.summarize(scores).to_dict()
    assert not is_absent(plain)
    assert plain["n_false_alarm"] == 1
    assert plain["metrics"]["dice"]["mean"] == pytest.approx((1 + (0 if protocol.name == "strict" else 1 / 25)) / 2)


def test_the_mean_is_over_the_classes_that_are_there():
    strict = PROTOCOLS["strict"]
    summaries = {
        "a": strict.summarize([strict.score(LEFT, RIGHT)]).to_dict(),
        "nowhere": strict.summarize([strict.score(EMPTY, EMPTY)]).to_dict(),
        "b": strict.summarize([strict.score(LEFT, EMPTY)]).to_dict(),
    }
    dice = 2 * 12 / (24 + 30)
    assert scored_classes(summaries) == ["a", "b"]
    assert mean_over_classes(summaries, "dice") == pytest.approx(dice / 2)
    assert mean_over_classes({"nowhere": summaries["nowhere"]}, "dice") is None
    paper = PROTOCOLS["paper"]
    missed = {"a": summaries["a"], "b": paper.summarize([paper.score(LEFT, EMPTY)]).to_dict()}
    assert mean_over_classes(missed, "hd") is None  # b is there, and has none
    assert math.isfinite(summaries["a"]["metrics"]["hd"]["mean"])
