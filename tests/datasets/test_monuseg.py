import math
from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tmunet.datasets import monuseg
from tmunet.datasets._build.aperio_xml import read_regions
from tmunet.datasets._build.polygons import fill
from tmunet.errors import DataError, InputError

from .originals import SQUARE, aperio, source_of
from .originals import monuseg as original

H, W = 14, 17
TRAIN = ["TCGA-18-5592-01Z-00-DX1", "TCGA-RD-A8N9-01A-01-TS1"]
TEST = ["TCGA-2Z-A9J9-01A-01-TS1"]


def winding(x: float, y: float, corners: np.ndarray) -> int:
    """How often an outline goes round a point, by the angles under which the point sees its edges."""
    seen = np.arctan2(corners[:, 1] - y, corners[:, 0] - x)
    turns = [math.remainder(b - a, math.tau) for a, b in pairwise([*seen, seen[0]])]
    return round(sum(turns) / math.tau)


# With these odd fractions no pixel center comes to lie on an edge, where the two ways to compute may differ.
corner = st.tuples(
    st.integers(-60, (W + 6) * 10).map(lambda n: n / 10 + 0.03711137),
    st.integers(-60, (H + 6) * 10).map(lambda n: n / 10 + 0.01739713),
)


@settings(max_examples=50)
@given(st.lists(corner, min_size=3, max_size=9))
def test_filling_agrees_with_the_winding_number_of_every_pixel_center(corners):
    outline = np.array(corners)
    expected = np.array([[winding(j + 0.5, i + 0.5, outline) != 0 for j in range(W)] for i in range(H)])
    assert np.array_equal(fill(outline, (H, W)), expected)


@given(st.integers(3, 12), st.floats(2, 9), st.floats(2, 9), st.floats(0, 6))
def test_a_convex_outline_is_where_all_its_edges_have_the_center_on_one_side(count, across, down, start):
    angles = start + np.arange(count) * math.tau / count
    outline = np.column_stack([8.03 + across * np.cos(angles), 7.07 + down * np.sin(angles)])
    x, y = np.meshgrid(np.arange(W) + 0.5, np.arange(H) + 0.5)
    side = [
        (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1) for (x1, y1), (x2, y2) in pairwise([*outline, outline[0]])
    ]  # of each edge, (H, W)
    nearest = np.min(side, axis=0)
    sure = np.abs(nearest) > 1e-6
    assert np.array_equal(fill(outline, (H, W))[sure], (nearest > 0)[sure])


@given(arrays(np.float64, (7, 2), elements=st.integers(-3, 20).map(float)))
def test_the_direction_and_the_first_corner_of_an_outline_do_not_matter(outline):
    filled = fill(outline, (H, W))
    assert np.array_equal(fill(outline[::-1], (H, W)), filled)
    assert np.array_equal(fill(np.roll(outline, 3, axis=0), (H, W)), filled)


@settings(max_examples=50)
@given(st.lists(corner, min_size=3, max_size=7), st.integers(0, 5), st.integers(0, 5))
def test_cutting_off_is_the_same_as_filling_a_larger_picture(corners, down, right):
    outline = np.array(corners)
    large = fill(outline + np.array([right + 10, down + 10]), (H + 40, W + 40))
    assert np.array_equal(fill(outline, (H, W)), large[down + 10 : down + 10 + H, right + 10 : right + 10 + W])


@given(st.integers(0, 9), st.integers(0, 9), st.integers(1, 5), st.integers(1, 5))
def test_a_rectangle_of_whole_pixels_has_exactly_its_area(x, y, width, height):
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    filled = fill(np.array(corners, float), (H, W))
    assert filled.sum() == filled[y : y + height, x : x + width].sum() == width * height


def test_neighbors_with_a_common_edge_share_no_pixel_and_leave_no_gap():
    left = np.array([[1.0, 1.0], [8.5, 1.5], [4.5, 10.5], [1.0, 11.0]])
    right = np.array([[8.5, 1.5], [15.0, 2.0], [14.0, 11.0], [4.5, 10.5]])
    both = np.array([[1.0, 1.0], [8.5, 1.5], [15.0, 2.0], [14.0, 11.0], [4.5, 10.5], [1.0, 11.0]])
    first, second = fill(left, (H, W)), fill(right, (H, W))
    assert not (first & second).any()
    assert np.array_equal(first | second, fill(both, (H, W)))


