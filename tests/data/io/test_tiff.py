import importlib.util

import numpy as np
import pytest
import tifffile
from PIL import Image

from tmunet.data.io.images import check_range, decode_image, read_image
from tmunet.data.io.masks import read_mask
from tmunet.errors import InputError

from ...coded_errors import coded

HAS_CODECS = importlib.util.find_spec("imagecodecs") is not None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"byteorder": ">"},
        {"bigtiff": True},
        {"compression": "zlib", "rowsperstrip": 4},
        {"compression": "zlib", "predictor": True},
        {"tile": (16, 16)},
        {"planarconfig": "separate"},
    ],
    ids=str,
)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_layout_is_exact(tmp_path, random_values, dtype, layout, channels):
    values = random_values(20, 30, channels, dtype=dtype)
    stored = np.moveaxis(values, 2, 0) if "planarconfig" in layout else values
    tifffile.imwrite(
        tmp_path / "a.tif", stored.squeeze(), photometric="rgb" if channels == 3 else "minisblack", **layout
    )
    image = read_image(tmp_path / "a.tif")
    assert image.dtype == dtype
    np.testing.assert_array_equal(image, values)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_many_channels_come_last(tmp_path, random_values, planar):
    values = random_values(20, 30, 5, dtype=np.uint16)
    stored = values if planar == "contig" else np.moveaxis(values, 2, 0)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="minisblack", planarconfig=planar)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), values)


def change_tag(path, code, value):
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages.first.tags[code].overwrite(value)


def test_color_that_is_declared_gray_is_read(tmp_path, random_values):
    # Pillow does not open files of this kind, and some polyp sets come in it.
    values = random_values(20, 30, 3)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb")
    change_tag(tmp_path / "a.tif", 262, 1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), values)


def test_color_is_not_turned_round_by_the_tag_of_gray(tmp_path, random_values):
    values = random_values(6, 8, 3)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values, photometric="rgb")
    change_tag(path, 262, 0)  # 0 = white, which has a meaning for gray alone; Pillow cannot open such a file
    np.testing.assert_array_equal(read_image(path), values)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_only_alpha_is_left_out(tmp_path, random_values, dtype):
    values = random_values(9, 8, 4, dtype=dtype)
    for kind, kept in (("unassalpha", 3), ("assocalpha", 3), ("unspecified", 4)):
        tifffile.imwrite(tmp_path / f"{kind}.tif", values, photometric="rgb", extrasamples=[kind])
        raster = decode_image(tmp_path / f"{kind}.tif")
        np.testing.assert_array_equal(raster.pixels, values[:, :, :kept])
        assert (raster.alpha is None) == (kept == 4)


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.uint16])
def test_white_is_the_largest_value(tmp_path, dtype):
    dark = np.zeros((6, 8), dtype)
    dark[2, 3] = 1
    tifffile.imwrite(tmp_path / "a.tif", dark, photometric="miniswhite")
    white = 255 if dtype != np.uint16 else 65535
    image = read_image(tmp_path / "a.tif")
    assert (image == white).sum() == 47
    assert image[2, 3, 0] == (0 if dtype == np.bool_ else white - 1)


def test_without_a_photometric_tag_the_values_stand_for_themselves(tmp_path, random_values):
    values = random_values(6, 8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values, photometric="minisblack")
    with tifffile.TiffFile(path) as file:
        place = file.pages.first.tags[262].offset
    content = bytearray(path.read_bytes())
    content[place : place + 2] = (263).to_bytes(2, "little")  # another tag in its place
    path.write_bytes(content)
    np.testing.assert_array_equal(read_image(path)[:, :, 0], values)


