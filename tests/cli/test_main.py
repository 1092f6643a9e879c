"""Verbs, exit codes, and what is wrong with what was typed."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tmunet as package
from tmunet import __version__
from tmunet.cli import main as main_module
from tmunet.cli.main import VERBS, entry_point
from tmunet.cli.parser import parse, value_of
from tmunet.cli.predict import PredictConfig

from .conftest import Answer

Run = Callable[..., Answer]
SAMPLE = next((Path(package.__file__).parent / "sample" / "images").iterdir())


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",), ("help",)])
def test_help_names_every_verb_and_exit_code(tmunet: Run, golden: Callable[..., None], words: tuple[str, ...]) -> None:
    answer = tmunet(*words)
    assert answer.code == 0
    assert all(f"\n  {verb} " in answer.out for verb in VERBS)
    golden("help", answer.out, hide=[re.escape(__version__)])


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_is_one_line(tmunet: Run, flag: str) -> None:
    assert tmunet(flag) == Answer(0, f"{__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("trian",), "There is no verb 'trian'. Did you mean 'train'?"),
        (("frobnicate",), "There is no verb 'frobnicate'. Choose one of: bench, check, demo, evaluate, "),
        (("train", "--epohcs", "3"), "There is no flag '--epohcs'. Did you mean '--epochs'? See: tmunet train --help"),
        (("train", "--optimizer.learning-rat=3"), "Did you mean '--optimizer.learning-rate'?"),
        (
            ("train", "--data", "d", "--batch_size", "3"),
            "There is no flag '--batch_size'. Did you mean '--batch-size'?",
        ),
        (("train", "--data", "d", "--optimizer.learning_rate=1"), "Did you mean '--optimizer.learning-rate'?"),
        (("train", "-d", "d", "--model-args", "{refine"), "Expected `--model-args` to be keys and values in YAML"),
        (("train", "--data", "d", "--epochs", "many"), "many"),
        (("train", "--data", "d", "--epochs", "0"), "Expected `epochs` to be at least 1, but got 0."),
        (("train", "--data"), "--data"),
        (("train",), "data"),
        (("train", "--data", "d", "--recipe", "papr"), "There is no recipe 'papr', nor a YAML file of that name."),
        (("train", "--resume", "run", "--epochs", "3"), "Expected nothing beside --resume RUN"),
        (("predict", "a.png", "--modle", "m"), "There is no flag '--modle'. Did you mean '--model'?"),
        (("evaluate", "--model", "m", "--subset", "tests"), "tests"),
        (("evaluate", "--mode", "m"), "There is no flag '--mode'. Did you mean '--model'?"),  # no abbreviations
        (("info", "--jsn"), "There is no flag '--jsn'. Did you mean '--json'?"),
        (("demo", "--epoch", "3"), "There is no flag '--epoch'. Did you mean '--epochs'?"),
    ],
)
def test_what_does_not_exist_is_an_error_that_suggests(tmunet: Run, words: tuple[str, ...], message: str) -> None:
    answer = tmunet(*words)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"tmunet {words[0]}: ")
    assert message in answer.err
    assert "Traceback" not in answer.err


def test_ctrl_c_has_its_exit_code(tmunet: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main_module.importlib, "import_module", interrupt)
    assert tmunet("info") == Answer(130, "", "tmunet info: interrupted.\n")


def test_the_console_script_returns_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["tmunet", "trian"])
    with pytest.raises(SystemExit) as end:
        entry_point()
    assert end.value.code == 2


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["--recipe", "demo"], "demo"),
        (["--epochs", "3", "--recipe=demo"], "demo"),
        (["-r", "demo"], "demo"),
        (["--recipe"], None),
        (["--epochs", "3"], None),
    ],
)
def test_a_flag_can_be_read_before_the_others(words: list[str], value: str | None) -> None:
    assert value_of("--recipe", words) == value


@pytest.mark.parametrize(
    ("words", "tta"), [([], False), (["--tta"], True), (["--tta", "false"], False), (["--tta=true"], True)]
)
def test_a_switch_stands_alone_or_has_a_value(words: list[str], tta: bool) -> None:
    parsed = parse(PredictConfig, [*words, "-o", "masks", "a.png", "b.png"], "predict", words={"images": "files"})
    assert (parsed.tta, parsed.out, parsed.images) == (tta, "masks", ["a.png", "b.png"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "-d", "x", "--epochs", "3.5"), "Expected `epochs` to be a whole number, but got 3.5."),
        (("train", "-d", "x", "--device", "gpu"), "Expected `device` to be auto, cpu, cuda or mps, but got gpu."),
        (("predict", "x", "--tile-size", "256.0"), "Expected `tile_size` to be a whole number or null, but got 256.0."),
        (
            ("train", "-d", "x", "--optimizer.ema-decay", "no"),
            "`optimizer.ema_decay` to be a number or null, but got no.",
        ),
    ],
)
def test_a_value_of_another_kind_is_said_in_words(tmunet: Run, words: tuple[str, ...], message: str) -> None:
    answer = tmunet(*words)
    assert (answer.code, message in answer.err) == (2, True), answer.err


def test_a_place_that_cannot_be_written_is_a_message(tmunet: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = tmunet("predict", SAMPLE, "-o", tmp_path / "file" / "masks", "--device", "cpu")
    assert answer.code == 3
    assert answer.err.splitlines()[-1].startswith(f"tmunet predict: {tmp_path / 'file'}")
    assert "Check that the path exists, has free space, and may be read and written." in answer.err


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of a shell")
def test_a_reader_that_stops_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m tmunet info | head -1", shell=True, capture_output=True, text=True, check=True
    )
    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")