def test_an_outline_that_goes_round_twice_has_no_hole():
    star = np.array([[8, 0], [12, 13], [1, 5], [15, 5], [4, 13]], float)  # its middle has the winding number 2
    assert fill(star, (H, W))[6, 8]


@pytest.mark.parametrize("corners", [np.empty((0, 2)), np.ones((1, 2)), np.array([[1.0, 1.0], [9.0, 9.0]])])
def test_fewer_than_three_corners_enclose_nothing(corners):
    assert not fill(corners, (H, W)).any()


def test_tiles_are_paired_wherever_they_lie_and_know_their_patient_and_side(tmp_path):
    plan = monuseg.plan(source_of(original(tmp_path, TRAIN, TEST)))
    assert [case.name for case in plan.cases] == ["TCGA-2Z-A9J9-01A-01-TS1", *TRAIN]
    assert [case.group for case in plan.cases] == [
        "patient TCGA-2Z-A9J9",
        "patient TCGA-18-5592",
        "patient TCGA-RD-A8N9",
    ]
    assert plan.cases[1].image == PurePosixPath("MoNuSeg 2018 Training Data/Tissue Images") / f"{TRAIN[0]}.tif"
    assert plan.cases[1].masks == (PurePosixPath("MoNuSeg 2018 Training Data/Annotations") / f"{TRAIN[0]}.xml",)
    assert plan.official == {"train": TRAIN, "test": TEST}
    assert plan.remarks[0].startswith("3 of the 44 tiles of the official split are here; missing: TCGA-21-5784")


def test_the_official_split_has_30_and_14_tiles_of_different_patients(tmp_path):
    sides = monuseg._official_sides()
    names = {side: [name for name in sides if sides[name] == side] for side in ("train", "test")}
    assert (len(names["train"]), len(names["test"])) == (30, 14)
    assert not {monuseg._patient(name) for name in names["train"]} & {monuseg._patient(name) for name in names["test"]}
    plan = monuseg.plan(source_of(original(tmp_path, names["train"], names["test"])))
    assert len(plan.cases) == 44
    assert plan.remarks == ()
    assert {side: len(tiles) for side, tiles in plan.official.items()} == {"train": 30, "test": 14}


def test_tiles_of_a_larger_edition_are_imported_but_left_out_of_the_split(tmp_path):
    plan = monuseg.plan(source_of(original(tmp_path, [*TRAIN, "TCGA-XX-0001-01Z-00-DX1"], TEST)))
    assert len(plan.cases) == 4
    assert plan.official == {"train": TRAIN, "test": TEST}
    assert plan.remarks[0] == "Tiles of no side of the official split, left out of it: TCGA-XX-0001-01Z-00-DX1."


def test_training_data_alone_have_no_official_split(tmp_path):
    (tmp_path / "he_to_binary_mask_final.m").touch()
    plan = monuseg.plan(source_of(original(tmp_path, TRAIN, [])))
    assert plan.official == {}
    assert plan.remarks[-1] == "Not used: he_to_binary_mask_final.m."


def test_every_fault_is_in_one_error(tmp_path):
    original(tmp_path, TRAIN, TEST)
    (tmp_path / "MoNuSegTestData" / f"{TEST[0]}.tif").unlink()
    (tmp_path / "MoNuSeg 2018 Training Data" / "Annotations" / f"{TRAIN[0]}.xml").unlink()
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / f"{TRAIN[1]}.tif").touch()
    (tmp_path / "mask.tif").touch()
    with pytest.raises(DataError) as caught:
        monuseg.plan(source_of(tmp_path))
    faults = "\n".join(caught.value.faults)
    for fragment in (
        f"{TEST[0]}.xml: the case '{TEST[0]}' has no image",
        f"{TRAIN[0]}.tif: the case '{TRAIN[0]}' has no mask",
        f"copy/{TRAIN[1]}.tif: is a second file of the case",
        "mask.tif: expected a TCGA barcode for a name",
    ):
        assert fragment in faults


def test_nothing_of_the_set_is_one_fault(tmp_path):
    with pytest.raises(DataError, match="tiles named by their TCGA barcode"):
        monuseg.plan(source_of(tmp_path))


