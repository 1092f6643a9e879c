import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tmunet.data.io.images import IMAGE_SUFFIXES, decode_image, image_format, read_image, to_channels
from tmunet.errors import InputError

from ...coded_errors import coded

# The sides of the picture on which row 0 and column 0 of the file lie (EXIF 2.32, tag 0x0112).
SIDES = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


def upright(stored, orientation):
    """Oracle: each stored pixel walks from the two sides that the standard names."""
    rows, columns = stored.shape[:2]
    row_side, column_side = SIDES[orientation]
    swapped = row_side in ("left", "right")
    shown = np.zeros((columns, rows, *stored.shape[2:]) if swapped else stored.shape, stored.dtype)
    for row in range(rows):
        for column in range(columns):
            distance = {row_side: row, column_side: column}
            y = distance["top"] if "top" in distance else shown.shape[0] - 1 - distance["bottom"]
            x = distance["left"] if "left" in distance else shown.shape[1] - 1 - distance["right"]
            shown[y, x] = stored[row, column]
    return shown


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_8_bit_values_are_exact(tmp_path, random_values, suffix, channels):
    values = random_values(7, 5, channels)
    Image.fromarray(values.squeeze()).save(tmp_path / f"a.{suffix}")
    image = read_image(tmp_path / f"a.{suffix}")
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, values[:, :, : min(channels, 3)])


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
def test_1_bit_becomes_0_and_255(tmp_path, suffix):
    values = np.random.default_rng(0).random((7, 11)) > 0.5
    Image.fromarray(values).save(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}")[:, :, 0], values * 255)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_gray_with_alpha_loses_only_the_alpha_plane(tmp_path, random_values, suffix):
    values = random_values(7, 5, 2)
    Image.fromarray(values).save(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}"), values[:, :, :1])
    np.testing.assert_array_equal(decode_image(tmp_path / f"a.{suffix}").alpha, values[:, :, 1])


@pytest.mark.parametrize(("color", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_16_bit_png_keeps_both_bytes(tmp_path, random_values, png16, color, channels):
    values = random_values(7, 5, channels, dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(png16(values, color))
    raster = decode_image(tmp_path / "a.png")
    colors = channels - (channels in (2, 4))
    assert raster.pixels.dtype == np.uint16
    np.testing.assert_array_equal(raster.pixels, values[:, :, :colors])
    if channels > colors:
        np.testing.assert_array_equal(raster.alpha, values[:, :, -1])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), values[:, :, :colors])


@pytest.mark.parametrize(("depth", "row", "shown"), [(2, 0b00011011, [0, 85, 170, 255]), (4, 0x0F, [0, 255])])
def test_png_of_few_bits_spans_black_to_white(tmp_path, png, depth, row, shown):
    (tmp_path / "a.png").write_bytes(png(len(shown), 1, depth, 0, bytes([0, row])))
    assert read_image(tmp_path / "a.png").ravel().tolist() == shown


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
@pytest.mark.parametrize("gray", [True, False])
def test_a_palette_gives_its_colors(tmp_path, random_values, suffix, gray):
    indices = random_values(7, 5)
    palette = np.repeat(random_values(256, 1), 3, axis=1) if gray else random_values(256, 3)
    picture = Image.fromarray(indices)
    picture.putpalette(palette.ravel().tolist())
    picture.save(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}"), palette[indices][:, :, : 1 if gray else 3])


def test_an_index_beyond_the_palette_is_an_error(tmp_path, png):
    (tmp_path / "a.png").write_bytes(png(3, 1, 8, 3, bytes([0, 0, 1, 7]), palette=bytes(6)))
    with pytest.raises(InputError, match=r"a\.png: .*\b2\b.*\b7\b"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_is_what_pillow_decodes(tmp_path, random_values, mode):
    Image.fromarray(random_values(20, 30, 3)).convert(mode).save(tmp_path / "a.JPG")
    expected = np.asarray(Image.open(tmp_path / "a.JPG")).reshape(20, 30, -1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.JPG"), expected)


def test_cmyk_jpeg_becomes_rgb(tmp_path):
    Image.new("CMYK", (16, 16), (255, 0, 0, 0)).save(tmp_path / "cyan.jpg")
    image = read_image(tmp_path / "cyan.jpg")
    assert image.shape == (16, 16, 3)
    np.testing.assert_allclose(image, np.broadcast_to([0, 255, 255], image.shape), atol=3)


@pytest.mark.parametrize("orientation", range(9))
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "lzw.tif"])
def test_orientation_is_honoured(tmp_path, random_values, suffix, orientation):
    if suffix == "lzw.tif" and orientation == 0:
        pytest.skip("libtiff does not write an orientation that is not in the standard")
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(random_values(9, 6, 3))
    options = {"compression": "tiff_lzw"} if suffix == "lzw.tif" else {}
    picture.save(tmp_path / f"plain.{suffix}", **options)
    picture.save(tmp_path / f"turned.{suffix}", exif=exif, **options)
    expected = upright(read_image(tmp_path / f"plain.{suffix}"), orientation or 1)
    np.testing.assert_array_equal(read_image(tmp_path / f"turned.{suffix}"), expected)


def test_the_alpha_plane_turns_with_the_picture(tmp_path, random_values):
    exif = Image.Exif()
    exif[0x0112] = 6
    values = random_values(9, 6, 4)
    Image.fromarray(values).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(decode_image(tmp_path / "a.png").alpha, upright(values[:, :, 3], 6))


def test_the_content_decides_not_the_suffix(tmp_path, random_values):
    values = random_values(7, 5)
    Image.fromarray(values).save(tmp_path / "a.jpg", "PNG")
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg")[:, :, 0], values)


def test_suffixes_are_lower_case():
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in IMAGE_SUFFIXES)


