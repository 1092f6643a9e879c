"""The command line, called in this process or in one of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tmunet.cli.main import main
from tmunet.model import save_model

from ..small_models import random_model


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def tmunet(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run `tmunet WORDS...` in this process."""

    def call(*words: object) -> Answer:
        capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:  # how --help ends
            code = int(end.code or 0)
        return Answer(code, *capsys.readouterr())

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
def model(tmp_path: Path) -> Path:
    """A model folder."""
    trained = random_model()
    save_model(tmp_path / "model", trained.network, trained.config)
    return tmp_path / "model"
