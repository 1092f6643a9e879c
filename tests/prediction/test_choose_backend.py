"""Which backend `tmunet predict --backend auto` takes."""

from pathlib import Path

import pytest
import torch

import tmunet.prediction.choose_backend as choice
from tmunet.files import write_json
from tmunet.model import save_model
from tmunet.prediction.backends.export_cache import export_key, keep_export
from tmunet.prediction.choose_backend import MANY, MANY_WITH_EXPORT, choose_backend

from ..small_models import random_model

CPU = torch.device("cpu")


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMUNET_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("empty_cache")
def test_openvino_is_taken_where_it_saves_more_time_than_it_costs(tmp_path: Path) -> None:
    model, nothing = random_model(), tmp_path / "predictions.json"
    save_model(tmp_path / "model", model.network, model.config)

    def chosen(images: int, device: torch.device = CPU) -> str:
        backend, reason = choose_backend([tmp_path / "model"], None, images, device, nothing)
        assert bool(reason) is (backend != "torch")
        return backend

    assert [chosen(images) for images in (1, MANY, MANY_WITH_EXPORT - 1)] == ["torch"] * 3
    assert chosen(MANY_WITH_EXPORT) == "openvino"
    assert chosen(MANY_WITH_EXPORT, torch.device("cuda")) == "torch"
    file = tmp_path / "network.onnx"
    file.write_bytes(b"exported before")
    keep_export(export_key(model.network, model.config, 32), file)
    assert [chosen(images) for images in (MANY - 1, MANY)] == ["torch", "openvino"]


@pytest.mark.usefixtures("empty_cache")
def test_without_the_package_it_is_pytorch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "find_spec", lambda package: None if package == "openvino" else object())
    assert choose_backend(["nuclei-t"], None, 10**6, CPU, tmp_path / "predictions.json") == ("torch", "")


@pytest.mark.parametrize("backend", ["onnx", "torch"])
def test_masks_that_were_begun_are_finished_by_the_same_backend(tmp_path: Path, backend: str) -> None:
    begun = tmp_path / "predictions.json"
    write_json(begun, {"backend": backend})
    assert choose_backend(["nuclei-t"], None, 10**6, CPU, begun)[0] == backend