def test_the_limit_of_pillow_neither_warns_nor_stops(tmp_path, random_values, monkeypatch):
    values = random_values(10, 10)
    Image.fromarray(values).save(tmp_path / "a.png")
    for limit in (60, 30):  # Pillow would warn at the first and refuse at the second
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            np.testing.assert_array_equal(read_image(tmp_path / "a.png")[:, :, 0], values)
        assert limit == Image.MAX_IMAGE_PIXELS


def test_an_animation_is_refused(tmp_path, random_values):
    frames = [Image.fromarray(random_values(5, 5)) for _ in range(3)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, check=coded("several-images", tmp_path / "a.png")):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"patient,age\n1,52\n", "format"),
        (b"RIFFxxxxWEBP", "format"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (b"\xff\xd8\xff\xe0", "damaged"),
        (b"BM", "damaged"),
        (b"II*\0", "damaged"),
    ],
)
def test_what_is_no_image_is_named(tmp_path, content, code):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, check=coded(code, tmp_path / "a.png")):
        read_image(tmp_path / "a.png")


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(InputError, check=coded("unreadable", tmp_path / "nowhere.png")):
        read_image(tmp_path / "nowhere.png")
    with pytest.raises(InputError, check=coded("unreadable", tmp_path)):
        read_image(tmp_path)


@given(st.integers(0, 2**16 - 1), st.integers(0, 2**16 - 1), st.integers(0, 2**16 - 1))
def test_luma_is_the_rounded_weighted_mean(red, green, blue):
    luma = to_channels(np.array([[[red, green, blue]]], np.uint16), 1)
    assert luma.dtype == np.uint16
    assert luma.shape == (1, 1, 1)
    assert abs(int(luma[0, 0, 0]) - (0.299 * red + 0.587 * green + 0.114 * blue)) <= 0.5 + 1e-6


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_gray_is_repeated_and_comes_back(random_values, dtype):
    gray = random_values(5, 4, 1, dtype=dtype)
    color = to_channels(gray, 3)
    assert color.shape == (5, 4, 3)
    assert color.dtype == dtype
    np.testing.assert_array_equal(to_channels(color, 1), gray)
    assert to_channels(gray, 1) is gray


@pytest.mark.parametrize(("found", "wanted"), [(5, 3), (3, 4), (2, 1), (4, 3)])
def test_other_channels_are_not_guessed(found, wanted):
    with pytest.raises(InputError, match=rf"\b{wanted} channels?, .*\b{found}\b"):
        to_channels(np.zeros((2, 2, found), np.uint8), wanted)


def test_an_image_has_three_axes():
    with pytest.raises(InputError, match=r"\(2, 2\)"):
        to_channels(np.zeros((2, 2), np.uint8), 1)


@pytest.mark.parametrize(("suffix", "kind"), [(".gif", "GIF"), (".ppm", "PPM"), (".pgm", "PPM"), (".pbm", "PPM")])
def test_gif_and_ppm_are_read_as_other_programs_do(tmp_path: Path, suffix: str, kind: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 9, 3), np.uint8)
    pixels = {
        ".gif": (pixels[:, :, 0] // 128) * 255,
        ".ppm": pixels,
        ".pgm": pixels[:, :, 1],
        ".pbm": pixels[:, :, 2] > 99,
    }[suffix]
    path = tmp_path / f"x{suffix}"
    Image.fromarray(pixels).save(path)
    assert image_format(path) == kind
    read = read_image(path)
    assert read.dtype == np.uint8
    wanted = pixels * np.uint8(255) if pixels.dtype == np.bool_ else pixels
    assert np.array_equal(read.reshape(wanted.shape), wanted)


def test_a_pgm_of_16_bits_keeps_them(tmp_path: Path) -> None:
    values = np.array([[0, 300], [65535, 7]], ">u2")
    (tmp_path / "x.pgm").write_bytes(b"P5\n2 2\n65535\n" + values.tobytes())
    assert read_image(tmp_path / "x.pgm")[:, :, 0].tolist() == values.tolist()
