"""Intervals over groups, against a plain loop, and what must hold for any groups."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmunet.errors import InputError
from tmunet.metrics import PROTOCOLS, describe
from tmunet.metrics.bootstrap import RESAMPLES
from tmunet.metrics.groups import count_groups, group_sums, number_groups

names = st.lists(st.sampled_from([None, "a", "b", "c"]), min_size=1, max_size=12)
floats = st.floats(0, 100, width=32)


@st.composite
def grouped(draw):
    """Values of images and their groups, at least two groups."""
    groups = [*draw(names), None, "a"]
    return [draw(floats) for _ in groups], groups


def bounds(values, groups, seed=0):
    described = describe({"x": values}, seed, groups)["x"]
    return described.low, described.high


def by_hand(values, groups, seed):
    """The cluster bootstrap as it is told: draw groups, put their images together, take the mean."""
    members = {}
    for place, (value, group) in enumerate(zip(values, groups, strict=True)):
        members.setdefault(("alone", place) if group is None else group, []).append(value)
    clusters = list(members.values())
    drawn = np.random.default_rng(seed).integers(len(clusters), size=(RESAMPLES, len(clusters)))
    means = [np.mean(np.concatenate([clusters[k] for k in row])) for row in drawn]
    return np.percentile(means, 2.5), np.percentile(means, 97.5)


@pytest.mark.parametrize("seed", [0, 7])
def test_the_interval_is_that_of_the_plain_loop(seed):
    generator = np.random.default_rng(4)
    groups = [None if k == 0 else f"video {k}" for k in generator.integers(9, size=50)]
    values = [generator.normal(int(group[-1]) if group else 2) for group in groups]
    assert bounds(values, groups, seed) == pytest.approx(by_hand(values, groups, seed), abs=1e-12)


@given(st.lists(floats, min_size=2, max_size=12), st.integers(0, 5))
@settings(deadline=None, max_examples=25)
def test_one_image_a_group_is_the_bootstrap_of_images(values, seed):
    of_images = bounds(values, None, seed)
    assert bounds(values, [None] * len(values), seed) == of_images  # bit for bit: nothing is known
    assert bounds(values, [str(k) for k in range(len(values))], seed) == pytest.approx(of_images, abs=1e-9)


@given(grouped())
@settings(deadline=None, max_examples=25)
def test_copies_of_every_image_in_its_group_change_nothing(case):
    values, groups = case
    groups = [f"alone {place}" if group is None else group for place, group in enumerate(groups)]
    assert bounds(values * 2, groups * 2) == pytest.approx(bounds(values, groups), abs=1e-9)


@given(grouped())
@settings(deadline=None, max_examples=25)
def test_groups_are_known_by_who_is_in_them_and_not_by_name(case):
    values, groups = case
    renamed = [None if group is None else f"patient {group * 2}" for group in groups]
    assert bounds(values, renamed) == bounds(values, groups)


def test_alike_images_of_a_group_widen_the_interval_and_move_nothing_else():
    generator = np.random.default_rng(1)
    groups = [f"video {k // 6}" for k in range(60)]
    values = (np.repeat(generator.normal(0, 1, 10), 6) + generator.normal(0, 0.1, 60)).tolist()
    alone, together = describe({"x": values})["x"], describe({"x": values}, groups=groups)["x"]
    assert (alone.mean, alone.sd, alone.median) == (together.mean, together.sd, together.median)
    assert together.high - together.low > 1.8 * (alone.high - alone.low)


def test_one_group_has_no_interval():
    described = describe({"x": [1.0, 2.0, 4.0]}, groups=["a", "a", "a"])["x"]
    assert (described.low, described.high, described.sd is None) == (None, None, False)
    assert bounds([1.0, 2.0], ["a", None]) != (None, None)


@given(names)
def test_groups_are_numbered_without_gaps_and_counted(groups):
    numbers = number_groups(groups).tolist()
    assert sorted(set(numbers)) == list(range(max(numbers) + 1))
    same = [(a is not None and a == b) or i == j for i, a in enumerate(groups) for j, b in enumerate(groups)]
    assert same == [a == b for a in numbers for b in numbers]
    known = any(group is not None for group in groups)
    assert count_groups(groups) == (len(set(numbers)) if known else None)
    assert group_sums(np.ones((len(groups), 1)), groups).sum() == len(groups)


def test_groups_of_other_images_are_refused():
    with pytest.raises(InputError, match=r"`groups` to have one entry an image, but got 1 beside columns .*'x': 2"):
        describe({"x": [1.0, 2.0]}, groups=["a"])
    scores = [PROTOCOLS["paper"].score(np.eye(4, dtype=bool), np.eye(4, dtype=bool))] * 2
    with pytest.raises(InputError, match="`groups` to have one entry an image"):
        PROTOCOLS["paper"].summarize(scores, groups=["a"])


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_summary_draws_the_groups_of_the_images_that_it_measures(pairs, name):
    """Under `paper` HD leaves images out, and with them their groups."""
    protocol = PROTOCOLS[name]
    scores, groups = [protocol.score(*pair) for pair in pairs], [f"g{k // 20}" for k in range(len(pairs))]
    summary = protocol.summarize(scores, seed=2, groups=groups)
    assert summary.n_groups == 15
    assert protocol.summarize(scores).n_groups is None
    for metric in ("dice", "hd"):
        kept = [k for k, case in enumerate(scores) if np.isfinite(getattr(case, metric))]
        expected = by_hand([getattr(scores[k], metric) for k in kept], [groups[k] for k in kept], 2)
        assert (summary.metrics[metric].low, summary.metrics[metric].high) == pytest.approx(expected, abs=1e-9)
