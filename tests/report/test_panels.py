import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from tmunet.errors import InputError
from tmunet.labels import IGNORE_LABEL
from tmunet.report.drawing import contour
from tmunet.report.panels import COLORS, Pixel, error_map, panels

from .report_samples import case_of, disc

masks = arrays(np.uint8, (7, 9), elements=st.sampled_from([0, 1, 2, IGNORE_LABEL]))


def picture(panel):
    head, code = panel.uri.split(",", 1)
    decoded = Image.open(io.BytesIO(base64.b64decode(code)))
    assert head == f"data:image/{decoded.format.lower()};base64"
    assert decoded.size == panel.size
    return np.asarray(decoded.convert("RGBA")).astype(int)


def drawn(panel, kind):
    return (picture(panel) == (*COLORS[kind], 255)).all(axis=-1)


def test_contour_of_a_square_is_its_rim():
    labels = np.zeros((5, 6), dtype=np.uint8)
    labels[1:4, 1:5] = 1
    assert contour(labels).astype(int).tolist() == [
        [0, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 1, 0],
        [0, 1, 0, 0, 1, 0],
        [0, 1, 1, 1, 1, 0],
        [0, 0, 0, 0, 0, 0],
    ]


def test_contour_separates_touching_classes():
    labels = np.ones((5, 8), dtype=np.uint8)
    labels[:, 4:] = 2
    assert contour(labels)[2].astype(int).tolist() == [1, 0, 0, 1, 1, 0, 0, 1]


@given(masks)
def test_contour_is_every_labeled_pixel_with_a_different_neighbor(labels):
    padded = np.pad(labels, 1, constant_values=IGNORE_LABEL)
    center = padded[1:-1, 1:-1]
    neighbors = [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
    differs = np.any([neighbor != center for neighbor in neighbors], axis=0)
    assert np.array_equal(contour(labels), differs & (labels != 0) & (labels != IGNORE_LABEL))


def test_error_map_of_each_pair_of_labels():
    truth = np.array([[0, 1, 1, 0, 1, 255, 255]], dtype=np.uint8)
    prediction = np.array([[0, 1, 0, 1, 2, 0, 1]], dtype=np.uint8)
    expected = ["BACKGROUND", "HIT", "MISSED", "FALSE", "CONFUSED", "IGNORED", "IGNORED"]
    assert [Pixel(code).name for code in error_map(truth, prediction)[0]] == expected


@given(masks, masks)
def test_errors_of_swapped_masks_swap_missed_and_false(one, other):
    one, other = one % IGNORE_LABEL, other % IGNORE_LABEL
    there, back = error_map(one, other), error_map(other, one)
    assert np.array_equal(there == Pixel.MISSED, back == Pixel.FALSE)
    assert np.array_equal(there == Pixel.HIT, back == Pixel.HIT)
    assert not (error_map(one, one) > Pixel.HIT).any()


def test_small_pictures_keep_their_size_and_colors():
    truth, prediction = disc(20, 20, 10), disc(20, 26, 10)
    image, reference, predicted, errors = panels(case_of("a", truth, prediction, 0.7))
    assert {panel.size for panel in (image, reference, predicted, errors)} == {(56, 40)}
    assert np.array_equal(picture(errors)[..., :3], np.array([COLORS[k] for k in Pixel])[error_map(truth, prediction)])
    assert np.array_equal(drawn(reference, Pixel.MISSED), contour(truth))
    assert np.array_equal(drawn(predicted, Pixel.FALSE), contour(prediction))
    assert [panel.over_image for panel in (image, reference, predicted, errors)] == [False, True, True, False]
    assert errors.alt.startswith("a: map of the errors; pixels: ")
    assert f"{int((truth & prediction).sum())} hit" in errors.alt


@pytest.mark.parametrize(("shape", "size"), [((700, 1400), (480, 240)), ((2000, 30), (7, 480)), ((1, 960), (480, 1))])
def test_large_pictures_shrink_in_proportion(shape, size):
    mask = np.ones(shape, dtype=np.uint8)
    assert {panel.size for panel in panels(case_of("a", mask, mask, 1.0))} == {size}


def test_an_object_of_one_pixel_is_still_outlined_after_shrinking():
    truth = np.zeros((900, 1500), dtype=np.uint8)
    truth[431, 1007] = 1
    reference = panels(case_of("a", truth, truth, 1.0))[1]
    row, column = round(431 * 0.32), round(1007 * 0.32)
    assert drawn(reference, Pixel.MISSED)[row - 1 : row + 2, column - 1 : column + 2].any()


def test_empty_masks_have_no_outline_and_say_so():
    empty = np.zeros((20, 30), dtype=np.uint8)
    _, reference, predicted, errors = panels(case_of("a", empty, empty, 1.0))
    assert not picture(reference)[..., 3].any()
    assert not picture(predicted)[..., 3].any()
    assert errors.alt.endswith("background only")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("image", np.zeros((4, 5), dtype=np.uint8), r"`image` to be \(H, W, 3\), but got \(4, 5\)"),
        ("image", np.zeros((0, 5, 3), dtype=np.uint8), r"but got \(0, 5, 3\)"),
        ("image", np.zeros((4, 5, 3)), "`image` to be uint8, but got float64"),
        ("truth", np.zeros((4, 5), dtype=bool), "`truth` to be uint8, but got bool"),
        ("prediction", np.zeros((5, 4), dtype=np.uint8), r"`prediction` to be \(H, W\) = \(4, 5\)"),
        ("truth", np.zeros((4, 5, 1), dtype=np.uint8), r"but got \(4, 5, 1\)"),
        ("scores", {"dice": 1.0}, r"to hold \['hd95'\], but got \['dice'\]"),
    ],
)
def test_a_case_that_does_not_fit_is_refused_by_name(field, value, message):
    empty = np.zeros((4, 5), dtype=np.uint8)
    case = case_of("frame 7", empty, empty, 1.0)
    with pytest.raises(InputError, match="'frame 7'.*" + message):
        replace(case, **{field: value})
