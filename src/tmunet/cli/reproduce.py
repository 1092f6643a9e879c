"""`tmunet reproduce`: run the experiments behind a table or figure of the paper, and write it."""

import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tmunet.cli.parser import parse
from tmunet.cli.process_setup import prepare_process
from tmunet.cli.reproduce_progress import format_summary, progress_logger
from tmunet.errors import InterruptedRunError, UsageError
from tmunet.extras import require

if TYPE_CHECKING:
    from tmunet_lab.experiments.costs import NetworkCost
    from tmunet_lab.experiments.plan import ExperimentPlan
    from tmunet_lab.experiments.run_status import InspectedRun
    from tmunet_lab.experiments.runner import RunOutcome
    from tmunet_lab.experiments.runs import PlannedRun, RunKey
    from tmunet_lab.experiments.time_estimate import StepTime

NOTES = (
    "Finished runs are not repeated, interrupted ones are resumed, and one that fails does not stop the others. "
    "Missing data sets leave their columns empty. Exit code 1: a run failed."
)


@dataclass(frozen=True)
class ReproduceConfig:
    """Train and evaluate all runs of a table or figure of the paper, and write it."""

    target: str
    """Table or figure to reproduce."""
    data: str
    """Folder of the data sets, each in a folder of its name as `tmunet import` spells it."""
    plan: str | None = None
    """Plan in place of the target's: a YAML file, or a plan of the package, such as smoke."""
    runs: str = "runs/reproduce"
    """Folder of the run folders; targets share them."""
    out: str = "reproduction"
    """Folder of the pages."""
    dry_run: bool = False
    """Print the runs, the status of each, and an estimate of its time from measured steps; nothing is trained or written."""
    workers: int | None = None
    """Parallel runs; by default one for each CUDA device, or 1 on the CPU, whose threads they share."""
    minutes: float | None = None
    """Time limit: stop running trainings after this many minutes; the same command resumes them."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Device of training and evaluation."""
    slurm: dict[str, Any] | None = None
    """Submit each run as a job of a Slurm cluster, with these settings of submitit, such as '{slurm_partition: gpu,
    gpus_per_node: 1, timeout_min: 720}'; with `cluster: local` among them, jobs on this machine."""

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"Expected `workers` to be at least 1, but got {self.workers}.")
        if self.minutes is not None and not self.minutes > 0:
            raise ValueError(f"Expected `minutes` to be above 0, but got {self.minutes}.")
        if self.workers is not None and self.slurm is not None:
            raise ValueError(
                "Expected `workers` or `slurm`, but got both; slurm_array_parallelism limits jobs at once."
            )


def run(arguments: Sequence[str]) -> int:
    """Execute the remaining runs, write the pages, and report what is done, failed and missing."""
    from tmunet_lab.experiments.plan import list_targets, plan_of, read_plan

    start = time.monotonic()
    meanings = {"target": f"one of {', '.join(list_targets())}"}
    config = parse(ReproduceConfig, arguments, "reproduce", positional=meanings, notes=NOTES)
    packaged = plan_of(config.target)
    plan = read_plan(config.plan or packaged)
    prepare_process()
    from tmunet_lab.experiments.run_status import inspect_runs
    from tmunet_lab.experiments.runs import expand_plan

    if not Path(config.data).is_dir():
        raise UsageError(
            f"{config.data}: expected the folder of the data sets, but there is no such folder.",
            code="missing-data",
            path=config.data,
        )
    runs = expand_plan(plan, Path(config.data), Path(config.runs), config.device)
    inspected = inspect_runs(runs)
    _check_fit(config, plan)
    if config.dry_run:
        print(_estimate(config, inspected))
        return 0
    until = None if config.minutes is None else start + 60 * config.minutes
    command = shlex.join(["tmunet", "reproduce", *arguments])
    outcomes: dict[RunKey, RunOutcome] = {}
    try:
        with _interruptible():
            _execute(config, [run for run, progress in inspected if progress.unscored], until, outcomes)
            inspected = inspect_runs(runs)
            costs = _costs(config, plan, inspected, until)
    except InterruptedRunError:
        inspected = inspect_runs(runs)
        costs = _costs(config, plan, inspected, until=time.monotonic())
        _finish(config, plan, inspected, outcomes, costs, command)
        raise
    return _finish(config, plan, inspected, outcomes, costs, command)


