"""Jobs of a cluster, by submitit's executor for this machine."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tmunet.errors import MissingExtraError, UsageError
from tmunet_lab.experiments.plan import PlannedNetwork
from tmunet_lab.experiments.processes import ProcessGroup
from tmunet_lab.experiments.runner import ExecutionStatus, RunOutcome, execute_run
from tmunet_lab.experiments.runs import PlannedRun
from tmunet_lab.experiments.slurm import submit_runs

from ...coded_errors import coded

pytest.importorskip("submitit")
MakeRuns = Callable[..., list[PlannedRun]]
LOCAL = {"cluster": "local", "timeout_min": 5}
NETWORKS = {"U-Lite": PlannedNetwork("ulite"), "Broken": PlannedNetwork("ulite", {"nonsense": 1})}


@pytest.mark.slow
def test_each_run_is_a_job_and_one_that_fails_says_why(
    make_runs: MakeRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = make_runs(networks=NETWORKS)
    execute_run(runs[0], os.environ, ProcessGroup())  # by the stand-in
    monkeypatch.undo()  # a job runs the real commands, and has nothing to do for the first
    watched: list[tuple[str, RunOutcome | None]] = []
    outcomes = submit_runs(
        runs, LOCAL, tmp_path / "jobs", None, lambda run, outcome: watched.append((run.network, outcome))
    )
    assert [outcomes[run.key].status for run in runs] == [ExecutionStatus.DONE, ExecutionStatus.FAILED]
    assert outcomes[runs[1].key].error == "UsageError"
    assert watched[:2] == [("U-Lite", None), ("Broken", None)]
    assert sorted(network for network, _ in watched[2:]) == ["Broken", "U-Lite"]


@pytest.mark.slow
def test_at_the_time_limit_jobs_are_cancelled(
    make_runs: MakeRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = make_runs(networks=NETWORKS)[:1]
    monkeypatch.undo()
    outcomes = submit_runs(runs, LOCAL, tmp_path / "jobs", 0.0, lambda *_: None)
    assert [outcome.status for outcome in outcomes.values()] == [ExecutionStatus.STOPPED]


@pytest.mark.parametrize(
    "settings", [{"slurm_partition": "gpu"}, {"cluster": "local", "timeout": 5}, {"cluster": "cloud"}]
)
def test_settings_that_submitit_does_not_take_are_refused(
    settings: dict[str, object], make_runs: MakeRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")  # no Slurm
    with pytest.raises(UsageError, check=coded("slurm")):
        submit_runs(make_runs(), settings, tmp_path / "jobs", None, lambda *_: None)


def test_without_submitit_the_extra_is_named(
    make_runs: MakeRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(MissingExtraError, match=r"tmunet\[cluster\]"):
        submit_runs(make_runs(), LOCAL, tmp_path / "jobs", None, lambda *_: None)
