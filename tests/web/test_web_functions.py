"""The functions of the web page, under node, against those of Python."""

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from tmunet.calibration import Calibration
from tmunet.data.data_config import Normalization, Preprocess
from tmunet.data.io.images import read_image, to_channels
from tmunet.data.io.masks import read_mask
from tmunet.data.preprocess import constants, normalize, resize_image, unit
from tmunet.data.training_stats import Appearance, AppearanceRange, Intensity, Scale, Spread
from tmunet.formats.imagej_roi import _roi
from tmunet.formats.outlines import number_objects, trace_outlines
from tmunet.model_config import ModelConfig
from tmunet.prediction.confidence import confidence_of, soft_dice
from tmunet.prediction.domain_shift import shift_flags
from tmunet.prediction.pipeline import resize_probability
from tmunet.prediction.postprocess import labels, probabilities
from tmunet.visualize import color

from .node_bridge import NODE, Node, array_of, image_of

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with Node() as process:
        yield process


@pytest.fixture(scope="module")
def random() -> np.random.Generator:
    return np.random.default_rng(8)


def draw(random: np.random.Generator, *shape: int, dtype: type = np.uint8) -> np.ndarray:
    return random.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(7, 11), (64, 64), (201, 90), (147, 90), (90, 201), (50, 32), (32, 63)])
