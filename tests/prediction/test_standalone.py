"""The script of an exported folder: which images it takes, what it refuses, and that one bad file does not stop the others."""

import csv
import json
import shutil
import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from tmunet.calibration import REVIEW_AGREEMENT, REVIEW_DICE, Calibration
from tmunet.data.data_config import Normalization
from tmunet.data.io.images import read_image, to_channels
from tmunet.data.preprocess import FLOOR, constants, normalize, prepare, unit
from tmunet.data.training_stats import Appearance, AppearanceRange, Intensity, Scale
from tmunet.file_limits import MAX_PIXELS
from tmunet.prediction import standalone as runner
from tmunet.prediction.confidence import CONFIDENCE_COLUMNS
from tmunet.prediction.domain_shift import APPEARANCE_MARGIN, scale_factor, shift_flags
from tmunet.prediction.export_model import export_model
from tmunet.prediction.predictor import Predictor

from ..small_models import colored_model
from .exported import run_exported

NOISE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
DEEP = NOISE.astype(np.uint16) * 257
Write = Callable[[Path], object]
UNKNOWN = {"scale": None, "intensity": [], "appearance": None, "calibration": None}


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    Image.fromarray(NOISE).save(tmp_path / "in" / "noise.png")
    return tmp_path / "in" / "noise.png"


def picture(mode: str, suffix: str, **options: object) -> Write:
    made = Image.fromarray(np.dstack([NOISE, NOISE[..., :1]]) if mode == "RGBA" else NOISE).convert(mode)
    return lambda path: made.save(path.with_suffix(suffix), **options)


def tiff(values: np.ndarray, **options: object) -> Write:
    return lambda path: tifffile.imwrite(path.with_suffix(".tif"), values, **options)


