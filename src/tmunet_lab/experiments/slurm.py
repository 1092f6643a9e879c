"""Execute runs as jobs of a Slurm cluster, through submitit."""

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

from tmunet.machines.slurm_pool import cancel_jobs, slurm_executor
from tmunet_lab.experiments.processes import ProcessGroup
from tmunet_lab.experiments.runner import ExecutionStatus, RunOutcome, Watch, execute_run
from tmunet_lab.experiments.runs import PlannedRun, RunKey

_POLL = 1.0  # seconds


def submit_runs(
    runs: Sequence[PlannedRun], settings: Mapping[str, Any], folder: Path, seconds: float | None, watch: Watch
) -> dict[RunKey, RunOutcome]:
    """Submit each run as its own job, and wait for all; see `execute_runs`.

    Args:
        runs: the runs.
        settings: of submitit, such as {slurm_partition: gpu, gpus_per_node: 1, timeout_min: 720}; `cluster: local` runs all
            jobs at once on this machine.
        folder: for the files of submitit, on a disk that all machines share.
        seconds: time limit, after which all jobs are cancelled; None for no limit.
        watch: called at submissions and ends.

    Raises:
        MissingExtraError: submitit is not installed.
        UsageError: there is no such cluster here, or no such setting.
        KeyboardInterrupt: after the jobs were cancelled.
    """
    executor = slurm_executor(settings, folder)
    from submitit.helpers import as_completed

    jobs = executor.map_array(execute_as_job, runs)
    run_of = {job.job_id: run for job, run in zip(jobs, runs, strict=True)}
    for run in runs:
        watch(run, None)
    outcomes: dict[RunKey, RunOutcome] = {}
    try:
        for job in as_completed(jobs, timeout=seconds, poll_frequency=_POLL):
            run = run_of[job.job_id]
            outcomes[run.key] = _outcome(job)
            watch(run, outcomes[run.key])
    except TimeoutError:
        cancel_jobs(jobs)
    except BaseException:
        cancel_jobs(jobs)
        raise
    return {run.key: outcomes.get(run.key, RunOutcome(ExecutionStatus.STOPPED, 0.0)) for run in runs}


def execute_as_job(run: PlannedRun) -> RunOutcome:
    """Execute a run inside a job; when the job is cancelled, its training has time to write its state."""
    processes = ProcessGroup()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: Thread(target=processes.terminate).start())
    # without Slurm's own variables: a job is one task, and a training on several devices starts its other ranks itself
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    return execute_run(run, environment, processes)


def _outcome(job: Any) -> RunOutcome:
    from submitit.core.utils import UncompletedJobError

    try:
        outcome: RunOutcome = job.result()
    except UncompletedJobError as error:
        reason = f"job {job.job_id} ended without a result ({job.state}). See {job.paths.stderr}"
        return RunOutcome(ExecutionStatus.FAILED, 0.0, reason, type(error).__name__)
    return outcome
