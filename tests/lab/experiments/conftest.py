"""Runs on a small data set, completed by the stand-in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tmunet_lab.experiments import execute_run as complete
from tmunet_lab.experiments.planned_runs import PlannedRun

from .small_grids import small_runs, write_stand_in


@pytest.fixture
def make_runs(
    make_dataset: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[PlannedRun]]:
    """The runs of a small plan; their commands are the stand-in's, which lies in `tmp_path`."""
    make_dataset(train=8, val=2, test=2)
    monkeypatch.setattr(complete.sys, "executable", write_stand_in(tmp_path))

    def make(**changes: Any) -> list[PlannedRun]:
        return small_runs(tmp_path, **changes)

    return make
