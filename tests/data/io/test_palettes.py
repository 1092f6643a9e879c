"""Masks with a palette: when the color is the value, when the index is, and when two masks of a set contradict each other."""

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from tmunet.check.fix import fix
from tmunet.check.run import check_dataset
from tmunet.data.dataset import open_dataset, verify
from tmunet.data.io.images import decode_image, read_image
from tmunet.data.io.masks import read_mask
from tmunet.datasets import folders
from tmunet.datasets._build.import_dataset import build
from tmunet.datasets._build.source import open_source
from tmunet.datasets.folders import FolderOptions
from tmunet.errors import DataError, InputError
from tmunet.prediction.mask_files import write_mask
from tmunet.report.overview import read_overview

from ...coded_errors import coded

TWO, THREE = ("background", "lesion"), ("background", "a", "b")
SUFFIXES = ["png", "bmp", "tif"]
BLACK, WHITE, RED, GREEN, GRAY = (0, 0, 0), (255, 255, 255), (200, 0, 0), (0, 200, 0), (128, 128, 128)
SMALL = np.pad(np.ones((2, 2), np.uint8), 3)
LARGE = np.pad(np.ones((6, 6), np.uint8), 1)


def painted(labels: np.ndarray, *colors: tuple[int, int, int]) -> Image.Image:
    """An RGB picture of labels."""
    return Image.fromarray(np.array(colors, np.uint8)[labels])


def indexed(index: np.ndarray, *palette: tuple[int, int, int]) -> Image.Image:
    picture = Image.fromarray(index.astype(np.uint8))
    picture.putpalette([value for color in palette for value in color])
    return picture


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("labels", [SMALL, LARGE, np.ones((4, 4), np.uint8), np.zeros((4, 4), np.uint8)])
@pytest.mark.parametrize("colors", [2, 256])
def test_black_and_white_as_quantize_orders_them_is_what_viewers_show(
    tmp_path: Path, suffix: str, labels: np.ndarray, colors: int
) -> None:
    path = tmp_path / f"m.{suffix}"
    painted(labels, BLACK, WHITE).quantize(colors).save(path)
    np.testing.assert_array_equal(read_mask(path, TWO), labels)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_order_of_a_gray_palette_does_not_matter(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"m.{suffix}"
    for palette, index in (((WHITE, BLACK), 1 - SMALL), ((BLACK, WHITE), SMALL), ((GRAY, WHITE, BLACK), 2 - SMALL)):
        indexed(index, *palette).save(path)
        np.testing.assert_array_equal(read_mask(path, TWO), SMALL)


def test_the_order_of_a_gray_palette_of_16_bits_does_not_matter(tmp_path: Path) -> None:
    colormap = np.zeros((3, 256), np.uint16)
    colormap[:, 0] = 65535
    tifffile.imwrite(tmp_path / "m.tif", 1 - SMALL, photometric="palette", colormap=colormap)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.tif", TWO), SMALL)


def test_labels_that_were_reduced_to_a_palette_come_back(tmp_path: Path) -> None:
    labels = SMALL + LARGE
    Image.fromarray(labels).quantize(3).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", THREE), labels)


def test_three_grays_are_their_levels_and_never_their_order(tmp_path: Path) -> None:
    indexed(SMALL + LARGE, WHITE, BLACK, GRAY).save(tmp_path / "m.png")
    with pytest.raises(InputError, match="128"):
        read_mask(tmp_path / "m.png", THREE)


def test_of_a_gray_ramp_index_and_level_are_the_same(tmp_path: Path) -> None:
    indexed(SMALL + LARGE, *((level,) * 3 for level in range(256))).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", THREE), SMALL + LARGE)


def test_of_a_legend_the_index_is_the_label_whatever_a_mask_uses_of_it(tmp_path: Path) -> None:
    legend = (BLACK, RED, GRAY)  # as PASCAL VOC shows its seventh class in gray
    for labels in (SMALL * 2, SMALL * 0 + 2, SMALL + LARGE):
        indexed(labels, *legend).save(tmp_path / "m.png")
        np.testing.assert_array_equal(read_mask(tmp_path / "m.png", THREE), labels)


@pytest.mark.parametrize("labels", [SMALL * 0, SMALL, SMALL + LARGE, SMALL * 2])
def test_our_own_masks_of_several_classes_come_back(tmp_path: Path, labels: np.ndarray) -> None:
    write_mask(tmp_path / "m.png", labels, THREE)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", THREE), labels)


def test_a_palette_without_colors_leaves_the_index(tmp_path: Path) -> None:
    indexed(SMALL, BLACK, BLACK).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", TWO), SMALL)


def test_black_as_the_foreground_of_a_color_is_refused(tmp_path: Path) -> None:
    indexed(SMALL, RED, BLACK).save(tmp_path / "m.png")
    with pytest.raises(InputError, check=coded("ambiguous", tmp_path / "m.png")):
        read_mask(tmp_path / "m.png", TWO)
    indexed(SMALL, RED, BLACK, GREEN).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", THREE), SMALL)


def test_white_of_a_palette_where_255_is_ignored_is_refused_unless_it_is_index_255(tmp_path: Path) -> None:
    indexed(SMALL, BLACK, WHITE).save(tmp_path / "m.png")
    with pytest.raises(InputError, check=coded("ambiguous", tmp_path / "m.png")):
        read_mask(tmp_path / "m.png", TWO, ignore_label=255)
    indexed(SMALL * 255, *((level,) * 3 for level in range(256))).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", TWO, ignore_label=255), SMALL * 255)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data set of three images without masks."""
    folder, random = tmp_path / "data", np.random.default_rng(3)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for name in "abc":
        Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / "images" / f"{name}.png")
    return folder


