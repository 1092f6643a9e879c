"""Execute runs: train or resume, then evaluate, each step in a child process, as many runs at once as there are workers."""

import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import StrEnum
from queue import SimpleQueue
from typing import IO

from tmunet.errors import TMUNetError
from tmunet_lab.experiments.child import run_in_child
from tmunet_lab.experiments.processes import ProcessGroup
from tmunet_lab.experiments.run_status import RunProgress, RunStatus, inspect_run
from tmunet_lab.experiments.runs import PlannedRun, RunKey, evaluate_command, resume_command, train_command


class ExecutionStatus(StrEnum):
    """How an attempt to complete a run ended."""

    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"  # the next command continues it
    BUSY = "busy"  # another process works on the run


@dataclass(frozen=True)
class RunOutcome:
    """Result of an attempt to complete a run.

    Attributes:
        status: how it ended.
        seconds: wall time.
        reason: why the run is not done.
        error: class name of the exception that made it fail, if one was reported.
    """

    status: ExecutionStatus
    seconds: float
    reason: str = ""
    error: str = ""


Watch = Callable[[PlannedRun, RunOutcome | None], object]
"""Called when a run starts (no outcome yet) and when it ends."""


def execute_runs(
    runs: Sequence[PlannedRun], environments: Sequence[Mapping[str, str]], seconds: float | None, watch: Watch
) -> dict[RunKey, RunOutcome]:
    """Execute runs in their order; one that fails does not stop the others.

    Args:
        runs: the runs.
        environments: one for each worker: variables that differ from this process. OMP_NUM_THREADS of this process stays.
        seconds: time limit, after which nothing starts and running processes are terminated; None for no limit.
        watch: called at starts and ends.

    Returns:
        The outcomes of the runs that were started.

    Raises:
        KeyboardInterrupt: after running processes were terminated.
    """
    free: SimpleQueue[Mapping[str, str]] = SimpleQueue()
    for environment in environments:
        free.put(environment)
    processes = ProcessGroup()
    outcomes: dict[RunKey, RunOutcome] = {}

    def work(run: PlannedRun) -> None:
        if processes.terminated:
            return
        environment = free.get()
        try:
            watch(run, None)
            fixed = {name: value for name, value in os.environ.items() if name == "OMP_NUM_THREADS"}
            outcomes[run.key] = execute_run(run, {**os.environ, **environment, **fixed}, processes)
            watch(run, outcomes[run.key])
        finally:
            free.put(environment)

    with ThreadPoolExecutor(len(environments)) as pool:
        futures = [pool.submit(work, run) for run in runs]
        try:
            _, late = wait(futures, timeout=seconds)
            if late:
                processes.terminate()
        except BaseException:
            processes.terminate()
            raise
    for future in futures:
        future.result()
    return outcomes


def execute_run(run: PlannedRun, environment: Mapping[str, str], processes: ProcessGroup) -> RunOutcome:
    """Execute the remaining steps of a run; their output goes to `run.log`, the result of the last one to a JSON file beside it.

    Args:
        run: a run whose data set is there.
        environment: all environment variables of its processes.
        processes: group of its processes.
    """
    start = time.monotonic()
    run.log.parent.mkdir(parents=True, exist_ok=True)
    with run.log.open("ab") as log:
        if not _lock(log):
            return RunOutcome(ExecutionStatus.BUSY, 0.0, f"another process works on it and writes {run.log}")
        status, reason, error = ExecutionStatus.DONE, "", ""
        try:
            for words in _remaining_commands(run, inspect_run(run)):
                log.write(f"$ {shlex.join(['tmunet', *words])}\n".encode())
                log.flush()
                ended = run_in_child(words, environment, processes, log, run.log.with_suffix(".json"))
                if processes.terminated:
                    status = ExecutionStatus.STOPPED
                    break
                if ended.exit_code:
                    status, error = ExecutionStatus.FAILED, ended.error
                    reason = f"tmunet {words[0]}: {ended.message or ended.error}"
                    break
            else:
                left = inspect_run(run).status
                if left != RunStatus.DONE:
                    status, reason = ExecutionStatus.FAILED, f"all commands succeeded, but the run is {left}."
        except (TMUNetError, OSError) as fault:
            status, reason, error = ExecutionStatus.FAILED, str(fault), type(fault).__name__
    return RunOutcome(status, time.monotonic() - start, reason, error)


def _remaining_commands(run: PlannedRun, progress: RunProgress) -> list[list[str]]:
    evaluations = [evaluate_command(run, protocol) for protocol in progress.unscored]
    if progress.status == RunStatus.PENDING:
        if run.folder.path.is_dir():  # killed before its settings were written: nothing is trained yet
            for path in run.folder.path.iterdir():
                path.unlink()
        return [train_command(run), *evaluations]
    return [resume_command(run), *evaluations] if progress.status == RunStatus.INTERRUPTED else evaluations


def _lock(log: IO[bytes]) -> bool:
    """Lock a log while it is open here or in a child that writes it, which may outlive this process; False if it is locked."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
