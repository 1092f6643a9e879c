"""A model's configuration from a stranger: what does not fit is refused, quickly and without taking memory."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tmunet import load_model, save_model
from tmunet.errors import ModelError

from .small_models import random_model

resource = pytest.importorskip("resource", reason="memory is measured as Unix does it")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound model folder."""
    trained = random_model()
    save_model(tmp_path / "model", trained.network, trained.config)
    return tmp_path / "model"


def change(folder: Path, **keys: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))


@pytest.mark.parametrize(
    "model_args",
    [
        {"widths": [8, 16, 32, 64, 40_000]},
        {"widths": [100_000] * 5},
        {"widths": [10**12] * 5},
        {"widths": [2**63] * 5},
        {"widths": [-8] * 5},
        {"widths": [8, 16, 32, 63, 128]},
        {"mstm": {"layers": 10**9}},
        {"mstm": {"heads": 10**12}},
        {"in_channels": 10**9},
        {"num_classes": 10**9},
    ],
)
def test_a_configuration_of_a_giant_is_refused_before_memory_is_taken(folder: Path, model_args: dict[str, Any]) -> None:
    change(folder, model_args=model_args)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(ModelError, match=r"config\.json"):
        load_model(folder)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit < 200e6
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"format": 2}, "expected a model configuration of format 1; was it written by another version?"),
        ({"model": "tmunet_x"}, "There is no network 'tmunet_x'. Did you mean 'tmunet_t'?"),
        ({"model": 3}, "model"),
        ({"network": "tmunet_t"}, "There is no setting 'network'"),
        ({"model_args": {"bogus": 1}}, "There is no setting 'bogus'"),
        ({"model_args": {"mstm": 3}}, "mstm"),
        ({"code": "import os"}, "There is no setting 'code'"),
        ({"classes": ["background"]}, r"Expected `classes` to be 2 to 255 different names, but got \['background'\]"),
        ({"classes": ["a", "a"]}, "Expected `classes`"),
        ({"classes": [str(k) for k in range(256)]}, "Expected `classes`"),
        ({"preprocess": {"size": 3}}, "Expected `size` to be between 32 and 16384 pixels, but got 3."),
        ({"preprocess": {"channels": 0}}, "Expected `channels` to be at least 1, but got 0."),
        ({"preprocess": [1]}, "Expected `preprocess` to be keys and values"),
        ({"scale": {"height": {"lowest": 1, "median": 1, "highest": 1}}}, "scale|width"),
        ({"scale": {axis: {"lowest": 1, "median": 1, "highest": 1e9} for axis in ("height", "width")}}, "highest"),
        (
            {"scale": {axis: {"lowest": 1, "median": float("nan"), "highest": 2} for axis in ("height", "width")}},
            "median",
        ),
        ({"intensity": [{"bits": 12, "lowest": 0, "highest": 1}]}, "bits"),
        ({"turns": {"horizontal_flip": "often"}}, "turns"),
        ({"provenance": "mine"}, "Expected `provenance` to be keys and values, but got 'mine'."),
    ],
)
def test_a_configuration_that_does_not_fit_is_an_error(folder: Path, keys: dict[str, Any], message: str) -> None:
    change(folder, **keys)
    with pytest.raises(ModelError, match=f"config.json: .*{message}"):
        load_model(folder)


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "null", "[" * 100_000, '{"format": 1' + ', "model_args": {"a": ' * 3000]
)
def test_a_configuration_that_is_not_an_object_is_an_error(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelError, match=r"config\.json: expected"):
        load_model(folder)


def test_a_configuration_nested_without_end_is_an_error(folder: Path) -> None:
    change(folder, model_args=json.loads('{"a":' * 700 + "1" + "}" * 700))
    with pytest.raises(ModelError, match=r"config\.json"):
        load_model(folder)
