"""`tmunet export`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ..small_models import bright_model, random_model
from .conftest import Answer

Run = Callable[..., Answer]


def test_export_writes_beside_the_model_and_says_how_to_use_it(
    tmunet: Run, golden: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tmunet.model.load_model", lambda _: bright_model())
    answer = tmunet("export", tmp_path / "mine", "--format", "torch", "--size", 48)
    assert answer.code == 0, answer.err
    folder = tmp_path / "mine-torch"
    golden("export", answer.out)
    assert json.loads((folder / "model.json").read_text())["size"] == 48


def test_a_bundle_is_written_beside_the_model_at_the_size_of_training(
    tmunet: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tmunet.model.load_model", lambda _: bright_model())
    for more in (("--size", 48), ("--int8", tmp_path)):
        answer = tmunet("export", model, "--format", "bundle", *more)
        assert (answer.code, answer.error) == (2, "flags")
    answer = tmunet("export", model, "--format", "bundle")
    assert answer.code == 0, answer.err
    files = {
        path.relative_to(tmp_path / "model-bundle").as_posix() for path in (tmp_path / "model-bundle").rglob("*.*")
    }
    assert files == {"configs/metadata.json", "configs/inference.json", "models/model.ts", "docs/README.md"}


@pytest.mark.parametrize(
    ("here", "word", "written"),
    [
        ("runs/x", ".", "runs/x-torch"),
        ("runs/x/model", "..", "runs/x-torch"),
        ("runs", "x", "runs/x-torch"),
        (".", "runs/x/model/model.safetensors", "runs/x/model-torch"),
        ("runs/x/model", "config.json", "runs/x/model-torch"),
    ],
)
def test_the_folder_lies_beside_the_model_however_it_is_named(
    tmunet: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str, word: str, written: str
) -> None:
    (tmp_path / "runs" / "x").mkdir(parents=True)
    model.rename(tmp_path / "runs" / "x" / "model")
    monkeypatch.chdir(tmp_path / here)
    monkeypatch.setattr("tmunet.model.load_model", lambda _: bright_model())  # quick to export
    answer = tmunet("export", word, "--format", "torch")
    assert answer.code == 0, answer.err
    assert [path.parent for path in tmp_path.rglob("model.json")] == [tmp_path / written]


def test_a_root_without_a_model_is_no_model(tmunet: Run) -> None:
    answer = tmunet("export", "/")
    assert (answer.code, answer.error, answer.paths) == (3, "no-model", (Path("/"),))


def test_a_model_of_four_channels_is_refused(tmunet: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tmunet.model.load_model", lambda _: random_model(channels=4))
    answer = tmunet("export", tmp_path / "mine", "--format", "torch")
    assert (answer.code, answer.error) == (3, "channels")
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_is_not_there_and_a_format_that_is_none(tmunet: Run, tmp_path: Path) -> None:
    answer = tmunet("export", tmp_path / "nothing")
    assert (answer.code, answer.error, answer.paths) == (3, "no-model", (tmp_path / "nothing",))
    answer = tmunet("export", tmp_path / "nothing", "--format", "caffe")
    assert (answer.code, answer.error) == (2, "type")


def test_a_file_for_any_size_says_so(tmunet: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tmunet.model.load_model", lambda _: bright_model())
    answer = tmunet("export", tmp_path / "mine", "--format", "torch", "--size", "any")
    assert answer.code == 0, answer.err
    assert "minimum" in json.loads((tmp_path / "mine-torch" / "model.json").read_text())["sizes"]
    assert tmunet("export", tmp_path / "mine", "--size", "some").code == 2


def test_int8_takes_images_and_openvino(tmunet: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tmunet.model.load_model", lambda _: bright_model())
    (tmp_path / "empty").mkdir()
    answer = tmunet("export", tmp_path / "mine", "--format", "openvino", "--int8", tmp_path / "empty")
    assert (answer.code, answer.error, answer.paths) == (3, "no-image", (tmp_path / "empty",))
    images = Path(__file__).parents[2] / "src/tmunet/sample/images"
    answer = tmunet("export", tmp_path / "mine", "--format", "onnx", "--int8", images)
    assert (answer.code, answer.error) == (2, "int8-format")
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
