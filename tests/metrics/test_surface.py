"""Surface distances against loops over all pixels and against SciPy."""

import math
import time
from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.distance import directed_hausdorff

from tmunet.errors import InputError
from tmunet.metrics import image_diagonal, surface_distances
from tmunet.metrics.surface_distance import surface

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
        distances = surface_distances(reference, prediction, spacing)
        outlines = surface_by_loop(reference), surface_by_loop(prediction)
        there = directed_by_loop(*outlines, spacing)
        back = directed_by_loop(*reversed(outlines), spacing)
        np.testing.assert_allclose(distances.to_prediction, there, rtol=0, atol=1e-9)
        np.testing.assert_allclose(distances.to_reference, back, rtol=0, atol=1e-9)
        assert distances.hd == pytest.approx(max(there + back), abs=1e-9)
        hd95 = max(percentile_by_loop(there, 95), percentile_by_loop(back, 95))
        assert distances.hd95 == pytest.approx(hd95, abs=1e-9)


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
        assert surface_distances(reference, prediction, spacing).hd == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_distances_equal_the_distance_transform(blobs, spacing):
    for reference, prediction in pairwise(blobs):
        field = ndimage.distance_transform_edt(~surface(prediction), sampling=spacing)
        distances = surface_distances(reference, prediction, spacing).to_prediction
        np.testing.assert_allclose(distances, field[surface(reference)], rtol=0, atol=1e-9)


def test_hd95_takes_the_worse_direction_and_does_not_pool_the_two():
    reference = np.ones((1, 100), dtype=bool)
    prediction = np.zeros((1, 100), dtype=bool)
    prediction[0, :80] = True
    distances = surface_distances(reference, prediction)
    assert distances.hd == 20.0
    # 80 zeros, then 1 to 20: rank 0.95 * 99 = 94.05 is 15.05. Pooled with 80 zeros of the way back: 11.05.
    assert distances.hd95 == pytest.approx(15.05, abs=1e-12)
    pooled = np.concatenate([distances.to_prediction, distances.to_reference])
    assert np.percentile(pooled, 95) == pytest.approx(11.05, abs=1e-12)


@pytest.mark.parametrize("name", ["reference", "prediction"])
def test_an_empty_mask_has_no_distance(name):
    masks = {"reference": np.ones((3, 3), dtype=bool), "prediction": np.ones((3, 3), dtype=bool)}
    masks[name] = np.zeros((3, 3), dtype=bool)
    with pytest.raises(InputError, match=rf"`{name}` to have at least one object pixel, but got an empty mask"):
        surface_distances(**masks)


def test_a_pair_of_512_by_512_takes_milliseconds():
    rows, columns = np.indices((512, 512))
    reference = (rows - 256) ** 2 + (columns - 256) ** 2 < 180**2
    prediction = (rows - 262) ** 2 + (columns - 250) ** 2 < 175**2
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        surface_distances(reference, prediction)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.05


def test_without_a_spacing_distances_are_in_pixels_along_rows_and_columns():
    for axis in (0, 1):
        reference, prediction = (np.zeros((5, 5), dtype=bool) for _ in range(2))
        reference[0, 0] = True
        prediction[(3, 0) if axis == 0 else (0, 3)] = True
        assert surface_distances(reference, prediction).hd == 3.0
    assert image_diagonal((3, 4)) == 5.0
