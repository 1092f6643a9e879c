"""A data set, and an environment with a stand-in for nnU-Net."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tmunet.data.dataset import open_dataset
from tmunet_lab.nnunet.programs import Resources
from tmunet_lab.nnunet.workspace import Workspace, begin, make_record

from .stand_in import make_environment


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    return make_environment(tmp_path / "environment")


@pytest.fixture
def lines() -> list[str]:
    """What the programs said."""
    return []


@pytest.fixture
def resources(lines: list[str]) -> Resources:
    return Resources("cpu", 2, lines.append)


@pytest.fixture
def begun(make_dataset: Callable[..., Path], environment: Path, tmp_path: Path) -> Workspace:
    """A workspace in which nothing is done yet."""
    data = make_dataset(train=3, val=2, test=3)
    record = make_record(open_dataset(data), data, None, environment, "nnUNetTrainer_1epoch", None, 0.5)
    return begin(tmp_path / "work", record)