def _estimate(config: ReproduceConfig, inspected: "Sequence[InspectedRun]") -> str:
    from tmunet_lab.experiments.time_estimate import (
        batch_per_device,
        estimate_table,
        estimate_times,
        measure_step,
        timed_images,
    )
    from tmunet_lab.experiments.workers import worker_environments

    cuda = _cuda(config)
    device = "cuda" if cuda else "mps" if config.device == "mps" else "cpu"

    def measure(run: "PlannedRun") -> "StepTime":
        images, batch = timed_images(run.config, device), batch_per_device(run.config)
        factor = f", times {batch / images:g}" if images < batch else ""
        what = f"{run.network}, {images} x {run.config.preprocess.size} px, {device}{factor}"
        print(f"tmunet reproduce: timing a step of {what}", file=sys.stderr)
        return measure_step(run.config, run.source.classes, device)

    workers = len(worker_environments(cuda, config.workers, _width([run for run, _ in inspected]), 1))
    return estimate_table(estimate_times(inspected, measure), workers)


def _cuda(config: ReproduceConfig) -> list[str]:
    from tmunet_lab.experiments.workers import cuda_devices

    found = cuda_devices(config.device)
    if config.device == "cuda" and not found and config.slurm is None:
        raise UsageError(
            "Expected `device` to be one that is there, but torch finds no cuda; choose cpu.", code="device"
        )
    return found


def _width(runs: "Sequence[PlannedRun]") -> int:
    return max(run.config.devices for run in runs)


def _check_fit(config: ReproduceConfig, plan: "ExperimentPlan") -> None:
    """Write empty pages, so that a mismatch with the paper's tables or a missing package is found before days of training."""
    from tmunet_lab.experiments.write_tables import write_target

    with tempfile.TemporaryDirectory() as folder:
        write_target(config.target, plan, [], {}, {}, Path(folder), "", data_root=Path(config.data))


@contextmanager
def _interruptible() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C: running trainings are stopped, and can be resumed."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedRunError(
            "Interrupted. Finished epochs are saved; run the same command again to resume."
        ) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _execute(
    config: ReproduceConfig, runs: "Sequence[PlannedRun]", until: float | None, outcomes: "dict[RunKey, RunOutcome]"
) -> None:
    """Execute runs; outcomes are recorded one by one, so that an interruption loses none."""
    from tmunet_lab.experiments import runner
    from tmunet_lab.experiments.slurm import submit_runs
    from tmunet_lab.experiments.workers import cpu_cores, worker_environments

    if not runs:
        return
    require("pytorch_lightning", extra="train")
    log, seconds = progress_logger(len(runs)), _left(until)

    def watch(run: "PlannedRun", outcome: "RunOutcome | None") -> None:
        if outcome is not None:
            outcomes[run.key] = outcome
        log(run, outcome)

    if config.slurm is not None:
        submit_runs(runs, config.slurm, Path(config.runs) / "jobs", seconds, watch)
    else:
        environments = worker_environments(_cuda(config), config.workers, _width(runs), cpu_cores())
        runner.execute_runs(runs, environments, seconds, watch)


def _left(until: float | None) -> float | None:
    return None if until is None else max(0.0, until - time.monotonic())


def _costs(
    config: ReproduceConfig, plan: "ExperimentPlan", inspected: "Sequence[InspectedRun]", until: float | None
) -> "Mapping[str, NetworkCost]":
    """Count the cost of the networks, and time them once there are results."""
    from tmunet_lab.experiments.costs import count_costs, time_costs

    if config.target == "figure3":  # shows no costs
        return {}
    costs, reasons = count_costs(plan)
    faults = [f"{label} has no cost: {reason}" for label, reason in reasons.items()]
    if any(progress.status == "done" for _, progress in inspected):
        device = "cuda" if _cuda(config) else "cpu"
        costs, fault = time_costs(plan, costs, device, Path(config.out), config.target, _left(until))
        faults += [fault] if fault else []
    for fault in faults:
        print(f"tmunet reproduce: {fault}", file=sys.stderr)
    return costs


def _finish(
    config: ReproduceConfig,
    plan: "ExperimentPlan",
    inspected: "Sequence[InspectedRun]",
    outcomes: "Mapping[RunKey, RunOutcome]",
    costs: "Mapping[str, NetworkCost]",
    command: str,
) -> int:
    """Write the pages, and print the summary."""
    from tmunet_lab.experiments.results import collect_results
    from tmunet_lab.experiments.write_tables import write_target

    results, missing = collect_results(inspected, outcomes)
    files = write_target(
        config.target, plan, results, missing, costs, Path(config.out), command, data_root=Path(config.data)
    )
    print(f"\n{format_summary(inspected, outcomes, missing)}")
    print(f"Written: {', '.join(str(file) for file in files)}")
    return 1 if any(outcome.status == "failed" for outcome in outcomes.values()) else 0