def put(folder: Path, **masks: Image.Image) -> None:
    for name, picture in masks.items():
        picture.save(folder / "masks" / f"{name}.png")


def imported(folder: Path, **options: object) -> Path:
    given = FolderOptions("images/*.png", "masks/{name}.png", "mine", **options)
    source = open_source(folder, folder.with_name("staging"))
    return build(folders.plan(source, given), source, folder.with_name("imported"), "import").folder


CONTRADICTIONS = {
    "index 1 is red and green": (indexed(SMALL, BLACK, RED), indexed(SMALL, BLACK, GREEN), (RED, GREEN)),
    "black and red in both orders": (indexed(SMALL, BLACK, RED), indexed(1 - SMALL * 0, RED, BLACK), (RED, BLACK)),
    "white is background and foreground": (indexed(SMALL, WHITE, RED), indexed(SMALL * 0, WHITE), (WHITE,)),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_palettes_that_contradict_each_other_are_a_fault_everywhere(data: Path, case: str) -> None:
    one, other, colors = CONTRADICTIONS[case]
    put(data, a=one, b=one, c=other)
    (finding,) = [finding for finding in check_dataset(data).findings if finding.kind == "palettes-differ"]
    assert (finding.severity, finding.files, finding.cases) == ("fault", ("masks/a.png", "masks/c.png"), ("a", "c"))
    assert all(str(color) in finding.message for color in colors)
    with pytest.raises(DataError) as refused:
        verify(open_dataset(data))
    with pytest.raises(DataError) as not_imported:
        imported(data)
    for fault in (refused.value.faults[-1], not_imported.value.faults[-1], read_overview(data).faults[-1]):
        assert all(str(data / "masks" / name) in fault for name in ("a.png", "c.png"))
        assert all(str(color) in fault for color in colors)


def test_palettes_that_agree_where_they_are_used_are_no_fault(data: Path) -> None:
    put(data, a=indexed(SMALL, BLACK, RED), b=indexed(SMALL, BLACK, RED, GREEN), c=Image.fromarray(SMALL * 255))
    assert not check_dataset(data).count("fault")
    verify(open_dataset(data))
    imported(data)


def test_a_gray_palette_and_a_legend_that_mean_the_same_are_no_fault(data: Path) -> None:
    put(data, a=indexed(SMALL, BLACK, RED), b=indexed(1 - SMALL, WHITE, BLACK), c=indexed(SMALL * 0, BLACK))
    assert not check_dataset(data).count("fault")
    verify(open_dataset(data))


def test_a_set_of_quantized_masks_is_imported_upright_by_every_way(data: Path) -> None:
    put(
        data,
        **{
            name: painted(labels, BLACK, WHITE).quantize(2)
            for name, labels in zip("abc", [SMALL, LARGE, SMALL], strict=True)
        },
    )
    assert not check_dataset(data).findings
    shares = [case.foreground for case in read_overview(data).cases]
    assert shares == [SMALL.mean(), LARGE.mean(), SMALL.mean()]
    for options in ({}, {"values": {0: 0, 255: 1}}, {"threshold": 127}):
        into = imported(data, **options)
        for name, labels in zip("abc", [SMALL, LARGE, SMALL], strict=True):
            np.testing.assert_array_equal(read_mask(into / "masks" / f"{name}.png", TWO), labels)
        into.rename(into.with_name(f"imported {options}"))


def test_masks_whose_order_is_said_by_values_are_taken_at_their_word(data: Path) -> None:
    put(data, **dict.fromkeys("abc", indexed(SMALL, RED, BLACK)))
    assert {finding.kind for finding in check_dataset(data).findings} == {"palette-unclear"}
    into = imported(data, values={0: 0, 1: 1})
    np.testing.assert_array_equal(read_mask(into / "masks" / "a.png", TWO), SMALL)


def test_a_mend_keeps_what_a_gray_palette_shows(data: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    put(data, a=indexed(1 - SMALL, (250, 250, 250), BLACK), b=Image.fromarray(SMALL), c=Image.fromarray(LARGE * 255))
    turned = SMALL.copy()
    turned[0, 0] = 1
    indexed(1 - turned, WHITE, BLACK).save(data / "masks" / "b.png", exif=exif)
    copy = fix(check_dataset(data), data.with_name("copy")).destination
    np.testing.assert_array_equal(read_mask(copy / "masks" / "a.png", TWO), SMALL)
    np.testing.assert_array_equal(read_mask(copy / "masks" / "b.png", TWO), turned[::-1, ::-1])
    assert decode_image(copy / "masks" / "b.png").orientation == 1


@pytest.mark.parametrize("header", [12, 40])
@pytest.mark.parametrize(
    ("bits", "grays"), [(1, [0, 255]), (4, [0, 255]), (4, range(16)), (8, [0, 255]), (8, range(256)), (8, [0, 1])]
)
def test_a_bmp_of_grays_is_read_by_its_own_number_of_bits(
    tmp_path: Path, header: int, bits: int, grays: list[int]
) -> None:
    index = np.arange(32).reshape(4, 8) * 5 % len(grays)
    if header == 12:  # the header of OS/2 has no number of colors
        grays = [*grays, *[7] * ((1 << bits) - len(grays))]
    (tmp_path / "m.bmp").write_bytes(bmp(index, bits, grays, header))
    expected = np.array(grays)[index]
    image = read_image(tmp_path / "m.bmp")
    np.testing.assert_array_equal(image[:, :, 0], expected)
    if len(np.unique(index)) == 2:
        np.testing.assert_array_equal(read_mask(tmp_path / "m.bmp", TWO), index)


def bmp(index: np.ndarray, bits: int, grays: list[int], header: int) -> bytes:
    """A BMP of indices, as its format is described, with rows from below that end at a multiple of 4 bytes."""
    width, rows = index.shape[1], np.unpackbits(index[::-1, :, None].astype(np.uint8), axis=2)[:, :, 8 - bits :]
    packed = np.packbits(rows.reshape(len(index), -1), axis=1)
    pixels = np.pad(packed, [(0, 0), (0, -packed.shape[1] % 4)]).tobytes()
    size = [width, len(index)]
    about = (
        struct.pack("<IHHHH", 12, *size, 1, bits)
        if header == 12
        else struct.pack("<IiiHHIIiiII", 40, *size, 1, bits, 0, len(pixels), 0, 0, len(grays), 0)
    )
    palette = b"".join(bytes([gray] * 3) + b"\0" * (header == 40) for gray in grays)
    start = 14 + len(about) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + about + palette + pixels
