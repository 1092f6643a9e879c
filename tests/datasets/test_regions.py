"""Regions of ImageScope that are no plain outlines: holes, rectangles, ellipses, and what has no area."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmunet.datasets._build.aperio_xml import read_regions
from tmunet.datasets._build.polygons import fill
from tmunet.datasets._build.regions import Region, draw_regions
from tmunet.datasets.monuseg import _filled
from tmunet.errors import InputError

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
    return _filled(folder / "a.xml")(SIZE)


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
    with pytest.raises(InputError, match=r"a\.xml: .*x = 19 to 23, y = 3 to 6"):
        drawn(tmp_path, layer(region(OUTER), region(box(19, 3, 23, 6), NegativeROA="1")))


boxes = st.tuples(st.integers(-3, 20), st.integers(-3, 16), st.integers(1, 12), st.integers(1, 12))


@settings(deadline=None)
@given(areas=st.lists(boxes, max_size=4), holes=st.lists(boxes, max_size=3))
def test_holes_agree_with_whole_pictures(
    areas: list[tuple[int, int, int, int]], holes: list[tuple[int, int, int, int]]
) -> None:
    outlines = [[np.array(box(x, y, x + w, y + h), float) for x, y, w, h in kind] for kind in (areas, holes)]
    filled, cut = ([fill(outline, SIZE) for outline in kind] for kind in outlines)
    regions = [Region(one, bool(hole)) for hole, kind in enumerate(outlines) for one in kind]
    takes = [[2 * (hole & area).sum() > hole.sum() for area in filled] for hole in cut]
    if any(hole.any() and not any(given) for hole, given in zip(cut, takes, strict=True)):
        with pytest.raises(InputError):
            draw_regions(regions, SIZE)
        return
    expected = np.zeros(SIZE, bool)
    for place, area in enumerate(filled):
        expected |= area & ~np.any([h & t[place] for h, t in zip(cut, takes, strict=True)] or [area & False], axis=0)
    np.testing.assert_array_equal(draw_regions(regions, SIZE), expected)


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
    with pytest.raises(InputError, match=r"a\.xml: the region 7: expected"):
        drawn(tmp_path, layer(region(OUTER), wrong))


@pytest.mark.parametrize("named", [{"name": "Exclusion"}, {"description": "regions to ignore"}])
def test_a_layer_of_what_is_to_be_left_out_is_refused_unless_it_is_empty(tmp_path: Path, named: dict[str, str]) -> None:
    np.testing.assert_array_equal(drawn(tmp_path, layer(region(OUTER)), layer(**named)), marked((2, 2, 18, 18)))
    with pytest.raises(InputError, match=r"a\.xml: expected layers of objects"):
        drawn(tmp_path, layer(region(OUTER)), layer(region(INNER), **named))


@pytest.mark.parametrize("value", ["0", "1"])
def test_the_switch_for_measurements_changes_nothing(tmp_path: Path, value: str) -> None:
    assert drawn(tmp_path, layer(region(OUTER, Analyze=value))).sum() == 16 * 16
    assert [one.is_hole for one in read_regions(tmp_path / "a.xml")] == [False]
