import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from tmunet.data.io.masks import read_mask
from tmunet.errors import InputError, UsageError

from ...coded_errors import coded

TWO = ("background", "lesion")
FOUR = ("background", "liver", "spleen", "vessel")
CHECKER = np.indices((6, 8)).sum(axis=0) % 2


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
@pytest.mark.parametrize("foreground", [1, 255])
@pytest.mark.parametrize("drawn", [CHECKER, np.zeros((6, 8), int), np.ones((6, 8), int)])
def test_two_classes_of_exact_values(tmp_path, suffix, foreground, drawn):
    Image.fromarray((drawn * foreground).astype(np.uint8)).save(tmp_path / f"m.{suffix}")
    mask = read_mask(tmp_path / f"m.{suffix}", TWO)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, drawn)


@pytest.mark.parametrize("suffix", ["png", "bmp"])
@pytest.mark.parametrize("classes", [TWO, FOUR])
def test_1_bit_is_0_and_1(tmp_path, suffix, classes):
    Image.fromarray(CHECKER == 1).save(tmp_path / f"m.{suffix}")
    np.testing.assert_array_equal(read_mask(tmp_path / f"m.{suffix}", classes), CHECKER)


@pytest.mark.parametrize("foreground", [1, 255, 65535])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_masks(tmp_path, suffix, foreground):
    Image.fromarray((CHECKER * foreground).astype(np.uint16)).save(tmp_path / f"m.{suffix}")
    np.testing.assert_array_equal(read_mask(tmp_path / f"m.{suffix}", TWO), CHECKER)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 3)))
def test_labels_round_trip(tmp_path, labels):
    Image.fromarray(labels).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", FOUR), labels)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(arrays(np.uint8, (2, 3), elements=st.sampled_from([0, 1, 2, 128, 254, 255])))
def test_two_classes_are_read_exactly_or_refused(tmp_path, values):
    Image.fromarray(values).save(tmp_path / "m.png")
    if set(values.flat) <= {0, 1} or set(values.flat) <= {0, 255}:
        np.testing.assert_array_equal(read_mask(tmp_path / "m.png", TWO), values > 0)
    else:
        with pytest.raises(InputError, check=coded("mask-values", tmp_path / "m.png")):
            read_mask(tmp_path / "m.png", TWO)


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        ([0, 3], "--values 0=background,3=polyp`. If there are more, name all classes in dataset.json; tmunet"),
        ([0, 128], "--values 0=background,128=polyp`"),
        ([0, 128, 255], "--classes background,CLASS1,CLASS2 --values 0=background,128=CLASS1,255=CLASS2`"),
        ([0, 1, 2], "--foreground any`"),
        ([0, 1, 2, 255], 'name all classes in dataset.json, with "ignore_label": 255 if that is what 255 means, or'),
        ([0, 3, 17, 60, 130, 190, 240, 250, 255, 254, 253, 252], "--threshold 127`"),
        ([*range(30)], "--foreground any`"),
    ],
)
def test_the_advice_erases_no_labels(tmp_path, values, advice):
    Image.fromarray(np.array([values, values], np.uint8)).save(tmp_path / "m.png")
    with pytest.raises(InputError) as caught:
        read_mask(tmp_path / "m.png", ("background", "polyp"))
    assert advice in str(caught.value)
    assert ("127" in str(caught.value)) == ("threshold" in advice)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
def test_the_index_of_a_palette_is_the_label(tmp_path, suffix):
    labels = (np.arange(48).reshape(6, 8) % 4).astype(np.uint8)
    picture = Image.fromarray(labels)
    picture.putpalette([255, 255, 255, 200, 0, 0, 0, 200, 0, 0, 0, 0])
    picture.save(tmp_path / f"m.{suffix}")
    np.testing.assert_array_equal(read_mask(tmp_path / f"m.{suffix}", FOUR), labels)


def test_255_is_kept_only_where_it_is_declared(tmp_path):
    labels = np.array([[0, 1, 255], [3, 2, 255]], np.uint8)
    Image.fromarray(labels).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", FOUR, ignore_label=255), labels)
    with pytest.raises(InputError, match=r"0 to 3 .*255 \(2 pixels\)"):
        read_mask(tmp_path / "m.png", FOUR)


def test_with_an_ignore_label_two_classes_are_labels_as_well(tmp_path):
    Image.fromarray((CHECKER * 255).astype(np.uint8)).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", TWO, ignore_label=255), CHECKER * 255)
    Image.fromarray(np.array([[0, 1, 128]], np.uint8)).save(tmp_path / "m.png")
    with pytest.raises(InputError, match=r"0 to 1 or 255 "):
        read_mask(tmp_path / "m.png", TWO, ignore_label=255)


def test_a_gray_picture_saved_as_color_is_a_mask(tmp_path):
    gray = (CHECKER * 255).astype(np.uint8)
    opaque = np.full_like(gray, 255)
    for name, planes in (("rgb", [gray] * 3), ("rgba", [gray] * 3 + [opaque]), ("la", [gray, opaque])):
        Image.fromarray(np.stack(planes, axis=2)).save(tmp_path / f"{name}.png")
        np.testing.assert_array_equal(read_mask(tmp_path / f"{name}.png", TWO), CHECKER)


