"""`tmunet predict`."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tmunet import Predictor
from tmunet.data.io.masks import read_mask
from tmunet.model import save_model

from ..small_models import THREE, TWO, random_model
from .conftest import Answer

Run = Callable[..., Answer]


@pytest.fixture
def images(make_dataset: Callable[..., Path]) -> Path:
    return make_dataset(train=2, val=1, test=1) / "images"


def test_masks_are_written_and_the_second_call_continues(
    tmunet: Run, golden: Callable[..., None], model: Path, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    answer = tmunet("predict", images, "-m", model, "-o", out, "--overlays", "--device", "cpu")
    assert answer.code == 0
    assert sorted(path.name for path in out.glob("*.png")) == [f"case{i}.png" for i in range(4)]
    assert len(list((out / "overlays").iterdir())) == 4
    expected = Predictor(model)(images / "case0.png").mask
    assert np.array_equal(read_mask(out / "case0.png", TWO), expected)
    again = tmunet("predict", images, "-m", model, "-o", out, "--overlays", "--device", "cpu")
    assert again.code == 0
    golden("predict", answer.out + again.out)


def test_the_labels_of_several_classes_are_named(tmunet: Run, images: Path, tmp_path: Path) -> None:
    trained = random_model(THREE)
    save_model(tmp_path / "three", trained.network, trained.config)
    pattern, flags = f"{images}/case[01].png", ("--tta", "--batch-size", 1, "--precision", "bfloat16")
    answer = tmunet("predict", pattern, "-m", tmp_path / "three", "-o", tmp_path / "out", *flags)
    assert (answer.code, "0 = background, 1 = a, 2 = b" in answer.out) == (0, True)
    assert len(list((tmp_path / "out").glob("*.png"))) == 2


def test_an_unreadable_image_is_reported_at_the_end(tmunet: Run, model: Path, images: Path, tmp_path: Path) -> None:
    (images / "case1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    answer = tmunet("predict", images, "-m", model, "-o", tmp_path / "out")
    assert answer.code == 3
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == ["case0.png", "case2.png", "case3.png"]
    assert str(images / "case1.png") in answer.err


@pytest.mark.parametrize(
    ("words", "code", "error", "path"),
    [
        (("nowhere.png",), 3, "no-image", "nowhere.png"),
        ((), 2, "missing", None),
        (("{images}", "--tile-size", "16"), 2, "value", None),
        (("{images}", "--batch-size", "0"), 2, "value", None),
        (("{images}", "-m", "{images}"), 3, "no-model", "{images}"),
        (("{images}", "-o", "{images}"), 3, "not-empty", "{images}"),
    ],
)
def test_what_does_not_fit_is_an_error(
    tmunet: Run,
    model: Path,
    images: Path,
    tmp_path: Path,
    words: tuple[str, ...],
    code: int,
    error: str,
    path: str | None,
) -> None:
    typed = [word.format(images=images) for word in words]
    defaults = [] if "-o" in words else ["-o", tmp_path / "out"]
    answer = tmunet("predict", *typed, *defaults, *([] if "-m" in words else ["-m", model]))
    paths = () if path is None else (Path(path.format(images=images)),)
    assert (answer.code, answer.out, answer.error, answer.paths) == (code, "", error, paths)
    assert not (tmp_path / "out").exists()


def test_a_missing_extra_has_its_exit_code(
    tmunet: Run, model: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "monai"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "monai", None)
    answer = tmunet("predict", images, "-m", model, "-o", tmp_path / "out", "--tile-size", 32)
    assert (answer.code, answer.error, "'tmunet[monai]'" in answer.err) == (4, "missing-extra", True)


def test_several_models_are_averaged_and_other_flags_are_given_once(
    tmunet: Run, model: Path, images: Path, tmp_path: Path
) -> None:
    other = random_model(seed=5)
    save_model(tmp_path / "other", other.network, other.config)
    out = tmp_path / "out"
    assert tmunet("predict", images, "-m", model, "-m", tmp_path / "other", "-o", out).code == 0
    expected = Predictor([model, tmp_path / "other"])(images / "case0.png").mask
    assert np.array_equal(read_mask(out / "case0.png", TWO), expected)
    manifest = json.loads((out / "predictions.json").read_text("utf-8"))
    assert len(manifest["model"]) == 2
    for words in (("-o", out, "-o", tmp_path / "b"), ("--batch-size", 1, "--batch-size=2"), ("--tta", "--tta")):
        assert tmunet("predict", images, "-m", model, *words).code == 2
    assert tmunet("evaluate", "-m", model, "-m", tmp_path / "other", "-d", images.parent).code == 2


def test_the_manifest_holds_settings_and_every_call(tmunet: Run, model: Path, images: Path, tmp_path: Path) -> None:
    words = (
        "predict",
        images,
        "-m",
        model,
        "-o",
        tmp_path / "out",
        "--keep",
        "largest",
        "--fill-holes",
        "--min-size",
        3,
    )
    assert tmunet(*words).code == 0
    assert tmunet(*words).code == 0
    manifest = json.loads((tmp_path / "out" / "predictions.json").read_text("utf-8"))
    shown = (manifest["threshold"], manifest["keep"], manifest["fill_holes"], manifest["min_size"])
    assert shown == (0.5, "largest", True, 3)
    assert [call["command"] for call in manifest["calls"]] == ["tmunet " + " ".join(map(str, words))] * 2
    for call in manifest["calls"]:
        assert abs(datetime.now(UTC) - datetime.fromisoformat(call["time"])) < timedelta(minutes=10)
    expected = Predictor(model, keep="largest", fill_holes=True, min_size=3)(images / "case1.png").mask
    assert np.array_equal(read_mask(tmp_path / "out" / "case1.png", TWO), expected)


def test_slides_are_predicted_at_the_resolution_that_is_asked_for(tmunet: Run, model: Path, tmp_path: Path) -> None:
    pytest.importorskip("tiffslide")
    pytest.importorskip("monai")
    pixels = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
    tifffile.imwrite(
        tmp_path / "s.tif",
        pixels,
        photometric="rgb",
        tile=(64, 64),
        metadata={"axes": "YXS"},
        ome=True,
        compression="zlib",
    )
    arguments = ("predict", tmp_path / "s.tif", "-m", model, "-o", tmp_path / "out")
    assert tmunet(*arguments, "--mpp", 0.5).code == 3  # the file states no resolution
    assert tmunet(*arguments, "--slide-mpp", 0.5).code == 2  # nor does the model
    assert tmunet(*arguments, "--mpp", 0.5, "--slide-mpp", 0.5, "--fill-holes").code == 2
    assert not (tmp_path / "out").exists()
    answer = tmunet(*arguments, "--mpp", 0.5, "--slide-mpp", 0.25)
    assert answer.code == 0
    assert str(tmp_path / "out" / "s.geojson.gz") in answer.out
    assert tifffile.imread(tmp_path / "out" / "s_labels.ome.tif").shape == (100, 150)
