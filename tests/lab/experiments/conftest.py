"""Runs on a small data set, executed by the stand-in: in this process, or in one of their own."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tmunet.errors import TMUNetError
from tmunet_lab.experiments import runner
from tmunet_lab.experiments.child import ChildResult
from tmunet_lab.experiments.runs import PlannedRun

from .small_plans import small_runs, write_stand_in
from .stand_in import verbs

MakeRuns = Callable[..., list[PlannedRun]]


@pytest.fixture
def make_runs(make_dataset: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeRuns:
    """The runs of a small plan; the stand-in executes their commands in this process."""

    def run_here(words: Sequence[str], *_: object) -> ChildResult:
        try:
            return ChildResult(verbs(tmp_path)[words[0]](words[1:]))
        except TMUNetError as error:
            return ChildResult(error.exit_code, type(error).__name__, str(error))

    make_dataset(train=8, val=2, test=2)
    monkeypatch.setattr(runner, "run_in_child", run_here)

    def make(**changes: Any) -> list[PlannedRun]:
        return small_runs(tmp_path, **changes)

    return make


@pytest.fixture
def make_process_runs(make_dataset: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeRuns:
    """The runs of a small plan; the stand-in, in `tmp_path`, takes the place of Python in child processes."""
    make_dataset(train=8, val=2, test=2)
    monkeypatch.setattr(sys, "executable", write_stand_in(tmp_path))

    def make(**changes: Any) -> list[PlannedRun]:
        return small_runs(tmp_path, **changes)

    return make
