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
    ("words", "error", "near"),
    [
        (("trian",), "verb", "'train'"),
        (("frobnicate",), "verb", None),
        (("train", "--epohcs", "3"), "flag", "'--epochs'"),
        (("train", "--optimizer.learning-rat=3"), "flag", "'--optimizer.learning-rate'"),
        (("train", "--data", "d", "--batch_size", "3"), "flag", "'--batch-size'"),
        (("train", "--data", "d", "--optimizer.learning_rate=1"), "flag", "'--optimizer.learning-rate'"),
        (("train", "-d", "d", "--model-args", "{refine"), "flag", "`--model-args`"),
        (("train", "--data", "d", "--epochs", "many"), "type", "many"),
        (("train", "--data", "d", "--epochs", "0"), "value", "`epochs`"),
        (("train", "--data"), "flag", "--data"),
        (("train",), "missing", "--data"),
        (("train", "--data", "d", "--recipe", "papr"), "recipe", "'paper'"),
        (("train", "--resume", "run", "--batch-size", "3"), "flags", None),
        (("train", "--resume", "run", "--epochs", "3.5"), "flags", None),
        (("predict", "a.png", "--modle", "m"), "flag", "'--model'"),
        (("evaluate", "--model", "m", "--subset", "tests"), "type", "tests"),
        (("evaluate", "--mode", "m"), "flag", "'--model'"),  # no abbreviations
        (("info", "--jsn"), "flag", "'--json'"),
        (("demo", "--epoch", "3"), "flag", "'--epochs'"),
        (("train", "-d", "x", "--epochs", "3.5"), "type", "`epochs`"),
        (("train", "-d", "x", "--device", "gpu"), "type", "`device`"),
        (("predict", "x", "--tile-size", "256.0"), "type", "`tile_size`"),
        (("train", "-d", "x", "--optimizer.ema-decay", "no"), "type", "`optimizer.ema_decay`"),
    ],
)
def test_what_does_not_exist_is_an_error_that_suggests(
    tmunet: Run, words: tuple[str, ...], error: str, near: str | None
) -> None:
    answer = tmunet(*words)
    assert (answer.code, answer.out, answer.error) == (2, "", error)
    assert answer.err.startswith(f"tmunet {words[0]}: ")
    assert near is None or near in answer.err
    assert "Traceback" not in answer.err


def test_what_was_typed_wrong_is_told_in_words(tmunet: Run, golden: Callable[..., None]) -> None:
    typed = (
        ("trian",),
        ("frobnicate",),
        ("train", "--epohcs", "3"),
        ("train", "-d", "d", "--model-args", "{refine"),
        ("train",),
        ("train", "-d", "d", "--epochs", "3.5"),
        ("train", "-d", "d", "--epochs", "0"),
        ("predict", "x", "--tile-size", "256.0"),
    )
    golden("usage", "".join(tmunet(*words).err for words in typed))


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


def test_a_place_that_cannot_be_written_is_a_message(tmunet: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = tmunet("predict", SAMPLE, "-o", tmp_path / "file" / "masks", "--device", "cpu")
    assert answer.code == 3
    assert answer.err.splitlines()[-1].startswith(f"tmunet predict: {tmp_path / 'file'}")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of a shell")
def test_a_reader_that_stops_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m tmunet info | head -1", shell=True, capture_output=True, text=True, check=True
    )
    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")