def test_images_are_resized_as_pillow_does(
    node: Node, random: np.random.Generator, dtype: type, size: tuple[int, int]
) -> None:
    image = draw(random, *size, 3, dtype=dtype)
    found = array_of(node.call("preprocess", "resizeImage", image_of(image), 32))
    assert found.dtype == dtype
    assert np.array_equal(found, resize_image(image, (32, 32)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_color_becomes_gray_and_gray_color(node: Node, random: np.random.Generator, dtype: type) -> None:
    for source, channels in ((draw(random, 40, 50, 3, dtype=dtype), 1), (draw(random, 9, 8, 1, dtype=dtype), 3)):
        found = array_of(node.call("preprocess", "toChannels", image_of(source), channels))
        assert np.array_equal(found, to_channels(source, channels))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("by", ["image", "imagenet", "efficientnet_lite"])
def test_images_are_normalized(node: Node, random: np.random.Generator, by: Normalization, channels: int) -> None:
    image = draw(random, 16, 16, channels, dtype=np.uint16 if by == "image" else np.uint8)
    mean, sd = ((), ()) if by == "image" else constants(by, channels)
    given: Any = by if by == "image" else {"mean": list(mean), "sd": list(sd)}
    found = node.call("preprocess", "normalizeImage", image_of(image), given).reshape(channels, 16, 16)
    expected = normalize(unit(torch.from_numpy(image).permute(2, 0, 1)[None]), by)[0].numpy()
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < (1e-6 if by == "image" else 1e-7)


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("size", [(16, 16), (40, 23), (9, 16)])
def test_labels_and_their_soft_dice(
    node: Node, random: np.random.Generator, channels: int, size: tuple[int, int]
) -> None:
    logits = random.normal(0, 2, (1, channels, 16, 16)).astype(np.float32)
    planes = node.call("postprocess", "probabilities", logits.ravel(), 256)
    full = [node.call("postprocess", "resizePlane", plane, 16, size[1], size[0]) for plane in planes]
    found = node.call("postprocess", "labelsOf", full, 0.4)
    expected = resize_probability(probabilities(torch.from_numpy(logits)), size)
    for plane, other in zip(full[1:], expected[0, 1:].numpy(), strict=True):
        assert np.abs(plane - other.ravel()).max() < 1e-6
    mask = labels(expected, 0.4)[0].numpy()
    assert np.array_equal(found, mask.ravel())
    assert node.call("confidence", "softDice", full, found) == pytest.approx(
        soft_dice(expected[0].numpy(), mask), abs=2e-6
    )


@pytest.mark.parametrize("agreement", [0.0, 0.3, 0.79, 0.8, 0.85, 0.95, 1.0])
def test_the_confidence(node: Node, agreement: float) -> None:
    fit = Calibration((0.8, 0.9), (0.7, 0.95), 0.02, 0.81, 20, "nuclei", "0" * 64)
    for calibration in (None, fit):
        given = None if calibration is None else asdict(calibration)
        found = node.call("confidence", "confidenceOf", agreement, agreement > 0, given, ["blur"])
        expected = confidence_of(agreement, None, agreement > 0, calibration, ["blur"])
        assert found["flags"] == list(expected.flags)
        dice = expected.expected_dice
        assert found["expected_dice"] == (None if dice is None else pytest.approx(dice, abs=1e-4))


def test_the_appearance(node: Node, random: np.random.Generator) -> None:
    image = draw(random, 31, 42, 3)
    found, expected = node.call("confidence", "appearance", image_of(image)), Appearance.of(image)
    for name in ("brightness", "contrast", "sharpness", "fine_detail"):
        assert found[name] == pytest.approx(getattr(expected, name), rel=1e-5)


def png(array: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG", **options)
    return file.getvalue()


def tiff(array: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


def palette_png(array: np.ndarray, colors: list[int]) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(array, "P")
    image.putpalette(colors)
    image.save(file, "PNG")
    return file.getvalue()


def turned_png(array: np.ndarray, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    return png(array, exif=exif)


Draw = Callable[..., np.ndarray]
SMOOTH = np.add.outer(np.arange(37), np.arange(53)).astype(np.uint8)
FILES: dict[str, Callable[[Draw], bytes]] = {
    "gray": lambda draw: png(draw(20, 31)),
    "color": lambda draw: png(draw(20, 31, 3)),
    "alpha": lambda draw: png(draw(20, 31, 4)),
    "gray and alpha": lambda draw: png(draw(20, 31, 2)),
    "one bit": lambda draw: png(draw(20, 31) > 100),
    "16 bits": lambda draw: png(draw(20, 31, dtype=np.uint16)),
    "smooth": lambda _: png(SMOOTH),
    "palette": lambda draw: palette_png(draw(20, 31) % 5, [*range(9), 200, 0, 9, 1, 1, 1]),
    "gray palette": lambda draw: palette_png(draw(20, 31) % 3, [9, 9, 9, 1, 1, 1, 200, 200, 200]),
    **{f"orientation {n}": (lambda draw, n=n: turned_png(draw(20, 31, 3), n)) for n in range(1, 9)},
    "tiff gray": lambda draw: tiff(draw(20, 31)),
    "tiff color": lambda draw: tiff(draw(20, 31, 3), photometric="rgb"),
    "tiff 16 bits": lambda draw: tiff(draw(20, 31, dtype=np.uint16)),
    "tiff big endian": lambda draw: tiff(draw(20, 31, 3, dtype=np.uint16), byteorder=">", photometric="rgb"),
    "tiff strips": lambda draw: tiff(draw(50, 31), rowsperstrip=7, compression="zlib"),
    "tiff predictor": lambda draw: tiff(
        draw(50, 31, 3, dtype=np.uint16), compression="zlib", predictor=True, photometric="rgb"
    ),
    "tiff tiles": lambda draw: tiff(draw(50, 70, 3), tile=(32, 16), photometric="rgb"),
    "tiff planes": lambda draw: tiff(draw(3, 20, 31), planarconfig="separate", photometric="rgb"),
    "tiff lzw": lambda _: tiff(np.tile(SMOOTH, (3, 9)), compression="lzw"),
    "tiff lzw of noise": lambda draw: tiff(draw(90, 120), compression="lzw", predictor=True),
    "tiff packbits": lambda draw: tiff(np.where(draw(40, 60) > 200, 7, 9).astype(np.uint8), compression="packbits"),
    "tiff white is zero": lambda draw: tiff(draw(20, 31, dtype=np.uint16), photometric="miniswhite"),
    "tiff one bit": lambda draw: tiff(draw(20, 31) > 100, photometric="minisblack"),
    "tiff alpha": lambda draw: tiff(draw(20, 31, 4), photometric="rgb", extrasamples=["unassalpha"]),
    "tiff palette": lambda draw: tiff(draw(20, 31), photometric="palette", colormap=draw(3, 256, dtype=np.uint16)),
    "tiff orientation": lambda draw: tiff(draw(20, 31), extratags=[(274, 3, 1, 6, True)]),
}


@pytest.mark.parametrize("kind", FILES)
def test_files_are_read_as_in_python(node: Node, random: np.random.Generator, tmp_path: Path, kind: str) -> None:
    content = FILES[kind](lambda *shape, dtype=np.uint8: draw(random, *shape, dtype=dtype))
    (tmp_path / "file").write_bytes(content)
    found = array_of(node.call("image_decoder", "decodeImage", content))
    expected = read_image(tmp_path / "file")
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    "content",
    [
        png(SMOOTH)[:-40],
        png(SMOOTH)[:30],
        tiff(SMOOTH)[:-1],
        tiff(SMOOTH.astype(np.float32)),
        tiff(np.stack([SMOOTH, SMOOTH]), photometric="minisblack"),
        tiff(np.stack([SMOOTH, SMOOTH]), imagej=True),
        tiff(SMOOTH, bigtiff=True),
        b"GIF89a",
        b"",
        png(np.zeros((9000, 6000), bool)),
    ],
    ids=["cut", "header", "cut tiff", "float", "pages", "stack", "bigtiff", "gif", "empty", "large"],
)
def test_other_files_are_refused(node: Node, content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^ImageError: "):
        node.call("image_decoder", "decodeImage", content)


@pytest.mark.parametrize("density", [0.2, 0.5, 0.8])
def test_objects_and_their_outlines(node: Node, random: np.random.Generator, density: float) -> None:
    mask = (random.random((23, 31)) < density).astype(np.uint8) * random.integers(1, 3, (23, 31), np.uint8)
    numbers, classes = number_objects(mask, 3)
    found = node.call("objects", "numberObjects", mask.ravel(), 31, 23, 3)
    assert np.array_equal(found["numbers"].reshape(23, 31), numbers)
    assert found["found"] == [{"label": c, "area": int((numbers == n).sum())} for n, c in enumerate(classes, start=1)]
    outlines = node.call("objects", "traceOutlines", found["numbers"], 31, 23, len(classes))
    expected = [[[ring.tolist() for ring in polygon] for polygon in one.polygons] for one in trace_outlines(numbers)]
    assert outlines == expected


@pytest.mark.parametrize("classes", [("background", "a"), ("background", "a", "b", "c")])
def test_a_saved_mask_is_read_back(
    node: Node, random: np.random.Generator, tmp_path: Path, classes: tuple[str, ...]
) -> None:
    mask = random.integers(0, len(classes), (23, 31), np.uint8)
    colors = [list(color(label)) for label in range(len(classes))]
    (tmp_path / "mask.png").write_bytes(node.call("mask_png", "maskPng", mask.ravel(), 31, 23, colors).tobytes())
    assert np.array_equal(read_mask(tmp_path / "mask.png", classes), mask)


def edit(node: Node, mask: np.ndarray, *steps: tuple[Any, ...]) -> tuple[np.ndarray, int]:
    """Labels after some steps of the editor, and the number of pixels that differ from the prediction."""
    height, width = mask.shape
    found = node.call("mask_editor", "MaskEditor", [mask.ravel(), width, height], list(steps))
    return found["labels"].reshape(height, width), found["changedPixels"]


def test_the_brush_paints_a_disk_along_its_way(node: Node) -> None:
    found, changed = edit(node, np.zeros((30, 40), np.uint8), ("begin",), ("paint", [10, 15], [25, 15], 9, 2), ("end",))
    y, x = np.mgrid[:30, :40] + 0.5
    distance = np.hypot(x - np.clip(x, 10, 25), y - 15)
    assert np.array_equal(found == 2, distance <= 4.5)
    assert changed == int((distance <= 4.5).sum())


def test_a_brush_smaller_than_a_pixel_paints_it(node: Node) -> None:
    found, _ = edit(node, np.zeros((5, 5), np.uint8), ("paint", [1.1, 3.9], [1.1, 3.9], 1, 1))
    assert np.argwhere(found).tolist() == [[3, 1]]


def test_fill_takes_the_region_under_the_point(node: Node) -> None:
    mask = np.zeros((12, 12), np.uint8)
    mask[2:9, 2:9] = 1
    mask[4:6, 4:6] = 0  # a hole
    found, changed = edit(node, mask, ("begin",), ("fill", [4.5, 4.5], 1), ("end",))
    assert (found[2:9, 2:9] == 1).all()
    assert (int(found.sum()), changed) == (49, 4)


def test_undo_takes_back_one_step_after_the_other(node: Node, random: np.random.Generator) -> None:
    mask = random.integers(0, 2, (20, 20), np.uint8)
    strokes: list[tuple[Any, ...]] = [
        step for y in (4, 12) for step in (("begin",), ("paint", [3, y], [15, y], 5, 1), ("end",))
    ]
    both, _ = edit(node, mask, *strokes)
    one, _ = edit(node, mask, *strokes[:3])
    assert not np.array_equal(both, one)
    assert np.array_equal(edit(node, mask, *strokes, ("undo",))[0], one)
    none, changed = edit(node, mask, *strokes, ("undo",), ("undo",), ("undo",))
    assert np.array_equal(none, mask)
    assert changed == 0


@pytest.mark.parametrize("density", [0.03, 0.6])
def test_rois_of_imagej_are_those_of_python(node: Node, random: np.random.Generator, density: float) -> None:
    roifile = pytest.importorskip("roifile")
    numbers, _ = number_objects((random.random((23, 31)) < density).astype(np.uint8), 2)
    for outline in trace_outlines(numbers):
        polygons = [[ring.tolist() for ring in polygon] for polygon in outline.polygons]
        made = node.call("roi", "toRoi", str(outline.label), polygons, 1, list(color(1)))
        found, expected = roifile.ImagejRoi.frombytes(made.tobytes()), _roi(roifile, outline, 1)
        for name in ("roitype", "name", "left", "top", "right", "bottom", "group", "stroke_color", "n_coordinates"):
            assert getattr(found, name) == getattr(expected, name)
        for name in ("integer_coordinates", "multi_coordinates"):
            one, other = getattr(found, name), getattr(expected, name)
            assert (one is None) == (other is None)
            assert one is None or np.array_equal(one, other)


def test_a_zip_is_read_by_python(node: Node) -> None:
    files = [
        {"name": "a/ä.txt", "content": np.arange(70, dtype=np.uint8)},
        {"name": "b", "content": np.zeros(0, np.uint8)},
    ]
    with zipfile.ZipFile(io.BytesIO(node.call("zip", "zip", files).tobytes())) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a/ä.txt", "b"]
        assert archive.read("a/ä.txt") == bytes(range(70))


@pytest.mark.parametrize("normalize", ["image", "imagenet"])
@pytest.mark.parametrize("kind", ["usual", "small", "dark", "noise", "blurred"])
def test_images_unlike_those_of_training_are_flagged(
    node: Node, random: np.random.Generator, kind: str, normalize: Normalization
) -> None:
    size = (4, 400) if kind == "small" else (64, 64)
    image = random.integers(0, 3000 if kind == "dark" else 65535, (*size, 3), np.uint16)
    if kind != "noise":
        image = resize_image(resize_image(image, (8, 8)), size)
    usual = Appearance(0.5, 0.1, 0.4)
    config = ModelConfig(
        "tmunet_t",
        classes=("background", "a"),
        preprocess=Preprocess(32, 3, normalize),
        scale=Scale(Spread(0.4, 0.5, 0.6), Spread(0.4, 0.5, 0.6)),
        intensity=(Intensity(8, 0.0, 0.9),),
        appearance=AppearanceRange(Appearance(0.2, 0.01, 0.05, 0.99 if kind == "blurred" else None), usual),
    )
    resized = resize_image(image, (32, 32))
    about = {
        "size": 32,
        "normalize": normalize,
        "scale": asdict(config.scale),
        "intensity": [asdict(config.intensity[0])],
    }
    about["appearance"] = asdict(config.appearance)
    found = node.call("confidence", "shiftFlags", image_of(image), image_of(resized), about)
    expected = shift_flags(image, size, Appearance.of(resized), config, None)
    assert found == list(expected)
    assert (kind != "usual") <= bool(expected)
    assert ("blur" in expected) == (kind == "blurred")
