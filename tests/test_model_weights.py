"""Weights from a stranger: nothing is executed, and what does not fit is refused."""

import io
import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tmunet import load_model, save_model
from tmunet.errors import ModelError

from .coded_errors import coded
from .small_models import random_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound model folder."""
    trained = random_model()
    save_model(tmp_path / "model", trained.network, trained.config)
    return tmp_path / "model"


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.write_text, (self.target, "executed")


def zipped(content: object) -> bytes:
    """As torch.save writes it."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "name", ["model.ckpt", "model.pt", "model.pth", "model/model.safetensors", "model/config.json"]
)
def test_a_pickle_is_never_executed(folder: Path, name: str) -> None:
    target, bomb = folder.parent / "executed", pickle.dumps(Bomb(folder.parent / "executed"))
    pickle.loads(bomb)
    assert target.read_text() == "executed"  # the bomb works
    target.unlink()
    for content in (bomb, zipped(Bomb(target))):
        (folder.parent / name).write_bytes(content)
        with pytest.raises(ModelError):
            load_model(folder.parent / name)
        with pytest.raises(ModelError):
            load_model(folder if "/" in name else folder.parent / name)
        assert not target.exists()


def header(length: int, tensors: object) -> bytes:
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text) if length < 0 else length) + text


ONE_TENSOR = {"head.bias": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
HUGE_TENSOR = {"head.bias": {"dtype": "F32", "shape": [2_500_000_000], "data_offsets": [0, 10_000_000_000]}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 7,
        header(2**62, ONE_TENSOR),
        header(100_000_000, ONE_TENSOR),
        header(-1, ONE_TENSOR),
        header(-1, HUGE_TENSOR) + b"\0" * 4,
        header(-1, {"head.bias": {"dtype": "F32", "shape": [1], "data_offsets": [0, 8]}}) + b"\0" * 8,
        header(-1, "text") + b"\0" * 8,
        header(-1, ONE_TENSOR)[:-5],
    ],
)
def test_weights_that_lie_about_themselves_are_an_error(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, check=coded("weights")):
        load_model(folder)


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_weights_cut_short_are_an_error(folder: Path, share: float) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ModelError, check=coded("weights")):
        load_model(folder)


def test_missing_weights_are_an_error(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, check=coded("weights")):
        load_model(folder)


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (None, r"'head.bias' does not fit config.json: expected \[1\] torch.float32, but found nothing"),
        (torch.zeros(2), r"expected \[1\] torch.float32, but found \[2\] torch.float32"),
        (torch.zeros(1, dtype=torch.float16), r"expected \[1\] torch.float32, but found \[1\] torch.float16"),
    ],
)
def test_a_tensor_that_does_not_fit_is_an_error(folder: Path, tensor: torch.Tensor | None, message: str) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["head.bias"]
    save_file(weights if tensor is None else {**weights, "head.bias": tensor}, folder / "model.safetensors")
    with pytest.raises(ModelError, match=message):
        load_model(folder)


def test_a_tensor_too_many_is_an_error(folder: Path) -> None:
    weights = {**load_file(folder / "model.safetensors"), "backdoor": torch.zeros(3)}
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ModelError, match=r"'backdoor' does not fit .*: expected nothing, but found \[3\]"):
        load_model(folder)
