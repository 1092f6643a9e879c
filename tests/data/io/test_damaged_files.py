"""Damaged and hostile files: an `InputError` or a sound array, soon, and nothing else."""

import io
import random
import struct
import time

import numpy as np
import pytest
import tifffile
from PIL import Image

from tmunet.data.io.images import read_image
from tmunet.data.io.masks import read_mask
from tmunet.errors import InputError
from tmunet.file_limits import MAX_PIXELS

CLASSES = ("background", "lesion")


def tiff_header(width, height, samples=1):
    entries = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, samples),
        (278, 4, height),
        (279, 4, min(width * height * samples, 2**32 - 1)),
    ]
    fields = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + fields + bytes(4)


def bmp_header(width, height):
    return b"BM" + struct.pack("<IHHI", 100, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, *[0] * 6)


def jpeg_header(width, height):
    stream = io.BytesIO()
    Image.new("L", (8, 8)).save(stream, "JPEG")
    content = bytearray(stream.getvalue())
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(content)


@pytest.mark.parametrize("kind", ["png", "tif", "bmp", "jpg"])
def test_a_huge_picture_is_refused_from_its_header(tmp_path, png, kind):
    content = {
        "png": png(100_000, 100_000, 8, 0, bytes(10)),
        "tif": tiff_header(100_000, 100_000),
        "bmp": bmp_header(100_000, 100_000),
        "jpg": jpeg_header(65_000, 65_000),
    }[kind]
    (tmp_path / f"a.{kind}").write_bytes(content)
    start = time.perf_counter()
    with pytest.raises(InputError, match=r"400,000,000 .* (100|65),000 x (100|65),000"):
        read_image(tmp_path / f"a.{kind}")
    assert time.perf_counter() - start < 1


def test_many_samples_count_too(tmp_path):
    (tmp_path / "a.tif").write_bytes(tiff_header(10_000, 10_000, samples=60_000))
    with pytest.raises(InputError, match=r"10,000 x 10,000 of 60000"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("size", [(0, 5), (5, 0)])
def test_a_picture_without_pixels_is_refused(tmp_path, size):
    (tmp_path / "a.tif").write_bytes(tiff_header(*size))
    with pytest.raises(InputError, match=rf"{size[0]} x {size[1]}"):
        read_image(tmp_path / "a.tif")


def test_the_limit_is_400_megapixels():
    assert MAX_PIXELS == 400_000_000


def small_files():
    values = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    color, gray = Image.fromarray(values), Image.fromarray(values[:, :, 0])
    palette, exif = color.quantize(7), Image.Exif()
    exif[0x0112] = 6
    pictures = [
        (color, "PNG", {"exif": exif}),
        (palette, "PNG", {}),
        (gray.convert("1"), "PNG", {}),
        (color, "JPEG", {"exif": exif}),
        (color.convert("CMYK"), "JPEG", {}),
        (gray, "JPEG", {"progressive": True}),
        (color, "BMP", {}),
        (palette, "BMP", {}),
        (color, "TIFF", {"compression": "tiff_lzw"}),
        (gray.convert("1"), "TIFF", {"compression": "group4"}),
        (palette, "TIFF", {}),
    ]
    for picture, kind, options in pictures:
        stream = io.BytesIO()
        picture.save(stream, kind, **options)
        yield stream.getvalue()
    for options in ({}, {"compression": "zlib", "rowsperstrip": 5}, {"tile": (16, 16)}, {"imagej": True}):
        stream = io.BytesIO()
        tifffile.imwrite(stream, values, **options)
        yield stream.getvalue()


def damaged(content, chance):
    content = bytearray(content)
    if chance.random() < 0.3:
        return bytes(content[: chance.randrange(len(content))])
    for _ in range(chance.choice((1, 2, 8))):
        # Headers decide most; they stand at the start, those of Pillow's TIFF files at the end.
        place = chance.choice((chance.randrange(len(content)), chance.randrange(min(160, len(content)))))
        content[place] = chance.choice((0, 1, 127, 255, chance.randrange(256)))
    return bytes(content)


def attempt(reader, *arguments):
    """The message of an `InputError`, or the result; any other exception fails the test."""
    try:
        return "", reader(*arguments)
    except InputError as error:
        return str(error), None


@pytest.mark.parametrize("rounds", [10, pytest.param(50, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow and tifffile also warn of what is damaged
def test_damaged_files_never_raise_anything_else(tmp_path, png16, rounds):
    chance = random.Random(0)
    originals = [*small_files(), png16(np.full((9, 8, 3), 700, np.uint16), 2)]
    read = refused = 0
    for original in originals:
        for _ in range(rounds):
            path = tmp_path / "a.png"
            path.write_bytes(damaged(original, chance))
            start = time.perf_counter()
            message, image = attempt(read_image, path)
            if image is None:
                assert str(path) in message
                refused += 1
            else:
                assert image.ndim == 3
                assert image.dtype in (np.uint8, np.uint16)
                assert min(image.shape) > 0
                read += 1
            _, mask = attempt(read_mask, path, CLASSES)
            assert mask is None or set(np.unique(mask)) <= {0, 1}
            assert time.perf_counter() - start < 5
    assert min(read, refused) > rounds
