"""One short run that many tests look at."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tmunet.training.run_folder import RunFolder

from ..conftest import write_discs
from .runs import run_here


@dataclass(frozen=True)
class Trained:
    """A data set and a finished run on it."""

    data: Path
    run: RunFolder


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Three epochs with seed 5; shared, so not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    data = write_discs(folder)
    return Trained(data, run_here(data, folder / "run", epochs=3, tensorboard=True, seed=5))


@pytest.fixture
def copied_run(trained: Trained, tmp_path: Path) -> RunFolder:
    """A copy of that run that a test may change."""
    shutil.copytree(trained.run.path, tmp_path / "run")
    return RunFolder(tmp_path / "run")
