"""Counts of objects, against a flood fill, and what must hold for any masks."""

import time

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tmunet.errors import InputError
from tmunet.metrics import MIN_OBJECT_PIXELS, ObjectCounts, PaperProtocol, StrictProtocol, count_objects

shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))
sparse = st.sampled_from([False, False, True])


@st.composite
def pairs(draw):
    """A reference and a prediction of one shape, of many small objects."""
    shape = draw(shapes)
    return draw(arrays(bool, shape, elements=sparse)), draw(arrays(bool, shape, elements=sparse))


def flooded(mask):
    """The objects as sets of pixels, by walking from each pixel to its eight neighbors."""
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


def by_hand(reference, prediction, smallest=MIN_OBJECT_PIXELS):
    theirs, ours = flooded(reference), flooded(prediction)
    large, larges = ([found for found in every if len(found) >= smallest] for every in (theirs, ours))
    missed = [len(found) for found in large if not any(prediction[pixel] for pixel in found)]
    false = sum(not any(reference[pixel] for pixel in found) for found in larges)
    crumbs = len(theirs) - len(large), len(ours) - len(larges)
    return ObjectCounts(len(large), len(missed), false, *crumbs, tuple(sorted(missed)))


def test_the_counts_are_those_of_a_flood_fill(pairs):
    for pair in pairs:
        assert count_objects(*pair) == by_hand(*pair)
        assert count_objects(*pair, smallest=1) == by_hand(*pair, smallest=1)


@given(pairs(), st.integers(1, 8))
@settings(deadline=None)
def test_the_counts_are_those_of_a_flood_fill_for_many_small_objects(pair, smallest):
    assert count_objects(*pair) == by_hand(*pair)
    assert count_objects(*pair, smallest) == by_hand(*pair, smallest)


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
    alone = count_objects(pair[0], pair[0])
    assert alone == ObjectCounts(there.reference, 0, 0, there.too_small, there.too_small)
    assert (there.too_small, there.too_small_predicted) == (back.too_small_predicted, back.too_small)


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
    found = count_objects(*masks, smallest=1)
    assert (found.reference, found.missed, found.false) == expected
    larger = [
        np.kron(mask, np.ones((3, 3), dtype=bool)) for mask in masks
    ]  # each pixel is large enough to be an object
    scores = StrictProtocol().score(*larger).to_dict()
    assert tuple(scores[name] for name in ("objects", "objects_missed", "objects_false")) == expected


def test_crumbs_are_neither_missed_nor_false_and_are_counted_apart():
    reference, prediction = np.zeros((2, 40, 40), dtype=bool)
    reference[2:10, 2:10] = reference[20:30, 20:22] = reference[35, 30:35] = True  # 64, 20 and 5 pixels
    reference[35, 2:6] = reference[0, 39] = True  # 4 pixels and 1
    prediction[2:10, 2:10] = prediction[15, 30:36] = prediction[30, 2] = True  # found, 6 false pixels, a crumb
    expected = ObjectCounts(3, 2, 1, too_small=2, too_small_predicted=1, missed_areas=(5, 20))
    assert MIN_OBJECT_PIXELS == 5
    assert count_objects(reference, prediction) == expected
    plain = StrictProtocol().score(reference, prediction).to_dict()
    assert plain["objects_missed_largest_px"] == 20
    assert (plain["objects_too_small"], plain["objects_too_small_predicted"]) == (2, 1)


@pytest.mark.parametrize("factor", [2, 5])
def test_an_object_is_as_large_as_in_the_image_whatever_size_the_masks_were_given(factor):
    reference, prediction = np.zeros((2, 30, 30), dtype=bool)
    reference[2:10, 2:10] = reference[20, 20:24] = reference[25, 2:7] = True  # 64, 4 and 5 pixels
    larger = [np.kron(mask, np.ones((factor, factor), dtype=bool)) for mask in (reference, prediction)]
    expected = ObjectCounts(2, 2, 0, too_small=1, missed_areas=(5, 64))
    assert PaperProtocol().score(*larger, magnification=factor**2).objects == expected
    assert count_objects(reference, prediction) == expected


def test_a_summary_has_the_sizes_of_what_is_missed():
    reference = np.zeros((30, 30), dtype=bool)
    reference[2:10, 2:10] = reference[20, 20:28] = reference[0, 29] = True
    other = np.zeros_like(reference)
    other[5:10, 5:8] = True
    nothing = np.zeros_like(reference)
    protocol = StrictProtocol()
    summary = protocol.summarize([protocol.score(reference, nothing), protocol.score(other, nothing)])
    assert (summary.objects, summary.objects_missed, summary.objects_too_small) == (3, 3, 1)
    assert (summary.objects_missed_median_px, summary.objects_missed_largest_px) == (15, 64)
    found = protocol.summarize([protocol.score(reference, reference)])
    assert (found.objects_missed_median_px, found.objects_missed_largest_px) == (None, None)


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