def upside_down(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(NOISE).save(path.with_suffix(".jpg"), exif=exif)


def png(values: np.ndarray, color_type: int, palette: bytes = b"") -> Write:
    """A PNG that Pillow cannot write, of big-endian values."""
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 8 * values.itemsize, color_type, 0, 0, 0)
    parts = [b"IHDR" + header, b"PLTE" + palette, b"IDAT" + zlib.compress(rows), b"IEND"]
    chunks = [struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in parts]
    if not palette:
        del chunks[1]
    return lambda path: path.with_suffix(".png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def huge(path: Path) -> None:
    """A BMP whose header declares a pixel more than is read."""
    Image.fromarray(NOISE).save(path.with_suffix(".bmp"))
    content = bytearray(path.with_suffix(".bmp").read_bytes())
    content[18:26] = struct.pack("<ii", MAX_PIXELS + 1, 1)
    path.with_suffix(".bmp").write_bytes(content)


def black_and_white_bmp(path: Path) -> None:
    """Of 8 bits, which Pillow takes for 1 bit, since its palette is black and white."""
    made = Image.fromarray(NOISE[..., 0] // 128)
    made.putpalette([0, 0, 0, 255, 255, 255])
    made.save(path.with_suffix(".bmp"))


@pytest.mark.parametrize(
    "write",
    [
        *(picture(mode, ".png") for mode in ("1", "L", "LA", "P", "RGB", "RGBA")),
        *(picture(mode, ".jpg") for mode in ("L", "RGB", "CMYK")),
        *(picture(mode, ".bmp") for mode in ("1", "L", "P", "RGB")),
        *(picture(mode, ".tif") for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK")),
        picture("RGB", ".tif", compression="jpeg"),
        tiff(NOISE[..., 0], photometric="miniswhite"),
        tiff(NOISE, photometric="rgb", planarconfig="contig"),
        upside_down,
    ],
)
def test_an_image_is_read_as_tmunet_reads_it(write: Write, tmp_path: Path) -> None:
    write(tmp_path / "image")
    (path,) = tmp_path.iterdir()
    expected = read_image(path)
    colors = expected[..., :3] if expected.shape[2] == 4 else to_channels(expected, 3)
    assert (np.asarray(runner.read(path)) == colors).all()


@pytest.mark.parametrize(
    ("write", "found"),
    [
        (png(DEEP.astype(">u2"), 2), "16 bits, which `tmunet predict` takes"),
        (picture("I;16", ".png"), "16 bits"),
        (tiff(DEEP, photometric="rgb"), r"interpretation 2, \(16, 16, 16\) bits"),
        (tiff(DEEP[..., 0]), "pixels of the kind I;16"),
        (tiff(DEEP[..., 0].astype(np.float32)), "pixels of the kind F"),
        (tiff(NOISE[..., 0].view(np.int8)), r"sample format \(2,\)"),
        (tiff(np.stack([NOISE, NOISE]), photometric="rgb"), "2 pages"),
        (tiff(NOISE.transpose(2, 0, 1)[:, None], imagej=True), "pages"),
        (tiff(NOISE, photometric="cielab"), "pixels of the kind LAB"),
        *(
            (tiff(NOISE[..., [0, 1, 2, 0]], photometric="rgb", extrasamples=[kind]), f"extra samples \\({value},\\)")
            for kind, value in (("assocalpha", 1), ("unspecified", 0))
        ),
        (png(np.full((4, 4), 3, np.uint8), 3, bytes(6)), "beyond the palette"),
        (picture("RGB", ".png", save_all=True, append_images=[Image.new("RGB", (50, 40))]), "2 pages"),
        (black_and_white_bmp, "palette of grays"),
        (picture("RGB", ".gif"), "Pillow finds none"),
        (picture("RGB", ".webp"), "Pillow finds none"),
        (lambda path: path.write_bytes(b""), "Pillow finds none"),
        (lambda path: path.write_text("some words\n"), "Pillow finds none"),
    ],
)
def test_an_image_that_would_be_read_otherwise_is_refused(write: Write, found: str, tmp_path: Path) -> None:
    write(tmp_path / "image")
    (path,) = tmp_path.iterdir()
    with pytest.raises(runner.RunError, match=f"{found}.* save it as 8-bit PNG"):
        runner.read(path)


@pytest.mark.parametrize(
    ("by", "channels"), [("imagenet", 1), ("imagenet", 3), ("efficientnet_lite", 1), ("efficientnet_lite", 3)]
)
def test_constants_of_the_normalization_are_those_of_training(by: Normalization, channels: int) -> None:
    mean, sd = constants(by, channels)
    about = {"channels": channels, "normalize": {"mean": list(mean), "sd": list(sd)}}
    values = to_channels(NOISE[:40, :40], channels)
    found = runner.preprocess(Image.fromarray(values.squeeze()).convert("RGB"), about, 40)
    expected = normalize(unit(torch.from_numpy(values.copy()).permute(2, 0, 1)[None]), by).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("pixel", [0, 1])
def test_an_almost_even_image_is_normalized_as_in_training(pixel: int) -> None:
    values = np.full((1024, 1024, 3), 100, np.uint8)  # a gray level in one of so many values is below the floor
    values[5, 7, 0] += pixel
    found = runner.preprocess(Image.fromarray(values), {"channels": 3, "normalize": "image"}, 1024)
    expected = normalize(unit(torch.from_numpy(values).permute(2, 0, 1)[None]), "image").numpy()
    assert runner.FLOOR == FLOOR
    assert runner.MAX_PIXELS == MAX_PIXELS
    assert np.abs(found - expected).max() < 0.1
    assert found.max() == pytest.approx(pixel / 255 / FLOOR, rel=1e-3)


def test_the_others_go_on_beside_files_that_cannot_be_read(exported: Path, noise: Path, tmp_path: Path) -> None:
    (noise.parent / "text.png").write_text("no image")
    (noise.parent / "cut.png").write_bytes(noise.read_bytes()[:2000])
    huge(noise.parent / "huge")
    Image.fromarray(NOISE[:20]).save(noise.parent / "last.bmp")
    words = [noise.parent / "gone.png", noise.parent, noise.parent / "text.png", noise.parent / "cut.png"]
    done = run_exported(exported, *words, f"{noise.parent}/*.bmp", noise, noise, out=tmp_path / "masks")
    assert done.returncode == 3
    assert "2 of 7 masks in" in done.stdout
    faults = done.stderr.splitlines()
    expected = [
        "gone.png: cannot be opened: No such file",
        "in: cannot be opened: Is a directory",
        "text.png: expected a PNG",
        "cut.png: cannot be decoded",
        "huge.bmp: expected at most 400,000,000 pixels",
    ]
    assert len(faults) == len(expected)
    assert all(told in fault for told, fault in zip(expected, faults, strict=True))
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == ["confidence.csv", "last.png", "noise.png"]


def test_links_to_one_file_are_images_of_their_own(noise: Path, tmp_path: Path) -> None:
    for name in ("f1.png", "f2.png"):
        (noise.parent / name).symlink_to(noise.name)
    words = [str(noise.parent / "f*.png"), str(noise.parent / ".." / "in" / "f1.png"), str(noise)]
    assert [mask.name for mask in runner.find(words, tmp_path / "out")] == ["f1.png", "f2.png", "noise.png"]


def test_a_mask_does_not_replace_what_a_link_to_an_image_leads_to(noise: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / noise.name
    link.symlink_to(noise)
    with pytest.raises(runner.RunError, match="a mask would replace it"):
        runner.find([str(link)], noise.parent)
    assert list(runner.find([str(link)], tmp_path / "out").values()) == [link]


def test_a_mask_replaces_no_image(exported: Path, noise: Path) -> None:
    Image.fromarray(NOISE).save(noise.parent / "first.bmp")
    before = noise.read_bytes()
    done = run_exported(exported, noise.parent / "first.bmp", noise, out=noise.parent / ".." / "in")
    assert done.returncode == 3
    assert "noise.png: is one of the images, and a mask would replace it" in done.stderr
    assert noise.read_bytes() == before
    assert sorted(path.name for path in noise.parent.iterdir()) == ["first.bmp", "noise.png"]


def test_images_of_one_name_are_refused(exported: Path, noise: Path, tmp_path: Path) -> None:
    Image.fromarray(NOISE).save(noise.with_suffix(".bmp"))
    done = run_exported(exported, noise, noise.with_suffix(".bmp"), out=tmp_path / "masks")
    assert done.returncode == 3
    assert f"since each gives NAME.png, but got: {noise}, {noise.with_suffix('.bmp')}." in done.stderr
    assert not (tmp_path / "masks").exists()


def test_a_place_that_is_no_folder_is_told(exported: Path, noise: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    for out in (tmp_path / "file", tmp_path / "file" / "masks"):
        done = run_exported(exported, noise, out=out)
        assert (done.returncode, done.stderr.count("\n")) == (3, 1)
        assert f"{out}: " in done.stderr
    assert (tmp_path / "file").read_text() == "precious"


def test_a_mask_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = tmp_path / "mask.png"
    runner.write(Image.new("L", (9, 9)), mask)
    before = mask.read_bytes()

    def full(_: Image.Image, path: Path, **__: object) -> None:
        path.write_bytes(before[:9])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="No space left"):
        runner.write(Image.new("L", (5, 5)), mask)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("mask.png", before)]


def without_a_key(file: Path) -> None:
    about = json.loads(file.read_text())
    del about["sizes"]
    file.write_text(json.dumps(about))


@pytest.mark.parametrize(
    ("name", "damage", "told"),
    [
        ("model.onnx", Path.unlink, "expected a file of the exported model, but: No such file or directory"),
        ("model.json", Path.unlink, "expected a file of the exported model, but: No such file or directory"),
        ("model.json", lambda file: file.write_bytes(file.read_bytes()[:99]), "expected JSON, but"),
        ("model.json", without_a_key, "expected the description of a model, but found one without sizes"),
    ],
)
def test_a_damaged_folder_is_told_in_a_line(
    exported: Path, noise: Path, tmp_path: Path, name: str, damage: Callable[[Path], object], told: str
) -> None:
    folder = shutil.copytree(exported, tmp_path / "damaged")
    damage(folder / name)
    done = run_exported(folder, noise, out=tmp_path / "masks")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert f"{folder / name}: {told}" in done.stderr
    assert done.stderr.endswith("Export again.\n")


def test_a_runtime_that_is_not_installed_is_named(noise: Path, tmp_path: Path) -> None:
    folder = export_model(colored_model(), "torch", None, tmp_path / "out").folder
    done = run_exported(folder, noise, out=tmp_path / "masks")  # in a process without torch
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "Install it with: pip install torch" in done.stderr


@pytest.mark.parametrize(
    ("size", "told"), [((256, 256), 0), ((180, 256), 0), ((100, 256), 1), ((256, 512), 1), ((900, 900), 1)]
)
def test_images_at_another_scale_than_in_training_give_a_warning(size: tuple[int, int], told: int) -> None:
    scale = Scale.of([(256, 256)], 32)
    factor = runner.scale_factor(Image.new("RGB", size[::-1]), 32, asdict(scale))
    assert factor == pytest.approx(scale_factor(size, 32, scale))
    assert len(runner.domain_shift({"intensity": [], "normalize": "image"}, 32, [factor])) == told


def test_a_warning_about_domain_shift_goes_to_stderr(exported: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(exported, tmp_path / "out")
    about = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(about | {"scale": asdict(Scale.of([(256, 256)], 32))}))
    Image.fromarray(np.zeros((100, 256, 3), np.uint8)).save(tmp_path / "image.png")
    done = run_exported(folder, tmp_path / "image.png", out=tmp_path / "masks")
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)


def test_the_threshold_is_that_of_the_metadata() -> None:
    about = {"channels": 1, "normalize": {"mean": [0.0], "sd": [1.0]}, **UNKNOWN}
    picture = Image.fromarray(np.array([[40, 60, 80]], np.uint8)).resize((32, 32), Image.Resampling.NEAREST)
    for threshold in (0.3, 0.5, 0.7):
        mask, _ = runner.predict(picture, about | {"threshold": threshold}, lambda x: (x - 60 / 255) * 10, 32)
        probability = 1 / (1 + np.exp(-(np.asarray(picture) / 255 - 60 / 255) * 10))
        assert np.array_equal(np.asarray(mask) == 255, probability > threshold + 1e-9)


@pytest.mark.parametrize(
    ("trained", "normalize", "told"),
    [
        ([Intensity(16, 0, 0.06)], {"mean": [0.5], "sd": [0.2]}, 1),
        ([Intensity(16, 0, 0.06)], "image", 0),
        ([Intensity(8, 0, 1), Intensity(16, 0, 0.06)], {"mean": [0.5], "sd": [0.2]}, 0),
        ([Intensity(16, 0, 1)], {"mean": [0.5], "sd": [0.2]}, 0),
        ([], {"mean": [0.5], "sd": [0.2]}, 0),
    ],
)
def test_a_model_of_dark_16_bit_images_says_that_others_are_bright(
    trained: list[Intensity], normalize: object, told: int
) -> None:
    about = {"intensity": [asdict(one) for one in trained], "normalize": normalize}
    assert len(runner.domain_shift(about, 32, [1.0])) == told
    assert runner.domain_shift(about, 32, []) == []


def test_logits_that_are_not_finite_make_no_mask() -> None:
    about = {"channels": 3, "normalize": "image", "threshold": 0.5}
    with pytest.raises(runner.RunError, match=r"expected finite logits.*its weights are damaged"):
        runner.predict(Image.fromarray(NOISE), about, lambda images: images * np.nan, 32)


def test_threads_share_a_model_of_openvino(tmp_path: Path) -> None:
    _, run = runner.load(export_model(colored_model(256), "openvino", None, tmp_path / "out").folder)
    images = [np.full((1, 3, 256, 256), value, np.float32) for value in range(64)]
    with ThreadPoolExecutor(8) as pool:
        for image, logits in zip(images, pool.map(run, images), strict=True):
            np.testing.assert_allclose(logits[0, :, 1:-1, 1:-1], image[0, :, 1:-1, 1:-1], rtol=1e-4)


def test_confidence_and_reasons_are_those_of_predict(tmp_path: Path) -> None:
    trained = colored_model()
    known = AppearanceRange.of([Appearance.of(prepare(NOISE, trained.config.preprocess))])
    fit = Calibration((0.2, 0.9), (0.75, 0.95), 0.02, 0.21, 20, "noise", "0" * 64)
    scale = Scale.of([(40, 50)], 32)
    config = replace(trained.config, appearance=known, calibration=fit, scale=scale)
    trained = replace(trained, config=config)
    images = {
        "noise": NOISE,
        "dark": NOISE // 9,
        "even": np.full_like(NOISE, 99),
        "large": NOISE.repeat(4, 0).repeat(4, 1),
    }
    for name, pixels in images.items():
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    folder = export_model(trained, "onnx", None, tmp_path / "model").folder
    done = run_exported(folder, str(tmp_path / "*.png"), out=tmp_path / "masks")
    assert done.returncode == 0
    with (tmp_path / "masks" / "confidence.csv").open(encoding="utf-8", newline="") as file:
        rows = {Path(row["image"]).stem: row for row in csv.DictReader(file)}
    assert {bool(row["flags"]) for row in rows.values()} == {True, False}
    for name, pixels in images.items():
        expected = Predictor(trained).pipeline([pixels])[0].confidence.to_dict()
        assert rows[name]["flags"] == expected["flags"]
        for column in ("agreement", "soft_dice", "expected_dice", "error"):
            found = float(rows[name][column]) if rows[name][column] else None
            assert found == (None if expected[column] is None else pytest.approx(expected[column], abs=2e-3))


@pytest.mark.parametrize(("factor", "is_blurred"), [(None, False), (1.04, False), (1.06, True)])
def test_the_least_fine_detail_is_that_of_predict(factor: float | None, is_blurred: bool) -> None:
    image = NOISE[:32, :32]
    found = Appearance.of(image)
    assert found.fine_detail is not None
    least = None if factor is None else factor * found.fine_detail  # an older model has none
    known = AppearanceRange(Appearance(0, 0, 0, least), Appearance(1, 1, 9, 9))
    config = replace(colored_model().config, appearance=known)
    about = {"scale": None, "intensity": [], "appearance": asdict(known), "channels": 3}
    flags = runner.shift_flags(Image.fromarray(image), about, 32)
    assert flags == ["blur"] * is_blurred
    assert tuple(flags) == shift_flags(image, (32, 32), found, config, None)


def test_the_limits_of_a_review_are_those_of_predict() -> None:
    assert (runner.REVIEW_DICE, runner.REVIEW_AGREEMENT) == (REVIEW_DICE, REVIEW_AGREEMENT)
    assert runner.APPEARANCE_MARGIN == APPEARANCE_MARGIN
    assert runner.COLUMNS[2:] == CONFIDENCE_COLUMNS
