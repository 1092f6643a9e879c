"""Outlines of label maps: against the pixels, against another rasterization, and against JTS."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from skimage.measure import label as label_by_skimage
from skimage.measure import points_in_poly

from tmunet.formats.outlines import Outline, fill_polygons, number_objects, signed_area, trace_outlines

from .jts import check_by_jts, needs_jts, wkt

masks = arrays.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 2))


def centers_inside(outline: Outline, size: tuple[int, int]) -> np.ndarray:
    """The pixels of an outline by scikit-image: centers inside the outside ring of a polygon and in no hole of it."""
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    found = np.zeros(size, bool)
    for outside, *holes in outline.polygons:
        inside = points_in_poly(points, outside)
        for hole in holes:
            inside &= ~points_in_poly(points, hole)
        found |= inside.reshape(size)
    return found


def outlines_of(mask: np.ndarray) -> list[Outline]:
    return trace_outlines(number_objects(mask, 3)[0])


@given(masks)
def test_outlines_enclose_exactly_the_pixels_of_each_object(mask: np.ndarray) -> None:
    objects, classes = number_objects(mask, 3)
    outlines = trace_outlines(objects)
    assert [outline.label for outline in outlines] == list(range(1, len(classes) + 1))
    for outline in outlines:
        expected = objects == outline.label
        assert outline.area == expected.sum()
        np.testing.assert_array_equal(centers_inside(outline, mask.shape), expected)
        place, filled = fill_polygons(outline.polygons, mask.shape)
        again = np.zeros(mask.shape, bool)
        again[place] = filled
        np.testing.assert_array_equal(again, expected)


@given(masks)
def test_rings_have_a_direction_only_corners_and_no_corner_twice(mask: np.ndarray) -> None:
    for outline in outlines_of(mask):
        for outside, *holes in outline.polygons:
            assert signed_area(outside) > 0
            assert all(signed_area(hole) < 0 for hole in holes)
            for ring in (outside, *holes):
                assert len(np.unique(ring, axis=0)) == len(ring)
                steps = np.roll(ring, -1, axis=0) - ring
                assert ((steps != 0).sum(axis=1) == 1).all()
                assert ((steps != 0) != (np.roll(steps, -1, axis=0) != 0)).all()  # it turns at every corner


@given(masks)
def test_objects_are_the_eight_connected_components_of_each_class(mask: np.ndarray) -> None:
    objects, classes = number_objects(mask, 3)
    reference = label_by_skimage(mask, connectivity=2)
    assert len(classes) == reference.max()
    pairs = set(zip(objects.ravel().tolist(), reference.ravel().tolist(), strict=True))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
    assert all((mask[objects == number] == label).all() for number, label in enumerate(classes, start=1))


@needs_jts
def test_jts_finds_every_polygon_valid_and_of_the_area_of_the_mask(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    every = np.array(list(itertools.product((0, 1), repeat=12)), np.uint8).reshape(64, 64, 3, 4)  # 3 x 4 pixels
    sheet = np.pad(every, ((0, 0), (0, 0), (1, 1), (1, 1))).transpose(0, 2, 1, 3).reshape(64 * 5, 64 * 6)
    noise = [(random.random((60, 80)) < share).astype(np.uint8) for share in (0.2, 0.4, 0.5, 0.6, 0.8, 0.95)]
    expected, geometries = [], []
    for mask in (sheet, *noise):
        objects, classes = number_objects(mask, 2)
        areas = np.bincount(objects.ravel(), minlength=len(classes) + 1)
        for outline in trace_outlines(objects):
            expected.append(("valid", float(areas[outline.label])))
            geometries.append(wkt(outline.polygons))
    bow_tie = wkt([[[(0, 0), (2, 2), (2, 0), (0, 2)]]])
    *found, refused = check_by_jts(tmp_path, [*geometries, bow_tie])
    assert refused[0] == "invalid"
    assert [(valid, area) for valid, area, _ in found] == expected
    assert [float(reduced) for *_, reduced in found] == [area for _, area in expected]


def test_values_of_a_label_map_are_kept_and_parts_of_one_value_are_one_object() -> None:
    objects = np.array([[7, 7, 0, 3], [0, 0, 7, 3], [5, 0, 0, 5]])
    outlines = trace_outlines(objects)
    assert [(one.label, one.area, len(one.polygons)) for one in outlines] == [(3, 2, 1), (5, 2, 2), (7, 3, 2)]


def test_a_ring_and_its_hole() -> None:
    objects = np.ones((3, 3), np.int32)
    objects[1, 1] = 0
    ((outside, hole),) = trace_outlines(objects)[0].polygons
    assert outside.tolist() == [[0, 0], [3, 0], [3, 3], [0, 3]]
    assert hole.tolist() == [[2, 1], [1, 1], [1, 2], [2, 2]]


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint16])
def test_an_empty_map_has_no_outline(dtype: type) -> None:
    assert trace_outlines(np.zeros((4, 5), dtype)) == []


def test_polygons_beyond_the_image_are_cut_off() -> None:
    square = np.array([(-5, -5), (2, -5), (2, 50), (-5, 50)])
    place, filled = fill_polygons([[square]], (4, 6))
    assert place == (slice(0, 4), slice(0, 2))
    assert filled.all()
    away = square + 100
    assert fill_polygons([[away]], (4, 6))[1].size == 0
