"""What must hold for any masks. The first two say it all: a worse prediction never gets a better score."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from tmunet.metrics import (
    DISTANCES,
    METRICS,
    OVERLAPS,
    PaperProtocol,
    Presence,
    StrictProtocol,
    image_diagonal,
)

ROUNDING = 1e-9
STRICT = StrictProtocol()
PAPER = PaperProtocol()

shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))
spacings = st.tuples(st.floats(0.1, 10), st.floats(0.1, 10))


def strict(preds, target, spacing=(1.0, 1.0)):
    return STRICT.score(preds=preds, target=target, spacing=spacing)


@st.composite
def pairs(draw, shapes=shapes):
    """A prediction and a target of one shape, anything from empty to full."""
    shape = draw(shapes)
    return draw(arrays(bool, shape)), draw(arrays(bool, shape))


@st.composite
def partly_right(draw):
    """A reference, a prediction that holds some of its components exactly, and one of those components.

    The rest of the prediction is arbitrary, but leaves a gap of a pixel to the exact ones, diagonals too.
    """
    shape = draw(st.tuples(st.integers(4, 14), st.integers(4, 14)))
    reference = draw(arrays(bool, shape, elements=st.sampled_from([False, False, False, True])))
    components, count = ndimage.label(reference)
    assume(count > 0)
    chosen = draw(st.sets(st.integers(1, count), min_size=1))
    exact = np.isin(components, list(chosen))
    beside = ~ndimage.binary_dilation(exact, np.ones((3, 3)))
    junk = draw(arrays(bool, shape)) & beside
    return reference, exact | junk, components == draw(st.sampled_from(sorted(chosen)))


def assert_no_better(metric, after, before):
    if metric in OVERLAPS:
        assert after <= before + ROUNDING, metric
    else:
        assert after >= before - ROUNDING, metric


@given(st.lists(st.tuples(pairs(), st.booleans()), min_size=1, max_size=5), spacings)
def test_strict_an_erased_prediction_never_improves_anything(cases, spacing):
    before, after = [], []
    for (prediction, reference), erase in cases:
        emptied = np.zeros_like(prediction) if erase and reference.any() else prediction
        before.append(strict(prediction, reference, spacing))
        after.append(strict(emptied, reference, spacing))
        for metric in METRICS:
            assert_no_better(metric, getattr(after[-1], metric), getattr(before[-1], metric))
    summary_before, summary_after = STRICT.summarize(before), STRICT.summarize(after)
    assert summary_after.n_missed >= summary_before.n_missed
    for metric in METRICS:
        fields = ("mean", "median", "low", "high") if len(cases) > 1 else ("mean", "median")
        for field in fields:
            then, now = (getattr(s.metrics[metric], field) for s in (summary_before, summary_after))
            if then is None or now is None:  # no mask has anything in it, and only what has a reference is erased
                assert then is now is None
                continue
            assert_no_better(metric, now, then)


@given(partly_right(), spacings)
def test_strict_a_deleted_right_component_never_improves_anything(case, spacing):
    reference, prediction, component = case
    whole = strict(prediction, reference, spacing)
    part = strict(prediction & ~component, reference, spacing)
    for metric in METRICS:
        assert_no_better(metric, getattr(part, metric), getattr(whole, metric))
    assert part.recall < whole.recall


def test_paper_rewards_a_model_for_missing_what_it_finds_badly():
    """The fault that ``strict`` exists for: erasing the worst prediction improves the paper's mean HD."""
    reference = np.zeros((64, 64), dtype=bool)
    reference[4:14, 4:14] = True
    good, bad = np.roll(reference, 1, axis=0), reference | np.roll(reference, 40, axis=(0, 1))
    before = [PAPER.score(preds=good, target=reference), PAPER.score(preds=bad, target=reference)]
    after = [PAPER.score(preds=good, target=reference), PAPER.score(preds=np.zeros_like(bad), target=reference)]
    assert PAPER.summarize(before).metrics["hd"].mean > 20
    assert PAPER.summarize(after).metrics["hd"].mean == 1.0
    assert PAPER.summarize(after).metrics["hd95"].mean == 1.0
    assert (PAPER.summarize(after).n_missed, PAPER.summarize(after).n_hd_left_out) == (1, 1)


@given(pairs(), spacings)
def test_reference_and_prediction_may_change_places(pair, spacing):
    there, back = strict(*pair, spacing), strict(*pair[::-1], spacing)
    for metric in ("dice", "iou", "f1", "hd", "hd95"):
        assert getattr(there, metric) == getattr(back, metric)
    assert (there.precision, there.recall) == (back.recall, back.precision)
    swapped = {Presence.MISSED: Presence.FALSE_ALARM, Presence.FALSE_ALARM: Presence.MISSED}
    assert back.outcome is swapped.get(there.outcome, there.outcome)


@pytest.mark.parametrize("turn", [np.flipud, np.fliplr, np.transpose, lambda mask: np.rot90(mask, 2)])
@given(pair=pairs(), spacing=spacings)
def test_flips_and_transposes_change_nothing(turn, pair, spacing):
    turned_spacing = spacing[::-1] if turn is np.transpose else spacing
    before = strict(*pair, spacing)
    after = strict(*(turn(mask) for mask in pair), turned_spacing)
    assert after.outcome is before.outcome
    for metric in METRICS:
        assert getattr(after, metric) == pytest.approx(getattr(before, metric), abs=ROUNDING)


@given(pairs(), spacings)
def test_scores_keep_within_their_bounds(pair, spacing):
    scores = strict(*pair, spacing)
    assert all(0 <= getattr(scores, metric) <= 1 for metric in OVERLAPS)
    assert scores.iou <= scores.dice == scores.f1
    assert scores.dice == pytest.approx(2 * scores.iou / (1 + scores.iou), abs=ROUNDING)
    assert 0 <= scores.hd95 <= scores.hd <= image_diagonal(pair[0].shape, spacing)
    if scores.outcome is Presence.BOTH:
        assert scores.hd < image_diagonal(pair[0].shape, spacing)


@given(pairs(), spacings, st.floats(0.1, 10))
def test_distances_grow_with_the_spacing_and_overlaps_do_not_feel_it(pair, spacing, factor):
    once = strict(*pair, spacing)
    scaled = strict(*pair, (factor * spacing[0], factor * spacing[1]))
    assert all(getattr(scaled, metric) == getattr(once, metric) for metric in OVERLAPS)
    for metric in DISTANCES:
        assert getattr(scaled, metric) == pytest.approx(factor * getattr(once, metric), rel=ROUNDING)


@given(pairs(), st.integers(1, 5))
def test_background_around_the_image_changes_nothing_that_was_found(pair, margin):
    assume(pair[0].any() and pair[1].any())
    assert strict(*(np.pad(mask, margin) for mask in pair)) == strict(*pair)


@given(shapes.flatmap(lambda shape: arrays(bool, shape)))
def test_a_perfect_prediction_scores_perfectly(mask):
    scores = strict(mask, mask.copy())
    assert [getattr(scores, metric) for metric in METRICS] == [1.0] * 5 + [0.0] * 2
