"""Overlap against scikit-learn, surface distances against loops and SciPy, lesion counts against a flood fill."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from scipy.spatial.distance import directed_hausdorff
from sklearn import metrics as sklearn_metrics

from tmunet.errors import InputError
from tmunet.metrics import (
    MIN_OBJECT_PIXELS,
    PROTOCOLS,
    Counts,
    ObjectCounts,
    PaperProtocol,
    StrictProtocol,
    check_spacing,
    confusion,
    count_objects,
    dice,
    f1,
    hausdorff_distance,
    image_diagonal,
    iou,
    precision,
    presence,
    recall,
    surface_distances,
)
from tmunet.metrics.functional import surface

MASK = np.ones((4, 5), dtype=bool)


def scored_by(protocol):
    return lambda preds, target: protocol.score(preds=preds, target=target)


FUNCTIONS = [
    *(confusion, dice, iou, f1, precision, recall, presence, surface_distances, hausdorff_distance, count_objects),
    *map(scored_by, PROTOCOLS.values()),
]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("preds", "target", "argument"),
    [
        (MASK, MASK.T, "preds` and `target"),  # shapes differ
        (MASK[None], MASK, "preds"),
        (MASK[:0], MASK[:0], "preds"),  # no pixel
        (MASK, MASK.astype(np.uint8), "target"),
        (MASK.astype(float), MASK, "preds"),
        (MASK, MASK.tolist(), "target"),
    ],
)
def test_wrong_masks_are_refused_by_every_function(function, preds, target, argument):
    with pytest.raises(InputError, match=f"`{argument}`"):
        function(preds, target)


@pytest.mark.parametrize("spacing", [(0.0, 1.0), (1.0, -1.0), (math.nan, 1.0), (1.0, math.inf), (1.0,), (1, 1, 1)])
def test_wrong_spacing_is_refused_everywhere(spacing):
    calls = [
        lambda: check_spacing(spacing),
        lambda: image_diagonal((4, 5), spacing),
        lambda: surface_distances(MASK, MASK, spacing),
        lambda: hausdorff_distance(MASK, MASK, spacing),
        *(
            lambda protocol=protocol, preds=preds: protocol.score(preds=preds, target=MASK, spacing=spacing)
            for protocol in PROTOCOLS.values()
            for preds in (MASK, ~MASK)
        ),
    ]
    for call in calls:
        with pytest.raises(InputError, match="`spacing`"):
            call()


def test_counts_equal_scikit_learn(pairs):
    for preds, target in pairs:
        matrix = sklearn_metrics.confusion_matrix(target.ravel(), preds.ravel(), labels=[False, True])
        tn, fp, fn, tp = matrix.ravel().tolist()
        assert confusion(preds, target) == Counts(tp=tp, fp=fp, fn=fn, tn=tn)


@pytest.mark.parametrize(
    ("ours", "oracle"),
    [
        (f1, sklearn_metrics.f1_score),
        (iou, sklearn_metrics.jaccard_score),
        (precision, sklearn_metrics.precision_score),
        (recall, sklearn_metrics.recall_score),
    ],
)
def test_ratios_equal_scikit_learn(found_pairs, ours, oracle):
    for preds, target in found_pairs[::5]:
        assert ours(preds, target) == pytest.approx(oracle(target.ravel(), preds.ravel()), abs=1e-12)


def test_dice_equals_f1(found_pairs):
    for pair in found_pairs:
        assert dice(*pair) == f1(*pair)


def test_ratios_worked_out_by_hand():
    counts = Counts(tp=6, fp=2, fn=4, tn=8)
    assert counts.dice() == 12 / 18
    assert counts.iou() == 6 / 12
    assert counts.precision() == 6 / 8
    assert counts.recall() == 6 / 10


def test_smoothing_is_added_to_numerator_and_denominator():
    counts = Counts(tp=6, fp=2, fn=4, tn=8)
    assert counts.dice(smooth=1.0) == 13 / 19
    assert counts.iou(smooth=1.0) == 7 / 13
    assert dice(~MASK, ~MASK, smooth=1.0) == iou(~MASK, ~MASK, smooth=1.0) == 1.0


@pytest.mark.parametrize(
    ("preds", "target", "without_value"),
    [
        (~MASK, ~MASK, {dice, iou, precision, recall, f1}),
        (~MASK, MASK, {precision}),
        (MASK, ~MASK, {recall}),
    ],
)
def test_a_ratio_over_zero_is_nan_and_every_other_is_zero(preds, target, without_value):
    for ratio in (dice, iou, precision, recall, f1):
        value = ratio(preds, target)
        assert math.isnan(value) if ratio in without_value else value == 0.0


def test_counts_of_large_masks_do_not_overflow():
    full = np.ones((4096, 4096), dtype=bool)
    assert confusion(full, full) == Counts(tp=4096 * 4096, fp=0, fn=0, tn=0)


SPACINGS = [(1.0, 1.0), (0.7, 0.3), (2.5, 1.0)]


def surface_by_loop(mask):
    """Object pixels with a 4-neighbor that is not object, one pixel at a time."""
    objects = {(int(row), int(column)) for row, column in np.argwhere(mask)}
    steps = ((1, 0), (-1, 0), (0, 1), (0, -1))
    return [p for p in sorted(objects) if any((p[0] + r, p[1] + c) not in objects for r, c in steps)]


def directed_by_loop(sources, targets, spacing):
    """Distance from each source to its nearest target, pair by pair."""
    return [min(math.hypot((a - c) * spacing[0], (b - d) * spacing[1]) for c, d in targets) for a, b in sources]


def percentile_by_loop(values, percent):
    """Percentile with linear interpolation between the two nearest ranks."""
    ordered = sorted(values)
    rank = percent / 100 * (len(ordered) - 1)
    below = math.floor(rank)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (rank - below) * (ordered[above] - ordered[below])


def test_surface_equals_loop(pairs):
    for mask, _ in pairs:
        assert [tuple(point) for point in np.argwhere(surface(mask)).tolist()] == surface_by_loop(mask)


def test_surface_of_a_large_mask_equals_erosion(blobs):
    for mask in blobs:
        eroded = ndimage.binary_erosion(mask, ndimage.generate_binary_structure(2, 1), border_value=0)
        np.testing.assert_array_equal(surface(mask), mask & ~eroded)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_distances_equal_loops(found_pairs, spacing):
    assert len(found_pairs) > 150
    for reference, prediction in found_pairs:
        distances = surface_distances(prediction, reference, spacing)
        outlines = surface_by_loop(reference), surface_by_loop(prediction)
        there = directed_by_loop(*outlines, spacing)
        back = directed_by_loop(*reversed(outlines), spacing)
        np.testing.assert_allclose(distances.target_to_preds, there, rtol=0, atol=1e-9)
        np.testing.assert_allclose(distances.preds_to_target, back, rtol=0, atol=1e-9)
        assert hausdorff_distance(prediction, reference, spacing) == pytest.approx(max(there + back), abs=1e-9)
        hd95 = max(percentile_by_loop(there, 95), percentile_by_loop(back, 95))
        assert hausdorff_distance(prediction, reference, spacing, percentile=95) == pytest.approx(hd95, abs=1e-9)


@pytest.fixture
def blobs():
    """Six ragged masks of 90 x 70 pixels, some of them cut by the border."""
    generator = np.random.default_rng(7)
    noise = ndimage.gaussian_filter(generator.standard_normal((6, 90, 70)), sigma=(0, 5, 5))
    return [field > np.quantile(field, 0.8) for field in noise]


@pytest.mark.parametrize("spacing", SPACINGS)
def test_hausdorff_of_large_masks_equals_scipy(blobs, spacing):
    for reference, prediction in pairwise(blobs):
        u, v = (np.argwhere(surface(mask)) * np.array(spacing) for mask in (reference, prediction))
        expected = max(directed_hausdorff(u, v)[0], directed_hausdorff(v, u)[0])
        assert hausdorff_distance(prediction, reference, spacing) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_distances_equal_the_distance_transform(blobs, spacing):
    for reference, prediction in pairwise(blobs):
        field = ndimage.distance_transform_edt(~surface(prediction), sampling=spacing)
        distances = surface_distances(prediction, reference, spacing).target_to_preds
        np.testing.assert_allclose(distances, field[surface(reference)], rtol=0, atol=1e-9)


def test_hd95_takes_the_worse_direction_and_does_not_pool_the_two():
    reference = np.ones((1, 100), dtype=bool)
    prediction = np.zeros((1, 100), dtype=bool)
    prediction[0, :80] = True
    distances = surface_distances(prediction, reference)
    assert distances.hausdorff() == 20.0
    # 80 zeros, then 1 to 20: rank 0.95 * 99 = 94.05 is 15.05. Pooled with 80 zeros of the way back: 11.05.
    assert distances.hausdorff(95) == pytest.approx(15.05, abs=1e-12)
    pooled = np.concatenate([distances.target_to_preds, distances.preds_to_target])
    assert np.percentile(pooled, 95) == pytest.approx(11.05, abs=1e-12)


@pytest.mark.parametrize("name", ["preds", "target"])
def test_an_empty_mask_has_no_distance(name):
    masks = {"preds": MASK, "target": MASK, name: ~MASK}
    for function in (surface_distances, hausdorff_distance):
        with pytest.raises(InputError, match=f"`{name}`"):
            function(**masks)


def test_without_a_spacing_distances_are_in_pixels_along_rows_and_columns():
    for axis in (0, 1):
        reference, prediction = (np.zeros((5, 5), dtype=bool) for _ in range(2))
        reference[0, 0] = True
        prediction[(3, 0) if axis == 0 else (0, 3)] = True
        assert hausdorff_distance(prediction, reference) == 3.0
    assert image_diagonal((3, 4)) == 5.0


shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))
sparse = st.sampled_from([False, False, True])


@st.composite
def small_objects(draw):
    """A prediction and a target of one shape, of many small objects."""
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


def counts_by_hand(prediction, reference, min_pixels=MIN_OBJECT_PIXELS):
    theirs, ours = flooded(reference), flooded(prediction)
    large, larges = ([found for found in every if len(found) >= min_pixels] for every in (theirs, ours))
    missed = [len(found) for found in large if not any(prediction[pixel] for pixel in found)]
    false = sum(not any(reference[pixel] for pixel in found) for found in larges)
    crumbs = len(theirs) - len(large), len(ours) - len(larges)
    return ObjectCounts(len(large), len(missed), false, *crumbs, tuple(sorted(missed)))


def test_the_counts_are_those_of_a_flood_fill(pairs):
    for pair in pairs:
        assert count_objects(*pair) == counts_by_hand(*pair)
        assert count_objects(*pair, min_pixels=1) == counts_by_hand(*pair, min_pixels=1)


@given(small_objects(), st.integers(1, 8))
def test_the_counts_are_those_of_a_flood_fill_for_many_small_objects(pair, smallest):
    assert count_objects(*pair) == counts_by_hand(*pair)
    assert count_objects(*pair, smallest) == counts_by_hand(*pair, smallest)


@given(small_objects(), st.data())
def test_an_object_taken_from_the_prediction_never_lowers_what_is_missed(pair, data):
    prediction, reference = pair
    assume(prediction.any())
    fewer = prediction.copy()
    fewer[tuple(zip(*data.draw(st.sampled_from(flooded(prediction))), strict=True))] = False
    before, after = count_objects(prediction, reference), count_objects(fewer, reference)
    assert after.missed >= before.missed
    assert after.reference == before.reference
    assert after.false in (before.false, before.false - 1)


@given(small_objects())
def test_the_masks_may_change_places(pair):
    there, back = count_objects(*pair), count_objects(*pair[::-1])
    assert (there.missed, there.false) == (back.false, back.missed)
    assert 0 <= there.missed <= there.reference
    alone = count_objects(pair[1], pair[1])
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
def test_objects_by_hand(reference, prediction, expected):
    masks = [np.array([list(row) for row in rows]) == "#" for rows in (reference, prediction)]
    found = count_objects(masks[1], masks[0], min_pixels=1)
    assert (found.reference, found.missed, found.false) == expected
    larger = [
        np.kron(mask, np.ones((3, 3), dtype=bool)) for mask in masks
    ]  # each pixel is large enough to be an object
    scores = StrictProtocol().score(preds=larger[1], target=larger[0]).to_dict()
    assert tuple(scores[name] for name in ("objects", "objects_missed", "objects_false")) == expected


def test_crumbs_are_neither_missed_nor_false_and_are_counted_apart():
    reference, prediction = np.zeros((2, 40, 40), dtype=bool)
    reference[2:10, 2:10] = reference[20:30, 20:22] = reference[35, 30:35] = True  # 64, 20 and 5 pixels
    reference[35, 2:6] = reference[0, 39] = True  # 4 pixels and 1
    prediction[2:10, 2:10] = prediction[15, 30:36] = prediction[30, 2] = True  # found, 6 false pixels, a crumb
    expected = ObjectCounts(3, 2, 1, too_small=2, too_small_predicted=1, missed_areas=(5, 20))
    assert MIN_OBJECT_PIXELS == 5
    assert count_objects(prediction, reference) == expected
    plain = StrictProtocol().score(preds=prediction, target=reference).to_dict()
    assert plain["objects_missed_largest_px"] == 20
    assert (plain["objects_too_small"], plain["objects_too_small_predicted"]) == (2, 1)


@pytest.mark.parametrize("factor", [2, 5])
def test_an_object_is_as_large_as_in_the_image_whatever_size_the_masks_were_given(factor):
    reference, prediction = np.zeros((2, 30, 30), dtype=bool)
    reference[2:10, 2:10] = reference[20, 20:24] = reference[25, 2:7] = True  # 64, 4 and 5 pixels
    larger = [np.kron(mask, np.ones((factor, factor), dtype=bool)) for mask in (reference, prediction)]
    expected = ObjectCounts(2, 2, 0, too_small=1, missed_areas=(5, 64))
    assert PaperProtocol().score(preds=larger[1], target=larger[0], magnification=factor**2).objects == expected
    assert count_objects(prediction, reference) == expected


def test_a_summary_has_the_sizes_of_what_is_missed():
    reference = np.zeros((30, 30), dtype=bool)
    reference[2:10, 2:10] = reference[20, 20:28] = reference[0, 29] = True
    other = np.zeros_like(reference)
    other[5:10, 5:8] = True
    nothing = np.zeros_like(reference)
    protocol = StrictProtocol()
    summary = protocol.summarize(
        [protocol.score(preds=nothing, target=reference), protocol.score(preds=nothing, target=other)]
    )
    assert (summary.objects, summary.objects_missed, summary.objects_too_small) == (3, 3, 1)
    assert (summary.objects_missed_median_px, summary.objects_missed_largest_px) == (15, 64)
    found = protocol.summarize([protocol.score(preds=reference, target=reference)])
    assert (found.objects_missed_median_px, found.objects_missed_largest_px) == (None, None)
