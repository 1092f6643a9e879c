"""Real processes: exit codes, and that looking something up does not wait for torch."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass

import pytest
from docstring_parser import parse_from_object

from tmunet import __version__, list_models
from tmunet.cli.parser import to_flag
from tmunet.training.train_config import TrainConfig, list_recipes

from .conftest import Answer

Run = Callable[[Sequence[str]], Answer]
SLOW = {"torch", "pytorch_lightning", "torchvision", "monai", "matplotlib", "scipy"}


def imported(report: str) -> set[str]:
    """The packages in a report of `-X importtime`."""
    lines = (line for line in report.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def help_texts(settings: type) -> Iterator[tuple[str, str]]:
    """Name and docstring of every field of a settings dataclass, nested ones too."""
    texts = {found.arg_name: found.description or "" for found in parse_from_object(settings).params}
    for field in fields(settings):
        if isinstance(field.type, type) and is_dataclass(field.type):
            yield from ((f"{field.name}.{name}", text) for name, text in help_texts(field.type))
        else:
            yield field.name, texts[field.name]


def squeezed(text: str) -> str:
    return "".join(text.split())


def test_the_help_of_train_explains_every_setting_without_torch(python: Run) -> None:
    answer = python(["-X", "importtime", "-m", "tmunet", "train", "--help"])
    assert answer.code == 0
    shown, texts = squeezed(answer.out), dict(help_texts(TrainConfig))
    assert {"data", "epochs", "optimizer.clip_norm", "augment.zoom"} < texts.keys()
    for name, text in texts.items():
        assert to_flag(name) in answer.out
        assert len(text) > 5
        assert squeezed(text) in shown, name
    assert not imported(answer.err) & SLOW


def test_info_is_json_for_machines_without_torch(python: Run) -> None:
    answer = python(["-X", "importtime", "-m", "tmunet", "info", "--json"])
    assert answer.code == 0
    found = json.loads(answer.out)
    assert found["networks"] == list(list_models())
    assert found["recipes"] == list_recipes()
    assert found["versions"]["tmunet"] == __version__
    assert not imported(answer.err) & SLOW


@pytest.mark.parametrize(
    ("words", "code", "start"),
    [
        (["--version"], 0, ""),
        (["trian"], 2, "tmunet trian: "),
        (["info", "--model", "nowhere"], 3, "tmunet info: nowhere: "),
    ],
)
def test_a_process_ends_with_its_exit_code(python: Run, words: list[str], code: int, start: str) -> None:
    answer = python(["-m", "tmunet", *words])
    assert answer.code == code
    assert answer.err.startswith(start)
    assert "Traceback" not in answer.err