@pytest.mark.parametrize("wide", [True, False])
def test_a_color_map_of_8_or_16_bits(tmp_path, random_values, wide):
    indices, palette = random_values(6, 8), random_values(3, 256)
    colormap = palette.astype(np.uint16) * (257 if wide else 1)
    tifffile.imwrite(tmp_path / "a.tif", indices, photometric="palette", colormap=colormap)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), palette.T[indices])


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "group4", "tiff_deflate", "lzma", "zstd"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "I;16"])
def test_compressions_that_tifffile_leaves_out_are_exact(tmp_path, random_values, compression, mode):
    if compression == "group4" and mode != "1":
        pytest.skip("group 4 is a code for 1-bit images")
    if mode == "I;16":
        values = random_values(9, 8, 1, dtype=np.uint16)
    elif mode == "1":
        values = random_values(9, 8, 1) > 127
    else:
        values = random_values(9, 8, len(mode))
    Image.fromarray(values.squeeze()).save(tmp_path / "a.tif", compression=compression)
    channels = {"LA": 1, "RGBA": 3}.get(mode, values.shape[2])
    expected = values[:, :, :channels] * (255 if mode == "1" else 1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), expected)


@pytest.mark.skipif(HAS_CODECS, reason="imagecodecs decodes LZW itself")
@pytest.mark.parametrize(
    ("shape", "photometric", "message"),
    [
        ((6, 8, 3), "rgb", "16-bit TIFF with the compression LZW cannot be decoded; install"),
        ((6, 8), "miniswhite", "16-bit TIFF with the compression LZW cannot be decoded; install"),
        (
            (6, 8),
            "minisblack",
            r"with the compression LZW cannot be decoded \(.*\)\. If the file is sound, install",
        ),
    ],
)
def test_what_pillow_would_change_is_not_given_to_it(tmp_path, shape, photometric, message):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, np.uint16), photometric=photometric)
    change_tag(tmp_path / "a.tif", 259, 5)  # zeros are no LZW code either
    with pytest.raises(InputError, match=message + ".*pip install imagecodecs"):
        read_image(tmp_path / "a.tif")


def test_cmyk_and_ycbcr_become_rgb(tmp_path):
    tifffile.imwrite(tmp_path / "cyan.tif", np.full((4, 4, 4), (255, 0, 0, 0), np.uint8), photometric="separated")
    tifffile.imwrite(tmp_path / "gray.tif", np.full((4, 4, 3), (90, 128, 128), np.uint8), photometric="ycbcr")
    assert (read_image(tmp_path / "cyan.tif") == (0, 255, 255)).all()
    assert (read_image(tmp_path / "gray.tif") == (90, 90, 90)).all()


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (np.zeros((4, 5), np.complex64), {}, "found complex64"),
        (np.zeros((7, 4, 5), np.uint8), {"photometric": "minisblack"}, "it is a stack of 7 pages"),
        (np.zeros((7, 4, 5), np.uint8), {"imagej": True}, "it is a stack of 7 pages"),
        (
            np.zeros((2, 16, 16), np.uint8),
            {"volumetric": True, "photometric": "minisblack"},
            "a stack of 2 pages",
        ),
        (np.zeros((4, 5, 3), np.uint8), {"photometric": "cielab"}, "photometric interpretation 8, 8 bits"),
        (np.zeros((4, 5, 4), np.uint16), {"photometric": "separated"}, "interpretation 5, 16 bits"),
    ],
)
def test_what_has_no_clear_meaning_is_refused(tmp_path, values, options, message):
    tifffile.imwrite(tmp_path / "a.tif", values, **options)
    with pytest.raises(InputError, match=r"a\.tif: .*" + message):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("layout", [{}, {"compression": "zlib", "rowsperstrip": 4}, {"tile": (16, 16)}], ids=str)
def test_missing_pixels_are_not_filled_with_zeros(tmp_path, random_values, layout):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, random_values(20, 30, 3), **layout)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 5])
    with pytest.raises(InputError, match=r"a\.tif: "):
        read_image(path)


