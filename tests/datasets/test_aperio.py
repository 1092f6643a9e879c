"""ImageScope annotations: polygons, holes, rectangles and ellipses, what has no area, and XML that is not to be trusted."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tmunet.datasets._build.aperio import Region, fill_polygon, rasterize_regions, read_annotation_mask, read_regions
from tmunet.datasets._build.faults import ConversionError
from tmunet.errors import InputError

from .miniatures import SQUARE, aperio

H, W = 14, 17


def winding(x: float, y: float, corners: np.ndarray) -> int:
    """How often an polygon goes round a point, by the angles under which the point sees its edges."""
    seen = np.arctan2(corners[:, 1] - y, corners[:, 0] - x)
    turns = [math.remainder(b - a, math.tau) for a, b in pairwise([*seen, seen[0]])]
    return round(sum(turns) / math.tau)


# With these odd fractions no pixel center comes to lie on an edge, where the two ways to compute may differ.
corner = st.tuples(
    st.integers(-60, (W + 6) * 10).map(lambda n: n / 10 + 0.03711137),
    st.integers(-60, (H + 6) * 10).map(lambda n: n / 10 + 0.01739713),
)


@given(st.lists(corner, min_size=3, max_size=9))
def test_filling_agrees_with_the_winding_number_of_every_pixel_center(corners):
    polygon = np.array(corners)
    expected = np.array([[winding(j + 0.5, i + 0.5, polygon) != 0 for j in range(W)] for i in range(H)])
    assert np.array_equal(fill_polygon(polygon, (H, W)), expected)


@given(st.integers(3, 12), st.floats(2, 9), st.floats(2, 9), st.floats(0, 6))
def test_a_convex_polygon_is_where_all_its_edges_have_the_center_on_one_side(count, across, down, start):
    angles = start + np.arange(count) * math.tau / count
    polygon = np.column_stack([8.03 + across * np.cos(angles), 7.07 + down * np.sin(angles)])
    x, y = np.meshgrid(np.arange(W) + 0.5, np.arange(H) + 0.5)
    side = [
        (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1) for (x1, y1), (x2, y2) in pairwise([*polygon, polygon[0]])
    ]  # of each edge, (H, W)
    nearest = np.min(side, axis=0)
    sure = np.abs(nearest) > 1e-6
    assert np.array_equal(fill_polygon(polygon, (H, W))[sure], (nearest > 0)[sure])


@given(arrays(np.float64, (7, 2), elements=st.integers(-3, 20).map(float)))
def test_the_direction_and_the_first_corner_of_an_polygon_do_not_matter(polygon):
    filled = fill_polygon(polygon, (H, W))
    assert np.array_equal(fill_polygon(polygon[::-1], (H, W)), filled)
    assert np.array_equal(fill_polygon(np.roll(polygon, 3, axis=0), (H, W)), filled)


@given(st.lists(corner, min_size=3, max_size=7), st.integers(0, 5), st.integers(0, 5))
def test_cutting_off_is_the_same_as_filling_a_larger_picture(corners, down, right):
    polygon = np.array(corners)
    large = fill_polygon(polygon + np.array([right + 10, down + 10]), (H + 40, W + 40))
    assert np.array_equal(fill_polygon(polygon, (H, W)), large[down + 10 : down + 10 + H, right + 10 : right + 10 + W])


@given(st.integers(0, 9), st.integers(0, 9), st.integers(1, 5), st.integers(1, 5))
def test_a_rectangle_of_whole_pixels_has_exactly_its_area(x, y, width, height):
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    filled = fill_polygon(np.array(corners, float), (H, W))
    assert filled.sum() == filled[y : y + height, x : x + width].sum() == width * height


def test_neighbors_with_a_common_edge_share_no_pixel_and_leave_no_gap():
    left = np.array([[1.0, 1.0], [8.5, 1.5], [4.5, 10.5], [1.0, 11.0]])
    right = np.array([[8.5, 1.5], [15.0, 2.0], [14.0, 11.0], [4.5, 10.5]])
    both = np.array([[1.0, 1.0], [8.5, 1.5], [15.0, 2.0], [14.0, 11.0], [4.5, 10.5], [1.0, 11.0]])
    first, second = fill_polygon(left, (H, W)), fill_polygon(right, (H, W))
    assert not (first & second).any()
    assert np.array_equal(first | second, fill_polygon(both, (H, W)))


def test_an_polygon_that_goes_round_twice_has_no_hole():
    star = np.array([[8, 0], [12, 13], [1, 5], [15, 5], [4, 13]], float)  # its middle has the winding number 2
    assert fill_polygon(star, (H, W))[6, 8]


@pytest.mark.parametrize("corners", [np.empty((0, 2)), np.ones((1, 2)), np.array([[1.0, 1.0], [9.0, 9.0]])])
def test_fewer_than_three_corners_enclose_nothing(corners):
    assert not fill_polygon(corners, (H, W)).any()


def read(tmp_path, regions, size=(20, 20)):
    path = tmp_path / "a.xml"
    path.write_text(regions if isinstance(regions, str) else aperio(regions), "utf-8")
    return read_annotation_mask(path, size)


def refused_kind(tmp_path, *arguments):
    with pytest.raises(ConversionError) as caught:
        read(tmp_path, *arguments)
    assert caught.value.fault.path.startswith(str(tmp_path / "a.xml"))
    return caught.value.fault.kind


def test_the_mask_is_the_union_whatever_way_round_the_polygons_are_drawn(tmp_path):
    other = [(5.0, 6.0), (5.0, 12.0), (11.0, 12.0), (11.0, 6.0)]
    expected = np.zeros((20, 20), np.uint8)
    expected[3:9, 2:7] = expected[6:12, 5:11] = 1
    drawn = read(tmp_path, [SQUARE, other, [(1.0, 1.0), (15.0, 15.0)], []])
    assert drawn.dtype == np.uint8
    assert np.array_equal(drawn, expected)


@given(regions=st.lists(st.lists(corner, min_size=3, max_size=6), min_size=1, max_size=4))
def test_the_bounding_boxes_change_nothing(tmp_path_factory, regions):
    path = tmp_path_factory.mktemp("xml") / "a.xml"
    path.write_text(aperio(regions), "utf-8")
    expected = np.logical_or.reduce([fill_polygon(np.array(region), (H, W)) for region in regions])
    assert np.array_equal(read_annotation_mask(path, (H, W)), expected)


def test_polygons_that_slip_off_the_tile_are_cut(tmp_path):
    drawn = read(
        tmp_path, [[(-3.4, -2.1), (4.2, -2.1), (4.2, 3.6), (-3.4, 3.6)], [(-2.0, 5.0), (0.0, 5.0), (-1.0, 9.0)]]
    )
    expected = np.zeros((20, 20), np.uint8)
    expected[:4, :4] = 1
    assert np.array_equal(drawn, expected)


@pytest.mark.parametrize("move", [(900.0, 0.0), (0.0, 900.0), (-60.0, 0.0), (0.0, -60.0)])
def test_a_region_of_another_image_is_refused(tmp_path, move):
    assert refused_kind(tmp_path, [SQUARE, [(x + move[0], y + move[1]) for x, y in SQUARE]]) == "other-image"


BILLION = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (f"{BILLION}<Annotations>&b;</Annotations>", "unsafe-xml"),
        ('<!DOCTYPE a SYSTEM "file:///etc/hostname"><Annotations/>', "unsafe-xml"),
        ("<Region>" * 30 + "</Region>" * 30, "unsafe-xml"),
        ("<a>" * 200_000, "unsafe-xml"),
        ("<Annotations><Region>", "unreadable"),
        ("", "unreadable"),
        ('<?xml version="1.0" encoding="klingon"?><a/>', "unreadable"),
        ("<Annotations/>", "annotation"),
        ('<Region><Vertex X="1"/></Region>', "annotation"),
        ('<Region><Vertex X="nan" Y="1"/></Region>', "annotation"),
        ('<Region><Vertex X="1" Y="-1e300"/></Region>', "annotation"),
    ],
)
def test_hostile_and_damaged_annotations_are_refused(tmp_path, content, kind):
    assert refused_kind(tmp_path, content) == kind


def test_a_missing_annotation_is_an_error(tmp_path):
    with pytest.raises(ConversionError) as caught:
        read_regions(tmp_path / "none.xml")
    assert (caught.value.fault.kind, caught.value.fault.path) == ("unreadable", str(tmp_path / "none.xml"))


@given(content=st.binary(max_size=200) | st.text(max_size=60).map(lambda text: f"<Region>{text}</Region>".encode()))
def test_no_content_raises_anything_but_an_input_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("xml") / "a.xml"
    path.write_bytes(content)
    try:
        regions = read_regions(path)
    except InputError:
        return
    assert all(region.polygon.shape == (0, 2) for region in regions)


def test_fractions_are_kept(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(aperio([[(1.25, 2.5), (3.75, 4.125), (0.1, 0.2)]]), "utf-8")
    (region,) = read_regions(path)
    assert region.polygon.tolist() == [[1.25, 2.5], [3.75, 4.125], [0.1, 0.2]]


SIZE = (20, 24)


def box(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def marked(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    for left, top, right, bottom in boxes:
        mask[top:bottom, left:right] = 1
    return mask


def region(corners: list[tuple[float, float]], **attributes: str) -> str:
    given = "".join(f' {name}="{value}"' for name, value in attributes.items())
    vertices = "".join(f'<Vertex X="{x}" Y="{y}" Z="0"/>' for x, y in corners)
    return f'<Region Id="7"{given}><Attributes/><Vertices>{vertices}</Vertices></Region>'


def layer(*regions: str, name: str = "", description: str = "") -> str:
    about = f'<Attributes><Attribute Name="Description" Id="0" Value="{description}"/></Attributes>'
    return f'<Annotation Id="1" Name="{name}">{about}<Regions>{"".join(regions)}</Regions></Annotation>'


def drawn(folder: Path, *layers: str) -> np.ndarray:
    (folder / "a.xml").write_text(f"<Annotations>{''.join(layers)}</Annotations>", "utf-8")
    return read_annotation_mask(folder / "a.xml", SIZE)


OUTER, HOLE, INNER = box(2, 2, 18, 18), box(5, 5, 15, 15), box(8, 8, 11, 11)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)])
def test_a_negative_region_is_a_hole_and_a_nucleus_inside_of_it_stays(tmp_path: Path, order: tuple[int, ...]) -> None:
    regions = [region(OUTER, NegativeROA="0"), region(HOLE, NegativeROA="1", Type="0"), region(INNER, Type="0")]
    expected = marked((2, 2, 18, 18))
    expected[5:15, 5:15] = 0
    expected[8:11, 8:11] = 1
    np.testing.assert_array_equal(drawn(tmp_path, layer(*(regions[place] for place in order))), expected)


def test_a_neighbor_that_reaches_into_a_hole_loses_nothing(tmp_path: Path) -> None:
    neighbor = box(12, 6, 22, 10)
    expected = marked((2, 2, 18, 18))
    expected[5:15, 5:15] = 0
    expected |= marked((12, 6, 22, 10))
    found = drawn(tmp_path, layer(region(OUTER), region(neighbor), region(HOLE, NegativeROA="1")))
    np.testing.assert_array_equal(found, expected)


def test_a_hole_is_cut_out_of_all_regions_around_it_in_any_layer(tmp_path: Path) -> None:
    around = layer(region(OUTER), region(box(0, 0, 20, 20)))
    expected = marked((0, 0, 20, 20))
    expected[5:15, 5:15] = 0
    np.testing.assert_array_equal(drawn(tmp_path, around, layer(region(HOLE, NegativeROA="1"))), expected)


def test_a_hole_that_slips_over_the_edge_of_its_region_is_a_hole_where_it_lies_in_it(tmp_path: Path) -> None:
    expected = marked((2, 2, 18, 18))
    expected[5:15, 15:18] = 0
    found = drawn(tmp_path, layer(region(OUTER), region(box(15, 5, 20, 15), NegativeROA="1")))
    np.testing.assert_array_equal(found, expected)


def test_a_hole_in_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="x = 19 to 23, y = 3 to 6") as caught:
        drawn(tmp_path, layer(region(OUTER), region(box(19, 3, 23, 6), NegativeROA="1")))
    assert caught.value.fault.kind == "stray-hole"


boxes = st.tuples(st.integers(-3, 20), st.integers(-3, 16), st.integers(1, 12), st.integers(1, 12))


@given(areas=st.lists(boxes, max_size=4), holes=st.lists(boxes, max_size=3))
def test_holes_agree_with_whole_pictures(
    areas: list[tuple[int, int, int, int]], holes: list[tuple[int, int, int, int]]
) -> None:
    polygons = [[np.array(box(x, y, x + w, y + h), float) for x, y, w, h in kind] for kind in (areas, holes)]
    filled, cut = ([fill_polygon(polygon, SIZE) for polygon in kind] for kind in polygons)
    regions = [Region(one, bool(hole)) for hole, kind in enumerate(polygons) for one in kind]
    takes = [[2 * (hole & area).sum() > hole.sum() for area in filled] for hole in cut]
    if any(hole.any() and not any(given) for hole, given in zip(cut, takes, strict=True)):
        with pytest.raises(InputError):
            rasterize_regions(regions, SIZE)
        return
    expected = np.zeros(SIZE, bool)
    for place, area in enumerate(filled):
        expected |= area & ~np.any([h & t[place] for h, t in zip(cut, takes, strict=True)] or [area & False], axis=0)
    np.testing.assert_array_equal(rasterize_regions(regions, SIZE), expected)


@pytest.mark.parametrize("corners", [box(3, 4, 13, 10), [(3, 4), (13, 10)], [(13, 4), (3, 10)]])
def test_a_rectangle_is_filled(tmp_path: Path, corners: list[tuple[float, float]]) -> None:
    np.testing.assert_array_equal(drawn(tmp_path, layer(region(corners, Type="1"))), marked((3, 4, 13, 10)))


@pytest.mark.parametrize("corners", [box(3, 4, 17, 13), [(3, 4), (17, 13)], [(17, 4), (3, 13)]])
def test_an_ellipse_fills_the_box_of_its_corners(tmp_path: Path, corners: list[tuple[float, float]]) -> None:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    inside = ((x - 10) / 7) ** 2 + ((y - 8.5) / 4.5) ** 2
    assert np.abs(inside - 1).min() > 1e-4  # no center lies on the border
    np.testing.assert_array_equal(drawn(tmp_path, layer(region(corners, Type="2"))), inside < 1)


@pytest.mark.parametrize(
    "wrong",
    [
        region([(1, 1), (9, 9)], Type="3"),
        region([(1, 1), (9, 9)], Type="4"),
        region(OUTER, Type="5"),
        region(OUTER, Type="Polygon"),
        region([(1, 1), (9, 3), (9, 9)], Type="2"),
        region(OUTER, NegativeROA="2"),
    ],
)
def test_what_is_no_area_or_of_unknown_kind_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ConversionError) as caught:
        drawn(tmp_path, layer(region(OUTER), wrong))
    assert (caught.value.fault.kind, caught.value.fault.path) == ("region-type", f"{tmp_path / 'a.xml'}: the region 7")


@pytest.mark.parametrize("named", [{"name": "Exclusion"}, {"description": "regions to ignore"}])
def test_a_layer_of_what_is_to_be_left_out_is_refused_unless_it_is_empty(tmp_path: Path, named: dict[str, str]) -> None:
    np.testing.assert_array_equal(drawn(tmp_path, layer(region(OUTER)), layer(**named)), marked((2, 2, 18, 18)))
    with pytest.raises(ConversionError) as caught:
        drawn(tmp_path, layer(region(OUTER)), layer(region(INNER), **named))
    assert caught.value.fault.kind == "exclusion-layer"


@pytest.mark.parametrize("value", ["0", "1"])
def test_the_switch_for_measurements_changes_nothing(tmp_path: Path, value: str) -> None:
    assert drawn(tmp_path, layer(region(OUTER, Analyze=value))).sum() == 16 * 16
    assert [one.is_hole for one in read_regions(tmp_path / "a.xml")] == [False]