def draw(tmp_path, regions, size=(20, 20)):
    original(tmp_path, TRAIN[:1], [])
    path = tmp_path / "MoNuSeg 2018 Training Data" / "Annotations" / f"{TRAIN[0]}.xml"
    path.write_text(regions if isinstance(regions, str) else aperio(regions), "utf-8")
    (case,) = monuseg.plan(source_of(tmp_path)).cases
    return case.draw(size)


def test_the_mask_is_the_union_whatever_way_round_the_outlines_are_drawn(tmp_path):
    other = [(5.0, 6.0), (5.0, 12.0), (11.0, 12.0), (11.0, 6.0)]
    expected = np.zeros((20, 20), np.uint8)
    expected[3:9, 2:7] = expected[6:12, 5:11] = 1
    drawn = draw(tmp_path, [SQUARE, other, [(1.0, 1.0), (15.0, 15.0)], []])
    assert drawn.dtype == np.uint8
    assert np.array_equal(drawn, expected)


@settings(max_examples=50)
@given(regions=st.lists(st.lists(corner, min_size=3, max_size=6), min_size=1, max_size=4))
def test_the_bounding_boxes_change_nothing(tmp_path_factory, regions):
    path = tmp_path_factory.mktemp("xml") / "a.xml"
    path.write_text(aperio(regions), "utf-8")
    expected = np.logical_or.reduce([fill(np.array(region), (H, W)) for region in regions])
    assert np.array_equal(monuseg._filled(path)((H, W)), expected)


def test_outlines_that_slip_off_the_tile_are_cut(tmp_path):
    drawn = draw(
        tmp_path, [[(-3.4, -2.1), (4.2, -2.1), (4.2, 3.6), (-3.4, 3.6)], [(-2.0, 5.0), (0.0, 5.0), (-1.0, 9.0)]]
    )
    expected = np.zeros((20, 20), np.uint8)
    expected[:4, :4] = 1
    assert np.array_equal(drawn, expected)


@pytest.mark.parametrize("move", [(900.0, 0.0), (0.0, 900.0), (-60.0, 0.0), (0.0, -60.0)])
def test_a_region_of_another_image_is_refused(tmp_path, move):
    with pytest.raises(InputError, match=r"one lies at x = .*; the annotation seems to belong to another image"):
        draw(tmp_path, [SQUARE, [(x + move[0], y + move[1]) for x, y in SQUARE]])


BILLION = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (f"{BILLION}<Annotations>&b;</Annotations>", "has a document type"),
        ('<!DOCTYPE a SYSTEM "file:///etc/hostname"><Annotations/>', "has a document type"),
        ("<Region>" * 30 + "</Region>" * 30, "more than 20 deep"),
        ("<a>" * 200_000, "more than 20 deep"),
        ("<Annotations><Region>", "cannot be read as XML"),
        ("", "cannot be read as XML"),
        ('<?xml version="1.0" encoding="klingon"?><a/>', "cannot be read as XML"),
        ("<Annotations/>", "with `Region` elements, but found none"),
        ('<Region><Vertex X="1"/></Region>', r"to have numbers X and Y, but got \{'X': '1'\}"),
        ('<Region><Vertex X="nan" Y="1"/></Region>', "to have numbers X and Y"),
        ('<Region><Vertex X="1" Y="-1e300"/></Region>', "to have numbers X and Y"),
    ],
)
def test_hostile_and_damaged_annotations_are_refused(tmp_path, content, reason):
    with pytest.raises(InputError, match=reason):
        draw(tmp_path, content)


def test_a_missing_annotation_is_an_error(tmp_path):
    with pytest.raises(InputError, match="cannot be opened: No such file"):
        read_regions(tmp_path / "none.xml")


@given(content=st.binary(max_size=200) | st.text(max_size=60).map(lambda text: f"<Region>{text}</Region>".encode()))
def test_no_content_raises_anything_but_an_input_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("xml") / "a.xml"
    path.write_bytes(content)
    try:
        regions = read_regions(path)
    except InputError:
        return
    assert all(region.outline.shape == (0, 2) for region in regions)


def test_fractions_are_kept(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(aperio([[(1.25, 2.5), (3.75, 4.125), (0.1, 0.2)]]), "utf-8")
    (region,) = read_regions(path)
    assert region.outline.tolist() == [[1.25, 2.5], [3.75, 4.125], [0.1, 0.2]]