def test_a_strip_left_out_is_missing(tmp_path, random_values):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, random_values(20, 30), compression="zlib", rowsperstrip=4)
    with tifffile.TiffFile(path, mode="r+") as file:
        tag = file.pages.first.tags[273]
        tag.overwrite([*tag.value[:2], 0, *tag.value[3:]])
    with pytest.raises(InputError, match=r"\.tif: "):
        read_image(path)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_a_palette_with_alpha(tmp_path, compression):
    picture = Image.new("PA", (5, 4), (1, 128))
    picture.putpalette([9, 9, 9, 10, 20, 30])
    picture.save(tmp_path / "a.tif", compression=compression)
    if compression == "raw" or HAS_CODECS:
        assert (read_image(tmp_path / "a.tif") == (10, 20, 30)).all()
        assert (decode_image(tmp_path / "a.tif").alpha == 128).all()
    else:
        with pytest.raises(InputError, match="'PA'"):
            read_image(tmp_path / "a.tif")


def test_a_damaged_color_map_is_damage(tmp_path, random_values):
    colormap = random_values(3, 256, dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", random_values(6, 8), photometric="palette", colormap=colormap)
    change_tag(tmp_path / "a.tif", 320, list(range(769)))
    with pytest.raises(InputError, check=coded("damaged", tmp_path / "a.tif")):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "dtype", [np.int8, np.int16, np.int32, np.uint32, np.int64, np.float16, np.float32, np.float64]
)
def test_labels_of_any_number_type_are_read_unchanged(tmp_path, dtype):
    labels = (np.arange(20).reshape(4, 5) % 4).astype(dtype)
    tifffile.imwrite(tmp_path / "m.tif", labels)
    classes = ("background", "a", "b", "c")
    assert np.array_equal(read_mask(tmp_path / "m.tif", classes), labels)
    tifffile.imwrite(tmp_path / "m.tif", (labels > 1).astype(dtype))
    assert np.array_equal(read_mask(tmp_path / "m.tif", classes[:2]), labels > 1)


@pytest.mark.parametrize("wrong", [-1, 0.5, 70_000, np.nan, np.inf])
def test_numbers_that_are_no_labels_are_refused(tmp_path, wrong):
    values = np.zeros((4, 5), np.float64)
    values[1, 2] = wrong
    tifffile.imwrite(tmp_path / "m.tif", values)
    with pytest.raises(InputError) as caught:
        read_mask(tmp_path / "m.tif", ("background", "a"))
    assert caught.value.code == "mask-values"
    assert "8-bit PNG" in str(caught.value)


def test_images_of_other_number_types_keep_their_order_and_scale(tmp_path):
    hounsfield = np.random.default_rng(0).integers(-1024, 3000, (6, 7)).astype(np.int16)
    tifffile.imwrite(tmp_path / "ct.tif", hounsfield)
    read = read_image(tmp_path / "ct.tif")
    assert read.dtype == np.uint16
    assert np.array_equal(read[:, :, 0].astype(np.int32) - 32768, hounsfield)
    values = np.random.default_rng(1).normal(size=(6, 7)).astype(np.float32)
    tifffile.imwrite(tmp_path / "f.tif", values)
    read = read_image(tmp_path / "f.tif")[:, :, 0] / 65535
    assert np.allclose(read * (values.max() - values.min()) + values.min(), values, atol=1e-4)
    assert not decode_image(tmp_path / "f.tif").has_known_range
    with pytest.raises(InputError) as caught:
        check_range("f.tif", False, "imagenet")
    assert caught.value.code == "number-range"
    check_range("f.tif", False, "image")
    check_range("f.tif", True, "imagenet")


@pytest.mark.parametrize("first", [True, False])
def test_a_thumbnail_or_the_levels_of_a_pyramid_are_no_stack(tmp_path, random_values, first):
    large, small = random_values(32, 48, 3), random_values(8, 12, 3)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for page in (large, small) if first else (small, large):
            file.write(page, photometric="rgb", subfiletype=int(page is small))
    assert np.array_equal(read_image(tmp_path / "a.tif"), large)
    with tifffile.TiffWriter(tmp_path / "b.tif") as file:
        for page in (large, large[:, :24]):
            file.write(page, photometric="rgb")
    with pytest.raises(InputError, match="stack of 2 pages"):
        read_image(tmp_path / "b.tif")
