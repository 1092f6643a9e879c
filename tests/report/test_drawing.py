import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from tmunet.report.drawing import contour, label_contours, reduce_lines, shrink, thumbnail
from tmunet.report.text_layout import short_fault
from tmunet.visualize import color, to_rgb8

from .report_samples import disc


def noise(height, width, channels=3, dtype=np.uint8):
    return np.random.default_rng(1).integers(0, np.iinfo(dtype).max, (height, width, channels), dtype)


@pytest.mark.parametrize(("channels", "dtype"), [(1, np.uint8), (3, np.uint8), (1, np.uint16), (4, np.uint16)])
def test_an_empty_mask_leaves_the_image_as_people_see_it(channels, dtype):
    image = noise(30, 40, channels, dtype)
    drawn = thumbnail(image, np.zeros((30, 40), np.uint8), 240)
    assert np.array_equal(np.asarray(drawn), to_rgb8(image))


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 300))
def test_a_thumbnail_keeps_the_aspect_and_is_never_enlarged(height, width, longest):
    size = thumbnail(np.zeros((height, width, 1), np.uint8), np.zeros((height, width), np.uint8), longest).size
    factor = min(1, longest / max(height, width))
    assert max(size) == min(max(height, width), longest)
    assert size[0] == pytest.approx(max(1, width * factor), abs=0.5)
    assert size[1] == pytest.approx(max(1, height * factor), abs=0.5)


@pytest.mark.parametrize("tissue", [0, 90, 255])
def test_every_class_has_its_color_on_the_outline_and_a_casing_on_any_tissue(tissue):
    mask = np.zeros((60, 120), np.uint8)
    mask[10:50, 10:50], mask[10:50, 60:100] = 1, 2
    drawn = np.asarray(thumbnail(np.full((60, 120, 1), tissue, np.uint8), mask, 240)).astype(int)
    for label in (1, 2):
        line = contour(mask) & (mask == label)
        assert (drawn[line] == color(label)).all()
    assert (drawn[30, [9, 50, 59, 100, 11]] == tissue // 2).all()  # outside and inside of the lines
    assert (drawn[30, 30] == tissue).all()


def test_a_dark_color_has_a_light_casing():
    dark = next(label for label in range(1, 255) if sum(color(label)) < 80)
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 10:30] = dark
    drawn = np.asarray(thumbnail(np.zeros((40, 40, 1), np.uint8), mask, 240))
    assert (drawn[20, 9] == 128).all()


def test_ignored_pixels_are_veiled_and_have_no_outline():
    mask = np.full((20, 20), 255, np.uint8)
    mask[:, 10:] = 0
    drawn = np.asarray(thumbnail(np.full((20, 20, 1), 30, np.uint8), mask, 240))
    assert (drawn[:, :10] == 95).all()
    assert (drawn[:, 10:] == 30).all()


@given(st.integers(0, 199), st.integers(0, 299), st.integers(1, 200), st.integers(1, 300))
def test_one_marked_pixel_is_seen_at_any_size(row, column, height, width):
    mask = np.zeros((200, 300), np.uint8)
    mask[row, column] = 3
    drawn = label_contours(mask, (width, height))
    assert drawn.shape == (height, width)
    assert np.argwhere(drawn == 3).tolist() == [[int((row + 0.5) * height / 200), int((column + 0.5) * width / 300)]]
    assert np.count_nonzero(drawn) == 1


@given(st.integers(5, 90), st.integers(20, 200))
def test_a_reduced_outline_is_not_torn(radius, longest):
    drawn = label_contours(disc(100, 100, radius, (200, 200)), (longest, longest)) > 0
    assert ndimage.label(drawn, np.ones((3, 3)))[1] == 1


def test_where_outlines_crowd_the_tissue_is_still_seen():
    rows, columns = np.indices((1000, 1000))
    mask = ((rows % 16 < 10) & (columns % 16 < 10)).astype(np.uint8)
    drawn = np.asarray(thumbnail(np.full((1000, 1000, 1), 255, np.uint8), mask, 240)).astype(int)
    assert (drawn >= color(1)).all()  # white mixed with the color, and no casing that darkens both
    assert (drawn == 255).all(axis=2).mean() > 0.02
    assert (drawn[..., 2] < 200).mean() > 0.1


def test_lines_are_reduced_to_where_they_touch():
    lines = np.zeros((4, 6), bool)
    lines[0, 0] = lines[3, 4] = True
    assert reduce_lines(lines, (3, 2)).tolist() == [[True, False, False], [False, False, True]]
    assert np.array_equal(reduce_lines(lines, (6, 4)), lines)
    assert shrink(thumbnail(noise(4, 6), lines.astype(np.uint8), 9), 3).size == (3, 2)


def test_a_reason_names_the_file_within_the_data_set():
    assert short_fault("/a/b/images/1.png: is empty: copy it.") == "images/1.png: is empty: copy it."
    assert short_fault("something is wrong") == "something is wrong"
