"""Several runs: at once, one failing, stopped when the time is up, and never two hands on one run."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from tmunet_lab.experiments.execute_plan import execute
from tmunet_lab.experiments.execute_run import Outcome, complete, last_lines
from tmunet_lab.experiments.planned_runs import PlannedRun
from tmunet_lab.experiments.processes import Stop
from tmunet_lab.experiments.run_log import collect
from tmunet_lab.experiments.run_state import examine
from tmunet_lab.experiments.workers import worker_environments

from .small_grids import calls

MakeRuns = Callable[..., list[PlannedRun]]
Told = list[tuple[str, str | None]]


def watcher(told: Told) -> Callable[[PlannedRun, Outcome | None], None]:
    return lambda run, outcome: told.append((run.folder.path.name, outcome and outcome.state))


def test_one_that_fails_is_told_with_its_last_words_and_the_others_go_on(make_runs: MakeRuns, tmp_path: Path) -> None:
    runs = make_runs(seeds=[0, 1])
    (tmp_path / "fail").write_text("train discs-own-u-lite-s0")
    told: Told = []
    outcomes = execute(runs, [{}], None, watcher(told))
    assert [outcomes[run.key].state for run in runs] == ["failed", "done", "done", "done"]
    assert "tmunet train ended with exit code 1" in outcomes[runs[0].key].detail
    assert outcomes[runs[0].key].detail.endswith("    tmunet: this was made to fail")
    assert told == [
        pair
        for run in runs
        for name in [run.folder.path.name]
        for pair in ((name, None), (name, outcomes[run.key].state))
    ]
    found = collect(examine(runs), outcomes)
    assert len(found.results) == 3
    assert found.missing == {runs[0].key: f"failed: tmunet: this was made to fail See {runs[0].log}"}
    log = runs[0].log.read_text()
    assert log.startswith("$ tmunet train --data=")


def test_nothing_is_done_twice_and_a_failed_one_is_tried_again(make_runs: MakeRuns, tmp_path: Path) -> None:
    runs = make_runs()
    (tmp_path / "fail").write_text("strict discs-own-tm-unet-s0")
    execute(runs, [{}], None, watcher([]))
    (tmp_path / "fail").unlink()
    before = calls(tmp_path)
    outcomes = execute([run for run, state in examine(runs) if state.unscored], [{}], None, watcher([]))
    assert {key: outcome.state for key, outcome in outcomes.items()} == {runs[1].key: "done"}
    assert calls(tmp_path)[len(before) :] == ["strict discs-own-tm-unet-s0"]


def test_workers_work_at_once_each_with_its_own_variables(
    make_runs: MakeRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    runs = make_runs()
    (tmp_path / "meet").write_text("2")  # one alone would wait
    outcomes = execute(runs, [{"OMP_NUM_THREADS": "3"}, {"OMP_NUM_THREADS": "5"}], 120.0, watcher([]))
    assert {outcome.state for outcome in outcomes.values()} == {"done"}
    first = [next(line for line in run.log.read_text().splitlines() if "stand-in: train" in line) for run in runs]
    assert sorted(line.rpartition(", ")[2] for line in first) == ["3 threads", "5 threads"]


def test_an_interruption_stops_what_runs_which_resumes_and_nothing_else_starts(
    make_runs: MakeRuns, tmp_path: Path
) -> None:
    runs = make_runs()
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
            execute(runs, [{}], None, watcher([]))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert [state.name for _, state in examine(runs)] == ["interrupted", "to do"]
    (tmp_path / "slow").unlink()
    assert {outcome.state for outcome in execute(runs, [{}], None, watcher([])).values()} == {"done"}
    names = [run.folder.path.name for run in runs]
    assert calls(tmp_path) == [
        f"train {names[0]}",
        f"resume {names[0]}",
        f"strict {names[0]}",
        f"train {names[1]}",
        f"strict {names[1]}",
    ]


def test_when_the_time_is_up_what_runs_is_stopped_and_nothing_starts(make_runs: MakeRuns) -> None:
    runs = make_runs()
    outcomes = execute(runs, [{}], 0.0, watcher([]))
    assert {outcome.state for outcome in outcomes.values()} <= {"stopped"}
    assert runs[1].key not in outcomes
    assert {outcome.state for outcome in execute(runs, [{}], None, watcher([])).values()} == {"done"}


def test_a_run_that_another_process_works_on_is_left_alone(make_runs: MakeRuns, tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    run, _ = make_runs()
    run.log.parent.mkdir()
    with run.log.open("ab") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        outcome = complete(run, os.environ, Stop())
    assert outcome.state == "busy"
    assert calls(tmp_path) == []
    assert "another process works on it" in collect(examine([run]), {run.key: outcome}).missing[run.key]
    assert complete(run, os.environ, Stop()).state == "done"


def test_a_process_that_does_not_end_is_ended_by_force(tmp_path: Path) -> None:
    stop = Stop()
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    codes: list[int] = []
    with (tmp_path / "log").open("wb") as log:
        thread = Thread(target=lambda: codes.append(stop.run([sys.executable, "-c", deaf], os.environ, log)))
        thread.start()
        while not (tmp_path / "log").read_text():
            time.sleep(0.02)
        stop.ask(grace=0.2)
        thread.join(timeout=30)
        assert codes == [-9]
        assert stop.run([sys.executable, "-c", "1"], os.environ, log) == -15  # not started


def test_last_lines_show_a_progress_bar_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"first\n" + b"train: 1 %\rtrain: 2 %\rtrain: 3 %\n\nTraceback\nValueError: no\n")
    assert last_lines(log).splitlines() == ["    first", "    train: 3 %", "    Traceback", "    ValueError: no"]
    log.write_text("\n".join(map(str, range(100))))
    assert last_lines(log).splitlines()[0] == "    92"


def test_last_lines_are_those_of_the_last_command(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("$ tmunet train --seed=0\ntmunet train: The loss is not finite.\n$ tmunet train --seed=0\nKilled\n")
    assert last_lines(log) == "    Killed"


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
def test_devices_and_threads_are_shared_out(
    cuda: list[str], workers: int | None, devices: int, expected: list[tuple[str | None, str]]
) -> None:
    found = worker_environments(cuda, workers, devices, cores=16)
    assert [(one.get("CUDA_VISIBLE_DEVICES"), one["OMP_NUM_THREADS"]) for one in found] == expected
