"""The command line, called in this process or in one of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tmunet.cli import main as main_module
from tmunet.cli.main import show_error
from tmunet.errors import TMUNetError
from tmunet.model import save_model

from ..small_models import random_model


@dataclass(frozen=True)
class Answer:
    """What a command left behind: exit code, output, and the code and files of the error that ended it."""

    code: int
    out: str
    err: str
    error: str | None = None
    paths: tuple[Path, ...] = ()


@pytest.fixture
def tmunet(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """Run `tmunet WORDS...` in this process."""
    errors: list[TMUNetError] = []

    def noted(verb: str, error: TMUNetError) -> int:
        errors.append(error)
        return show_error(verb, error)

    monkeypatch.setattr(main_module, "show_error", noted)

    def call(*words: object) -> Answer:
        capsys.readouterr()
        errors.clear()
        try:
            code = main_module.main([str(word) for word in words])
        except SystemExit as end:  # how --help ends
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        if not errors:
            return Answer(code, out, err)
        (error,) = errors
        assert err.endswith(f"tmunet {words[0]}: {error}\n")
        return Answer(code, out, err, error.code, error.paths)

    return call


@pytest.fixture
def python(tmp_path: Path) -> Callable[[Sequence[str]], Answer]:
    """Run `python WORDS...` as a process of its own, in an empty folder."""
    here = tmp_path / "here"
    here.mkdir()

    def call(words: Sequence[str]) -> Answer:
        environment = {**os.environ, "COLUMNS": "200"}
        done = subprocess.run(
            [sys.executable, *words], cwd=here, env=environment, capture_output=True, text=True, timeout=120
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., None]:
    """Compare what the terminal shows with `golden/NAME.txt`; `pytest --regenerate-golden` writes the file.

    The test's folder is written TMP, and what matches a pattern of `hide`, such as times, is written `...`.
    """

    def check(name: str, text: str, hide: Sequence[str] = ()) -> None:
        shown = text.replace(str(tmp_path), "TMP")
        for pattern in hide:
            shown = re.sub(pattern, "...", shown)
        path = Path(__file__).parent / "golden" / f"{name}.txt"
        if request.config.getoption("--regenerate-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(shown, encoding="utf-8")
        assert shown == path.read_text(encoding="utf-8")

    return check


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model folder."""
    trained = random_model()
    save_model(tmp_path / "model", trained.network, trained.config)
    return tmp_path / "model"
