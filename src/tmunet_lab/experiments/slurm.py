"""Complete several runs as jobs of a cluster, through submitit."""

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

from tmunet.errors import UsageError
from tmunet.extras import require
from tmunet_lab.experiments.execute_plan import Watch
from tmunet_lab.experiments.execute_run import Outcome, complete, last_lines
from tmunet_lab.experiments.planned_runs import Key, PlannedRun
from tmunet_lab.experiments.processes import Stop

_ASK_EVERY = 1.0  # seconds


def submit(
    runs: Sequence[PlannedRun], settings: Mapping[str, Any], folder: Path, seconds: float | None, watch: Watch
) -> dict[Key, Outcome]:
    """Submit each run as a job of its own, and wait for them; see `execute`.

    Args:
        runs: what is to be completed.
        settings: of submitit, such as {slurm_partition: gpu, gpus_per_node: 1, timeout_min: 720}; `cluster: local` runs the
            jobs on this machine, all at once.
        folder: for what submitit writes; all machines see it.
        seconds: after which all jobs are cancelled; None waits for all.
        watch: told of submissions and ends.

    Raises:
        MissingExtraError: submitit is not installed.
        UsageError: there is no such cluster here, or no such setting.
        KeyboardInterrupt: after the jobs have been cancelled.
    """
    require("submitit", extra="cluster")
    from submitit.helpers import as_completed

    executor = _executor(settings, folder)
    jobs = executor.map_array(complete_as_job, runs)
    run_of = {job.job_id: run for job, run in zip(jobs, runs, strict=True)}
    for run in runs:
        watch(run, None)
    outcomes: dict[Key, Outcome] = {}
    try:
        for job in as_completed(jobs, timeout=seconds, poll_frequency=_ASK_EVERY):
            run = run_of[job.job_id]
            outcomes[run.key] = _outcome(job)
            watch(run, outcomes[run.key])
    except TimeoutError:
        _cancel(jobs)
    except BaseException:
        _cancel(jobs)
        raise
    return {run.key: outcomes.get(run.key, Outcome("stopped", 0.0)) for run in runs}


def complete_as_job(run: PlannedRun) -> Outcome:
    """Complete a run inside a job; what cancels the job gives its training time to write its state."""
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: Thread(target=stop.ask).start())
    # without Slurm's own variables: a job is one task, and a training on several devices starts its other processes itself
    return complete(run, {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}, stop)


def _executor(settings: Mapping[str, Any], folder: Path) -> Any:
    from submitit import AutoExecutor

    parameters = dict(settings)
    cluster = parameters.pop("cluster", "slurm")
    try:
        executor = AutoExecutor(folder=folder, cluster=cluster)
        executor.update_parameters(**parameters)
    except Exception as error:  # of many kinds, from asserts to missing programs
        raise UsageError(f"slurm: submitit does not take these settings on this machine: {error}") from None
    return executor


def _outcome(job: Any) -> Outcome:
    from submitit.core.utils import UncompletedJobError

    try:
        outcome: Outcome = job.result()
    except UncompletedJobError:
        log = Path(job.paths.stderr)
        said = f"The last lines of {log}:\n{last_lines(log)}" if log.is_file() else "It left no log."
        return Outcome("failed", 0.0, f"job {job.job_id} ended without a result ({job.state}). {said}")
    return outcome


def _cancel(jobs: Sequence[Any]) -> None:
    for job in jobs:
        if not job.done():
            job.cancel(check=False)
