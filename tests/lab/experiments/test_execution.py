"""Execute several runs: in parallel, one failing, stopped at the time limit, and never by two processes at once."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from tmunet.errors import InputError
from tmunet_lab.experiments.child import MODULE, RESULT, ChildResult, main, run_in_child
from tmunet_lab.experiments.processes import ProcessGroup
from tmunet_lab.experiments.results import collect_results
from tmunet_lab.experiments.run_status import RunStatus, inspect_runs
from tmunet_lab.experiments.runner import ExecutionStatus, RunOutcome, execute_run, execute_runs
from tmunet_lab.experiments.runs import PlannedRun
from tmunet_lab.experiments.workers import worker_environments

from .small_plans import calls

MakeRuns = Callable[..., list[PlannedRun]]
Watched = list[tuple[str, ExecutionStatus | None]]
DONE, FAILED, STOPPED, BUSY = ExecutionStatus


def watcher(watched: Watched) -> Callable[[PlannedRun, RunOutcome | None], None]:
    return lambda run, outcome: watched.append((run.folder.path.name, outcome and outcome.status))


def test_a_failing_run_has_its_reason_and_does_not_stop_the_others(make_runs: MakeRuns, tmp_path: Path) -> None:
    runs = make_runs(seeds=[0, 1])
    (tmp_path / "fail").write_text("train discs-own-u-lite-s0")
    watched: Watched = []
    outcomes = execute_runs(runs, [{}], None, watcher(watched))
    assert [outcomes[run.key].status for run in runs] == [FAILED, DONE, DONE, DONE]
    failed = outcomes[runs[0].key]
    assert (failed.error, failed.reason) == ("InputError", "tmunet train: this was made to fail")
    names = [(run.folder.path.name, outcomes[run.key].status) for run in runs]
    assert watched == [pair for name, status in names for pair in ((name, None), (name, status))]
    results, missing = collect_results(inspect_runs(runs), outcomes)
    assert len(results) == 3
    assert missing == {runs[0].key: f"failed: {failed.reason} See {runs[0].log}"}
    assert runs[0].log.read_text().startswith("$ tmunet train --data=")


def test_nothing_is_done_twice_and_a_failed_step_is_tried_again(make_runs: MakeRuns, tmp_path: Path) -> None:
    runs = make_runs()
    (tmp_path / "fail").write_text("strict discs-own-tm-unet-s0")
    execute_runs(runs, [{}], None, watcher([]))
    (tmp_path / "fail").unlink()
    before = calls(tmp_path)
    outcomes = execute_runs([run for run, progress in inspect_runs(runs) if progress.unscored], [{}], None, watcher([]))
    assert {key: outcome.status for key, outcome in outcomes.items()} == {runs[1].key: DONE}
    assert calls(tmp_path)[len(before) :] == ["strict discs-own-tm-unet-s0"]


@pytest.mark.slow
def test_workers_run_in_parallel_with_their_own_variables(
    make_process_runs: MakeRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    runs = make_process_runs()
    (tmp_path / "meet").write_text("2")  # one alone would wait
    outcomes = execute_runs(runs, [{"OMP_NUM_THREADS": "3"}, {"OMP_NUM_THREADS": "5"}], 120.0, watcher([]))
    assert {outcome.status for outcome in outcomes.values()} == {DONE}
    first = [next(line for line in run.log.read_text().splitlines() if "stand-in: train" in line) for run in runs]
    assert sorted(line.rpartition(", ")[2] for line in first) == ["3 threads", "5 threads"]


@pytest.mark.slow
def test_an_interruption_terminates_a_training_which_is_resumed_later(
    make_process_runs: MakeRuns, tmp_path: Path
) -> None:
    runs = make_process_runs()
    (tmp_path / "slow").write_text("train")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def when_it_trains() -> None:
        while not calls(tmp_path):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        Thread(target=when_it_trains, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            execute_runs(runs, [{}], None, watcher([]))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert [progress.status for _, progress in inspect_runs(runs)] == [RunStatus.INTERRUPTED, RunStatus.PENDING]
    (tmp_path / "slow").unlink()
    assert {outcome.status for outcome in execute_runs(runs, [{}], None, watcher([])).values()} == {DONE}
    names = [run.folder.path.name for run in runs]
    assert calls(tmp_path) == [
        f"train {names[0]}",
        f"resume {names[0]}",
        f"strict {names[0]}",
        f"train {names[1]}",
        f"strict {names[1]}",
    ]


def test_at_the_time_limit_runs_are_stopped_and_none_starts(make_process_runs: MakeRuns) -> None:
    runs = make_process_runs()
    outcomes = execute_runs(runs, [{}], 0.0, watcher([]))
    assert {outcome.status for outcome in outcomes.values()} <= {STOPPED}
    assert runs[1].key not in outcomes


def test_a_run_that_another_process_works_on_is_busy(make_runs: MakeRuns, tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    run, _ = make_runs()
    run.log.parent.mkdir()
    with run.log.open("ab") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        outcome = execute_run(run, os.environ, ProcessGroup())
    assert outcome.status == BUSY
    assert calls(tmp_path) == []
    assert collect_results(inspect_runs([run]), {run.key: outcome})[1] == {run.key: outcome.reason}
    assert execute_run(run, os.environ, ProcessGroup()).status == DONE


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    processes = ProcessGroup()
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    codes: list[int] = []
    with (tmp_path / "log").open("wb") as log:
        thread = Thread(target=lambda: codes.append(processes.run([sys.executable, "-c", deaf], os.environ, log)))
        thread.start()
        while not (tmp_path / "log").read_text():
            time.sleep(0.02)
        processes.terminate(grace=0.2)
        thread.join(timeout=30)
        assert codes == [-signal.SIGKILL]
        assert processes.terminated
        assert processes.run([sys.executable, "-c", "1"], os.environ, log) == -signal.SIGTERM  # not started


@pytest.mark.parametrize(
    ("error", "expected", "raised"),
    [
        (InputError("no [a] here.\n  - b"), ChildResult(3, "InputError", "no [a] here.\n  - b"), False),
        (KeyError("x"), ChildResult(1, "KeyError", "'x'"), True),
        (KeyboardInterrupt(), ChildResult(130, "KeyboardInterrupt", ""), True),
    ],
)
def test_a_child_reports_its_error(
    error: BaseException, expected: ChildResult, raised: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> int:
        raise error

    monkeypatch.setenv(RESULT, str(tmp_path / "result.json"))
    if raised:
        with pytest.raises(type(error)):
            main(["train"], {"train": fail})
    else:
        assert main(["train"], {"train": fail}) == expected.exit_code
    assert ChildResult(**json.loads((tmp_path / "result.json").read_text())) == expected


def test_ranks_other_than_the_first_report_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RESULT, str(tmp_path / "result.json"))
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert main(["train"], {"train": lambda _: 0}) == 0
    assert not (tmp_path / "result.json").exists()


def test_a_child_is_a_process_with_a_result_and_one_that_is_killed_has_the_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = tmp_path / "result.json"
    result.write_text('{"error": "of another command", "message": ""}')
    with (tmp_path / "log").open("wb") as log:
        found = run_in_child(["info", "--nonsense"], os.environ, ProcessGroup(), log, result)
        assert (found.exit_code, found.error) == (2, "UsageError")
        assert found.message in (tmp_path / "log").read_text()
        killed = tmp_path / "killed"
        killed.write_text(f"#!/bin/sh\ntest $2 = {MODULE} && kill -9 $$\n")
        killed.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(killed))
        found = run_in_child(["info"], os.environ, ProcessGroup(), log, result)
    assert (found.exit_code, found.error) == (-9, "")
    assert "SIGKILL" in found.message


@pytest.mark.parametrize(
    ("cuda", "workers", "devices", "expected"),
    [
        ([], None, 1, [(None, "16")]),
        ([], 3, 1, [(None, "5")] * 3),
        ([], 2, 2, [(None, "4")] * 2),
        (["0", "1"], None, 1, [("0", "8"), ("1", "8")]),
        (["4", "7"], 1, 1, [("4", "16")]),
        (["0", "1"], 3, 1, [("0", "5"), ("1", "5"), ("0", "5")]),
        (["0", "1", "2"], None, 2, [("0,1", "16")]),
        (["0"], None, 2, [("0", "16")]),
        (["GPU-a", "GPU-b"], 40, 1, [("GPU-a", "1"), ("GPU-b", "1")] * 20),
    ],
)
def test_devices_and_threads_of_workers(
    cuda: list[str], workers: int | None, devices: int, expected: list[tuple[str | None, str]]
) -> None:
    found = worker_environments(cuda, workers, devices, cores=16)
    assert [(one.get("CUDA_VISIBLE_DEVICES"), one["OMP_NUM_THREADS"]) for one in found] == expected
