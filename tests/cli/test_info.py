"""`tmunet info`."""

import json
from collections.abc import Callable
from pathlib import Path

import yaml

from tmunet import list_models
from tmunet.training.train_config import list_recipes

from .conftest import Answer

Run = Callable[..., Answer]


def test_info_lists_what_is_there(tmunet: Run, golden: Callable[..., None]) -> None:
    answer = tmunet("info")
    golden("info", answer.out, hide=[r"(?s)(?<=versions:\n).*"])
    found = yaml.safe_load(answer.out)
    assert answer.code == 0
    assert (found["networks"], found["recipes"]) == (list(list_models()), list_recipes())
    assert {"tmunet", "python", "torch", "numpy"} <= found["versions"].keys()
    assert json.loads(tmunet("info", "--json").out) == found


def test_info_describes_a_model(tmunet: Run, model: Path) -> None:
    answer = tmunet("info", "-m", model, "--json")
    assert answer.code == 0
    assert json.loads(answer.out) == json.loads((model / "config.json").read_text())
    assert yaml.safe_load(tmunet("info", f"--model={model}").out)["provenance"]["data"] == "007"


def test_info_of_no_model_is_an_error(tmunet: Run, tmp_path: Path) -> None:
    answer = tmunet("info", "-m", tmp_path)
    assert (answer.code, answer.out, answer.error, answer.paths) == (3, "", "no-model", (tmp_path,))