def test_colors_are_no_labels(tmp_path):
    values = np.zeros((6, 8, 3), np.uint8)
    values[1, 2:5, 0] = 255
    Image.fromarray(values).save(tmp_path / "m.png")
    with pytest.raises(InputError, match=r"m\.png: .*\b3 color channels .*\b3 pixels"):
        read_mask(tmp_path / "m.png", TWO)


def test_a_mask_drawn_in_the_alpha_plane_is_not_read_as_empty(tmp_path):
    values = np.zeros((6, 8, 4), np.uint8)
    values[:, :, 3] = CHECKER * 255
    Image.fromarray(values).save(tmp_path / "m.png")
    with pytest.raises(InputError, check=coded("transparent", tmp_path / "m.png")):
        read_mask(tmp_path / "m.png", TWO)


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8])
def test_a_tiff_with_0_as_white_is_not_guessed(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "m.tif", CHECKER.astype(dtype), photometric="miniswhite")
    with pytest.raises(InputError, check=coded("inverted", tmp_path / "m.tif")):
        read_mask(tmp_path / "m.tif", TWO)
    Image.fromarray(CHECKER == 1).save(tmp_path / "fax.tif", compression="group4", tiffinfo={262: 0})
    with pytest.raises(InputError, check=coded("inverted")):
        read_mask(tmp_path / "fax.tif", TWO)


def test_the_halo_of_jpeg_is_counted(tmp_path):
    disc = np.hypot(*(np.indices((64, 64)) - 31.5)) < 20
    Image.fromarray((disc * 255).astype(np.uint8)).save(tmp_path / "m.jpg", quality=80)
    stored = np.asarray(Image.open(tmp_path / "m.jpg"))
    values, counts = np.unique(stored, return_counts=True)
    with pytest.raises(InputError) as caught:
        read_mask(tmp_path / "m.jpg", TWO)
    message = str(caught.value)
    assert "expected a mask of background and lesion with the values {0, 1} or {0, 255} only" in message
    assert f"found {values[0]} ({counts[0]:,} pixels), {values[1]} ({counts[1]:,} pixels)" in message
    assert f"and {len(values) - 8} more values. JPEG, smooth scaling" in message


def test_the_mask_turns_as_the_image_does(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    labels = (np.arange(48).reshape(6, 8) % 2).astype(np.uint8)
    Image.fromarray(labels).save(tmp_path / "m.png", exif=exif)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", TWO), np.rot90(labels, -1))


@pytest.mark.parametrize("classes", [(), ("lesion",), tuple(map(str, range(256)))])
def test_a_mask_needs_2_to_255_classes(tmp_path, classes):
    with pytest.raises(UsageError, match=rf"`classes` .*\b{len(classes)}\b"):
        read_mask(tmp_path / "m.png", classes)


def test_the_only_ignore_label_is_255(tmp_path):
    with pytest.raises(UsageError, match=r"`ignore_label` .*\b7\b"):
        read_mask(tmp_path / "m.png", TWO, ignore_label=7)


@pytest.mark.parametrize("ignore_label", [None, 255])
def test_the_first_label_beyond_the_classes_is_refused(tmp_path, ignore_label):
    Image.fromarray(np.array([[0, 1, 2], [3, 4, 0]], np.uint8)).save(tmp_path / "m.png")
    with pytest.raises(InputError, match=r"\b4 classes, .*4 \(1 pixel"):
        read_mask(tmp_path / "m.png", FOUR, ignore_label)


def test_a_mask_may_have_255_classes(tmp_path):
    labels = np.arange(255, dtype=np.uint8).reshape(5, 51)
    Image.fromarray(labels).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", tuple(map(str, range(255)))), labels)


@pytest.mark.parametrize(("alpha", "opaque"), [(65535, True), (65534, False), (300, False)])
def test_a_plane_of_16_bit_alpha_is_opaque_or_refused(tmp_path, png16, alpha, opaque):
    values = np.stack([CHECKER, np.full_like(CHECKER, 65535)], axis=2).astype(np.uint16)
    values[2, 3, 1] = alpha
    (tmp_path / "m.png").write_bytes(png16(values, 4))
    if opaque:
        np.testing.assert_array_equal(read_mask(tmp_path / "m.png", TWO), CHECKER)
    else:
        with pytest.raises(InputError, check=coded("transparent", tmp_path / "m.png")):
            read_mask(tmp_path / "m.png", TWO)


def test_eight_values_may_be_labels_and_are_not_thresholded(tmp_path):
    Image.fromarray(np.arange(8, dtype=np.uint8).reshape(2, 4)).save(tmp_path / "m.png")
    with pytest.raises(InputError, match="labels of several classes") as caught:
        read_mask(tmp_path / "m.png", TWO)
    assert "hreshold" not in str(caught.value)
