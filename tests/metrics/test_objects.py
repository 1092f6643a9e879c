"""Counts of objects, against a flood fill, and what must hold for any masks."""

import time

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tmunet.errors import InputError
from tmunet.metrics import ObjectCounts, StrictProtocol, count_objects

shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))
sparse = st.sampled_from([False, False, True])


@st.composite
def pairs(draw):
    """A reference and a prediction of one shape, of many small objects."""
    shape = draw(shapes)
    return draw(arrays(bool, shape, elements=sparse)), draw(arrays(bool, shape, elements=sparse))


def flooded(mask):
    """The objects as sets of pixels, by walking from each pixel to its eight neighbours."""
    left, objects = {(int(row), int(column)) for row, column in np.argwhere(mask)}, []
    while left:
        seeds, found = [left.pop()], set()
        while seeds:
            row, column = seeds.pop()
            found.add((row, column))
            near = {(row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)} & left
            left -= near
            seeds += near
        objects.append(found)
    return objects


def by_hand(reference, prediction):
    theirs, ours = flooded(reference), flooded(prediction)
    missed = sum(not any(prediction[pixel] for pixel in found) for found in theirs)
    return ObjectCounts(len(theirs), missed, sum(not any(reference[pixel] for pixel in found) for found in ours))


def test_the_counts_are_those_of_a_flood_fill(pairs):
    for pair in pairs:
        assert count_objects(*pair) == by_hand(*pair)


@given(pairs())
@settings(deadline=None)
def test_the_counts_are_those_of_a_flood_fill_for_many_small_objects(pair):
    assert count_objects(*pair) == by_hand(*pair)


@given(pairs(), st.data())
@settings(deadline=None)
def test_an_object_taken_from_the_prediction_never_lowers_what_is_missed(pair, data):
    reference, prediction = pair
    assume(prediction.any())
    fewer = prediction.copy()
    fewer[tuple(zip(*data.draw(st.sampled_from(flooded(prediction))), strict=True))] = False
    before, after = count_objects(reference, prediction), count_objects(reference, fewer)
    assert after.missed >= before.missed
    assert after.reference == before.reference
    assert after.false in (before.false, before.false - 1)


@given(pairs())
@settings(deadline=None)
def test_the_masks_may_change_places(pair):
    there, back = count_objects(*pair), count_objects(*pair[::-1])
    assert (there.missed, there.false) == (back.false, back.missed)
    assert 0 <= there.missed <= there.reference
    assert count_objects(pair[0], pair[0]) == ObjectCounts(there.reference, 0, 0)


@pytest.mark.parametrize(
    ("reference", "prediction", "expected"),
    [
        (["...", "..."], ["...", "..."], (0, 0, 0)),
        (["###", "###"], ["###", "###"], (1, 0, 0)),
        (["###", "###"], ["...", "..."], (1, 1, 0)),
        (["...", "..."], ["#.#", "#.#"], (0, 0, 2)),
        (["#..", ".#."], ["...", "..."], (1, 1, 0)),  # a corner joins
        (["#..", "..."], ["...", ".#."], (1, 1, 1)),  # to lie beside is not to be found
        (["#.#", "#.#"], ["..#", "..."], (2, 1, 0)),  # one of two is missed, and no image score says so
    ],
)
def test_by_hand(reference, prediction, expected):
    masks = [np.array([list(row) for row in rows]) == "#" for rows in (reference, prediction)]
    assert count_objects(*masks) == ObjectCounts(*expected)
    scores = StrictProtocol().score(*masks).to_dict()
    assert tuple(scores[name] for name in ("objects", "objects_missed", "objects_false")) == expected


def test_masks_of_two_shapes_are_refused():
    with pytest.raises(InputError, match="the same shape"):
        count_objects(np.zeros((2, 3), dtype=bool), np.zeros((3, 2), dtype=bool))


def test_counting_takes_little_beside_the_other_scores():
    generator = np.random.default_rng(0)
    rows, columns = np.indices((512, 512))
    masks = [np.zeros((512, 512), dtype=bool) for _ in range(2)]
    for mask in masks:
        for row, column in generator.integers(0, 512, size=(60, 2)):
            mask |= (rows - row) ** 2 + (columns - column) ** 2 < 15**2
    seconds = {count_objects: [], StrictProtocol().score: []}
    for _ in range(5):
        for call, found in seconds.items():
            start = time.perf_counter()
            call(*masks)
            found.append(time.perf_counter() - start)
    counting, scoring = (min(found) for found in seconds.values())
    assert counting < 0.5 * scoring
