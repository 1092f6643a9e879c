"""Many images to many masks: which images are meant, and what becomes of them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from tmunet.data.io.images import read_image
from tmunet.data.io.masks import read_mask
from tmunet.errors import InputError, TMUNetWarning, UsageError
from tmunet.prediction import mask_writers
from tmunet.prediction.folder import MANIFEST, find_images, predict_files
from tmunet.prediction.mask_files import overlay
from tmunet.prediction.predictor import Predictor

from ..coded_errors import coded
from ..small_models import THREE, TWO, bright_model, random_model

Draw = Callable[..., np.ndarray]


@pytest.fixture
def scans(tmp_path: Path, noise: Draw, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of four images of different sizes, and things that are no images; its parent is where we stand."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "scans"
    folder.mkdir()
    for name, shape in {
        "s10.png": (40, 50, 3),
        "s9.jpg": (33, 47),
        "S2.TIF": (64, 64, 3),
        "s1.v2.bmp": (35, 61, 3),
    }.items():
        Image.fromarray(noise(*shape)).save(folder / name)
    (folder / "notes.txt").write_text("no image")
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "more").mkdir()
    return folder


def times(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in folder.glob("**/*.png")}


@pytest.mark.parametrize("word", ["scans", "scans/*", "scans/s*.*", "**/*"])
def test_folders_and_patterns_mean_their_images_in_natural_order(scans: Path, word: str) -> None:
    expected = ["s1.v2.bmp", "S2.TIF", "s9.jpg", "s10.png"]
    if word == "scans/s*.*":
        expected.remove("S2.TIF")
    assert [image.name for image in find_images([word])] == expected


def test_a_pattern_may_begin_at_the_root(scans: Path) -> None:
    assert find_images([f"{scans}/*.png"]) == [scans / "s10.png"]


def test_an_image_named_twice_is_one(scans: Path) -> None:
    assert find_images(["scans/s9.jpg", "./scans/s9.jpg", "scans/s*9.jpg"]) == [Path("scans/s9.jpg")]


def test_a_file_is_taken_at_its_word_whatever_its_suffix(scans: Path) -> None:
    assert find_images(["scans/notes.txt"]) == [Path("scans/notes.txt")]


@pytest.mark.parametrize("word", ["nowhere", "scans/*.gif", "scans/more", "nowhere.png"])
def test_a_word_that_matches_nothing_is_an_error(scans: Path, word: str) -> None:
    with pytest.raises(InputError, check=coded("no-image")):
        find_images(["scans", word])


def test_no_word_at_all_is_an_error() -> None:
    with pytest.raises(UsageError, check=coded("missing")):
        find_images([])


def test_two_images_of_one_name_would_overwrite_each_other(scans: Path, noise: Draw) -> None:
    Image.fromarray(noise(32, 32)).save(scans / "more" / "s9.png")
    with pytest.raises(InputError, match=r"s9\.jpg, scans/more/s9\.png"):
        find_images(["scans", "scans/more"])


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_each_image_gives_a_mask_of_its_name_and_size(scans: Path, tmp_path: Path, batch_size: int) -> None:
    predictor, images = Predictor(random_model(THREE)), find_images(["scans"])
    outcome = predict_files(predictor, images, tmp_path / "out", batch_size=batch_size)
    assert (outcome.done, outcome.done_before, outcome.faults) == (4, 0, ())
    assert sorted(times(tmp_path / "out")) == ["S2.png", "s1.v2.png", "s10.png", "s9.png"]
    for image in images:
        assert np.array_equal(read_mask(tmp_path / "out" / f"{image.stem}.png", THREE), predictor(image).mask)


def test_overlays_are_written_beside_the_masks(scans: Path, tmp_path: Path) -> None:
    predictor, image = Predictor(bright_model()), scans / "s10.png"
    predict_files(predictor, [image], tmp_path / "out", overlays=True)
    drawn = read_image(tmp_path / "out" / "overlays" / "s10.png")
    found = predictor(image)
    assert found.confidence.flags
    assert np.array_equal(drawn, overlay(read_image(image), found.mask, found.confidence))


def test_a_second_call_does_only_what_is_missing(scans: Path, tmp_path: Path) -> None:
    predictor, images, out = Predictor(bright_model()), find_images(["scans"]), tmp_path / "out"
    predict_files(predictor, images[:2], out)
    before = times(out)
    outcome = predict_files(Predictor(bright_model()), images, out)
    assert (outcome.done, outcome.done_before) == (4, 2)
    assert before.items() < times(out).items()
    complete = times(out)
    assert predict_files(predictor, images, out).done_before == 4
    assert times(out) == complete
    assert predict_files(predictor, images, out, overlays=True).done_before == 0  # their overlays are missing


def test_an_image_that_cannot_be_predicted_does_not_stop_the_others(scans: Path, tmp_path: Path, noise: Draw) -> None:
    (scans / "s5.png").write_bytes((scans / "s10.png").read_bytes()[:200])
    (scans / "s6.png").write_bytes(b"")
    import tifffile

    tifffile.imwrite(scans / "s7.tif", noise(40, 50, 5), photometric="minisblack", planarconfig="contig")
    outcome = predict_files(Predictor(bright_model()), find_images(["scans"]), tmp_path / "out", batch_size=2)
    assert (outcome.done, outcome.done_before) == (4, 0)
    assert sorted(times(tmp_path / "out")) == ["S2.png", "s1.v2.png", "s10.png", "s9.png"]
    for name, words in {
        "s5.png": "cut short or damaged",
        "s6.png": "0 bytes",
        "s7.tif": "3 channels, but got 5",
    }.items():
        assert any(fault.startswith(str(Path("scans") / name)) and words in fault for fault in outcome.faults)


@pytest.mark.parametrize("other", [Predictor(bright_model(gain=9)), Predictor(bright_model(), tta=True)])
def test_masks_of_another_model_or_setting_are_not_mixed(scans: Path, tmp_path: Path, other: Predictor) -> None:
    predict_files(Predictor(bright_model()), [scans / "s10.png"], tmp_path / "out")
    before = times(tmp_path / "out")
    with pytest.raises(InputError, check=coded("other-masks")):
        predict_files(other, find_images(["scans"]), tmp_path / "out")
    assert times(tmp_path / "out") == before


def test_a_place_that_holds_other_things_is_not_touched(scans: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.glob("**/*"))
    for out in (scans, scans / "notes.txt"):
        with pytest.raises(InputError, check=coded("not-empty", out)):
            predict_files(Predictor(bright_model()), [scans / "s10.png"], out)
    assert sorted(tmp_path.glob("**/*")) == before


def test_a_damaged_manifest_is_an_error(scans: Path) -> None:
    (scans / MANIFEST).write_text("{")
    with pytest.raises(InputError, check=coded("json")):
        predict_files(Predictor(bright_model()), [scans / "s10.png"], scans)


def test_a_batch_holds_at_least_one_image(scans: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, check=coded("value")):
        predict_files(Predictor(bright_model()), [scans / "s10.png"], tmp_path / "out", batch_size=-1)
    assert not (tmp_path / "out").exists()


def test_a_mask_of_another_image_of_the_same_name_is_made_anew(scans: Path, noise: Draw, tmp_path: Path) -> None:
    predictor, images, out = Predictor(bright_model()), find_images(["scans"]), tmp_path / "masks"
    predict_files(predictor, images, out)
    before = times(out)
    Image.fromarray(noise(40, 50, 3) // 2 + 120).save(scans / "s10.png")
    outcome = predict_files(predictor, images, out)
    assert (outcome.done, outcome.done_before) == (4, 3)
    changed = {name for name, when in times(out).items() if when != before[name]}
    assert changed == {"s10.png"}
    new = read_mask(out / "s10.png", ("background", "foreground"))
    assert np.array_equal(new, predictor(scans / "s10.png").mask)


def test_what_a_folder_holds_beside_its_images_is_told(scans: Path, noise: Draw) -> None:
    Image.fromarray(noise(9, 9)).save(scans / "more" / "inside.png")
    (scans / "film.webp").write_bytes(b"")
    with pytest.warns(TMUNetWarning, match=r"scans: passed over film.webp, more: .*'\*\*/\*.png' takes folders inside"):
        assert len(find_images(["scans"])) == 4


def test_two_spellings_of_a_file_are_one_image(scans: Path) -> None:
    assert find_images(["scans/s9.jpg", "scans/more/../s9.jpg", str(scans / "s9.jpg")]) == [Path("scans/s9.jpg")]


def test_links_to_one_file_are_images_of_their_own(scans: Path, tmp_path: Path) -> None:
    blob = tmp_path / "store" / "0a1b"
    blob.parent.mkdir()
    (scans / "s10.png").rename(blob)
    for name in ("f1.png", "f2.png"):
        (scans / name).symlink_to(blob)
    (scans / "f3.png").symlink_to("f2.png")
    (tmp_path / "way").symlink_to("scans")
    names = ["f1.png", "f2.png", "f3.png"]
    assert [image.name for image in find_images(["scans"])][:3] == names
    assert [image.name for image in find_images(["scans/f*.png", "scans/f2.png", "way/f1.png", "scans"])][:3] == names
    images = find_images(["scans/f1.png", "scans/f2.png", "scans/f3.png"])
    outcome = predict_files(Predictor(bright_model()), images, tmp_path / "out")
    assert (outcome.done, sorted(times(tmp_path / "out"))) == (3, names)


def test_links_of_one_name_would_overwrite_each_other(scans: Path) -> None:
    for part in ("one", "two"):
        (scans / part).mkdir()
        (scans / part / "a.png").symlink_to(scans / "s10.png")
    with pytest.raises(InputError, match=r"one/a\.png, scans/two/a\.png"):
        find_images(["scans/*/a.png"])


def test_a_pattern_that_is_none_is_an_error(scans: Path) -> None:
    with pytest.raises(InputError, match=r"^scans/\*\*\*: expected a pattern such as|found no image"):
        find_images(["scans/***"])


def test_the_overlay_of_a_former_image_goes_with_its_mask(scans: Path, tmp_path: Path, noise: Draw) -> None:
    predictor, out = Predictor(random_model()), tmp_path / "out"
    predict_files(predictor, [scans / "s10.png"], out, overlays=True)
    Image.fromarray(noise(20, 30, 3)).save(scans / "s10.png")
    predict_files(predictor, [scans / "s10.png"], out)
    assert not (out / "overlays" / "s10.png").exists()
    predict_files(predictor, [scans / "s10.png"], out, overlays=True)
    with Image.open(out / "overlays" / "s10.png") as overlay:
        assert overlay.size == (30, 20)


def test_a_call_that_is_interrupted_leaves_whole_masks_and_goes_on(scans: Path, tmp_path: Path) -> None:
    predictor, images, out = Predictor(bright_model()), find_images(["scans"]), tmp_path / "out"
    calls, run = [], predictor.pipeline.session

    def interrupted(x: Tensor) -> Tensor:
        calls.append(x)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return run(x)

    predictor.pipeline = replace(predictor.pipeline, session=interrupted)
    with pytest.raises(KeyboardInterrupt):
        predict_files(predictor, images, out, batch_size=1)
    written = set(times(out))
    assert written <= {f"{image.stem}.png" for image in images[:2]}
    assert {path.name for path in out.iterdir()} == {MANIFEST, *written}
    for image in images[:2]:
        if f"{image.stem}.png" in written:
            assert np.array_equal(read_mask(out / f"{image.stem}.png", TWO), Predictor(bright_model())(image).mask)
    outcome = predict_files(Predictor(bright_model()), images, out, batch_size=1)
    assert (outcome.done, outcome.done_before) == (4, len(written))


def test_faults_come_in_the_order_of_the_images(scans: Path, tmp_path: Path) -> None:
    for number in range(12):
        (scans / f"bad{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(10_000 * (12 - number)))
    images = find_images(["scans"])
    outcome = predict_files(Predictor(bright_model()), images, tmp_path / "out", batch_size=3)
    assert [fault.partition(":")[0] for fault in outcome.faults] == [f"scans/bad{number}.png" for number in range(12)]


def test_a_mask_that_cannot_be_written_stops_the_call(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mask_writers, "write_mask", full)
    with pytest.raises(OSError, match="No space left"):
        predict_files(Predictor(bright_model()), find_images(["scans"]), tmp_path / "out", batch_size=2)
    assert times(tmp_path / "out") == {}


@pytest.mark.parametrize("tile_size", [None, 32])
def test_masks_of_several_models_are_those_of_their_average(scans: Path, tmp_path: Path, tile_size: int | None) -> None:
    predictor, images = (
        Predictor([random_model(THREE), random_model(THREE, size=64, seed=1)], tile_size),
        find_images(["scans"]),
    )
    predict_files(predictor, images, tmp_path / "out", batch_size=3)
    for image in images:
        assert np.array_equal(read_mask(tmp_path / "out" / f"{image.stem}.png", THREE), predictor(image).mask)


@pytest.mark.parametrize("overlays", [False, True])
def test_a_name_that_is_too_long_does_not_stop_the_others(
    scans: Path, tmp_path: Path, noise: Draw, overlays: bool
) -> None:
    legal, too_long = scans / f"{'x' * 251}.png", scans / f"{'y' * 253}.p"  # whose mask would be y...y.png
    for path in (legal, too_long):
        Image.fromarray(noise(20, 20, 3)).save(path, "PNG")
    done = predict_files(Predictor(random_model()), [too_long, legal], tmp_path / "out", overlays)
    assert done.done == 1
    assert [str(too_long) in fault for fault in done.faults] == [True]
    assert (tmp_path / "out" / legal.name).is_file()
