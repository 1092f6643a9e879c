"""Jobs of a cluster, by submitit's executor for this machine."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tmunet.errors import MissingExtraError, UsageError
from tmunet_lab.experiments.execute_run import Outcome, complete
from tmunet_lab.experiments.plan import PlannedNetwork
from tmunet_lab.experiments.planned_runs import PlannedRun
from tmunet_lab.experiments.processes import Stop
from tmunet_lab.experiments.slurm import submit

pytest.importorskip("submitit")
MakeRuns = Callable[..., list[PlannedRun]]
LOCAL = {"cluster": "local", "timeout_min": 5}
NETWORKS = {"U-Lite": PlannedNetwork("ulite"), "Broken": PlannedNetwork("ulite", {"nonsense": 1})}


def test_each_run_is_a_job_and_one_that_fails_says_why(
    make_runs: MakeRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = make_runs(networks=NETWORKS)
    complete(runs[0], os.environ, Stop())  # by the stand-in
    monkeypatch.undo()  # a job runs the real commands, and finds nothing to do for the first
    told: list[tuple[str, Outcome | None]] = []
    outcomes = submit(runs, LOCAL, tmp_path / "jobs", None, lambda run, outcome: told.append((run.network, outcome)))
    assert [outcomes[run.key].state for run in runs] == ["done", "failed"]
    assert "model_args of ulite: There is no setting 'nonsense'" in outcomes[runs[1].key].detail
    assert told[:2] == [("U-Lite", None), ("Broken", None)]
    assert sorted(network for network, _ in told[2:]) == ["Broken", "U-Lite"]


def test_when_the_time_is_up_jobs_are_cancelled(
    make_runs: MakeRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = make_runs(networks=NETWORKS)[:1]
    monkeypatch.undo()
    outcomes = submit(runs, LOCAL, tmp_path / "jobs", 0.0, lambda *_: None)
    assert [outcome.state for outcome in outcomes.values()] == ["stopped"]


@pytest.mark.parametrize(
    "settings", [{"slurm_partition": "gpu"}, {"cluster": "local", "timeout": 5}, {"cluster": "cloud"}]
)
def test_settings_that_submitit_does_not_take_are_refused(
    settings: dict[str, object], make_runs: MakeRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")  # no Slurm
    with pytest.raises(UsageError, match="submitit does not take these settings"):
        submit(make_runs(), settings, tmp_path / "jobs", None, lambda *_: None)


def test_without_submitit_the_extra_is_named(
    make_runs: MakeRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(MissingExtraError, match=r"tmunet\[cluster\]"):
        submit(make_runs(), LOCAL, tmp_path / "jobs", None, lambda *_: None)
