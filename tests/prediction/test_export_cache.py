"""Exported networks that are kept: found again, not trusted when damaged, shared between processes, not needed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tmunet.prediction.predictor as predictor_module
from tmunet.model import TrainedModel
from tmunet.prediction.backends.export_cache import cache_folder, export_key, find_export, keep_export
from tmunet.prediction.predictor import Predictor

from ..small_models import bright_model, colored_model

Draw = Callable[..., np.ndarray]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMUNET_CACHE", str(tmp_path))
    return tmp_path / "exports"


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were exported, not found."""
    made, write = [], predictor_module.write_onnx

    def counted(network: torch.nn.Module, images: torch.Tensor, file: Path) -> None:
        made.append(file)
        write(network, images, file)

    monkeypatch.setattr(predictor_module, "write_onnx", counted)
    return made


def test_a_network_is_exported_once_and_again_when_its_file_is_damaged(
    cache: Path, exports: list[Path], noise: Draw
) -> None:
    image = noise(40, 48, 3)
    first = Predictor(colored_model(), backend="onnx", device="cpu")(image)
    (entry,) = cache.iterdir()
    second = Predictor(colored_model(), backend="onnx", device="cpu")(image)
    assert len(exports) == 1
    assert np.array_equal(first.probability, second.probability)
    whole = entry.read_bytes()
    for damaged in (whole[:-1], b"", whole[:-1] + bytes([whole[-1] ^ 1])):
        entry.write_bytes(damaged)
        before = len(exports)
        third = Predictor(colored_model(), backend="onnx", device="cpu")(image)
        assert len(exports) == before + 1
        assert np.array_equal(first.probability, third.probability)
        (entry,) = cache.iterdir()  # the damaged one is gone


@pytest.mark.slow
def test_a_whole_file_of_another_network_is_not_taken(cache: Path, exports: list[Path], noise: Draw) -> None:
    model = colored_model()
    Predictor(bright_model(), backend="onnx", device="cpu")
    (other,) = cache.iterdir()
    predictor = Predictor(model, backend="onnx", device="cpu")
    (own,) = set(cache.iterdir()) - {other}
    own.unlink()
    key = own.stem.rpartition("-")[0]
    assert keep_export(key, other) == find_export(key)  # as if the key had been computed wrongly
    found = Predictor(model, backend="onnx", device="cpu")(noise(40, 48, 3))
    assert len(exports) == 3
    assert found.classes == predictor.config.classes


def test_the_key_differs_wherever_the_file_does() -> None:
    def key(of: TrainedModel, side: int = 32, **changed: Any) -> str:
        return export_key(of.network, replace(of.config, **changed), side)

    other = colored_model()
    other.network.get_parameter("weight").data[0, 0, 0, 0] += 1e-7
    keys = [
        key(colored_model()),
        key(other),
        key(bright_model()),
        key(colored_model(), side=64),
        key(colored_model(), model="tmunet_s"),
        key(colored_model(), model_args={"layers": 2}),
    ]
    assert len(set(keys)) == len(keys)
    assert key(colored_model()) == keys[0] == key(colored_model(), provenance={"data": "elsewhere"})


def test_threads_that_keep_one_network_at_once_leave_one_whole_file(cache: Path, tmp_path: Path) -> None:
    file = tmp_path / "network.onnx"
    file.write_bytes(bytes(range(256)) * 4000)
    with ThreadPoolExecutor(8) as pool:
        places = set(pool.map(lambda _: keep_export("key", file), range(16)))
    assert places == {find_export("key")} == set(cache.iterdir())


def test_a_folder_that_cannot_be_written_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exports: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TMUNET_CACHE", str(tmp_path / "file"))
    with caplog.at_level("INFO", logger="tmunet"):
        predictor = Predictor(colored_model(), backend="onnx", device="cpu")
    assert predictor(np.zeros((40, 48, 3), np.uint8)).mask.shape == (40, 48)
    assert len(exports) == 1
    assert [str(cache_folder()) in record.getMessage() for record in caplog.records] == [True]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_cache_stands_where_the_system_has_such_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TMUNET_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert cache_folder().parts[-2:] == ("tmunet", "exports")
    assert Path.home() in cache_folder().parents
