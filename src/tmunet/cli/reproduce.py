"""`tmunet reproduce`: the runs of a table or figure of the paper, and its pages."""

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
from tmunet.cli.reproduce_progress import summary, teller
from tmunet.errors import InterruptedRunError, UsageError
from tmunet.extras import require

if TYPE_CHECKING:
    from tmunet_lab.experiments.costs import Cost
    from tmunet_lab.experiments.execute_run import Outcome
    from tmunet_lab.experiments.plan import Plan
    from tmunet_lab.experiments.planned_runs import Key, PlannedRun
    from tmunet_lab.experiments.run_state import Examined

NOTES = (
    "Runs that are done are not done again, interrupted ones go on, and one that fails does not stop the others. "
    "Data sets that are not there leave their columns empty. Exit code 1: a run failed."
)


@dataclass(frozen=True)
class ReproduceConfig:
    """Train and score all runs of a table or figure of the paper, and write it."""

    target: str
    """What to reproduce."""
    data: str
    """Folder that holds the data sets, each in a folder of its name as `tmunet import` spells it."""
    plan: str | None = None
    """Plan in place of the target's own: a YAML file, or a plan of the package, such as smoke."""
    runs: str = "runs/reproduce"
    """Folder of the run folders; targets share them."""
    out: str = "reproduction"
    """Folder of the pages."""
    dry_run: bool = False
    """Print the runs, how far each has come, and an estimate of its time from measured steps; nothing is trained or written."""
    workers: int | None = None
    """Runs at once; by default one for each CUDA device, or 1 on the CPU, whose threads they share."""
    minutes: float | None = None
    """Start nothing after this many minutes, and stop what runs; the same command goes on later."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to train and score."""
    slurm: dict[str, Any] | None = None
    """Make each run a job of a Slurm cluster, with these settings of submitit, such as '{slurm_partition: gpu, gpus_per_node: 1,
    timeout_min: 720}'; with `cluster: local` among them, jobs on this machine."""

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
    """Do what is left of the runs, write the pages, and say what is done, failed and missing."""
    from tmunet_lab.experiments.plan_files import list_targets, plan_of, read_plan

    start = time.monotonic()
    meanings = {"target": f"one of {', '.join(list_targets())}"}
    config = parse(ReproduceConfig, arguments, "reproduce", positional=meanings, notes=NOTES)
    own = plan_of(config.target)
    plan = read_plan(config.plan or own)
    prepare_process()
    from tmunet_lab.experiments.planned_runs import plan_runs
    from tmunet_lab.experiments.run_state import examine

    if not Path(config.data).is_dir():
        raise UsageError(f"{config.data}: expected the folder that holds the data sets, but there is no such folder.")
    runs = plan_runs(plan, Path(config.data), Path(config.runs), config.device)
    examined = examine(runs)
    _check_fit(config, plan)
    if config.dry_run:
        print(_estimated(config, examined))
        return 0
    until = None if config.minutes is None else start + 60 * config.minutes
    command = shlex.join(["tmunet", "reproduce", *arguments])
    outcomes: dict[Key, Outcome] = {}
    try:
        with _interruptible():
            _complete(config, [run for run, state in examined if state.unscored], until, outcomes)
            examined = examine(runs)
            costs = _costs(config, plan, examined, until)
    except InterruptedRunError:
        examined = examine(runs)
        costs = _costs(config, plan, examined, until=time.monotonic())
        _finish(config, plan, examined, outcomes, costs, command)
        raise
    return _finish(config, plan, examined, outcomes, costs, command)


def _estimated(config: ReproduceConfig, examined: "Sequence[Examined]") -> str:
    from tmunet_lab.experiments.duration import estimate, estimate_table
    from tmunet_lab.experiments.step_time import StepTime, batch_of, measure_step, timed_images
    from tmunet_lab.experiments.workers import worker_environments

    cuda = _cuda(config)
    device = "cuda" if cuda else "mps" if config.device == "mps" else "cpu"

    def measure(run: "PlannedRun") -> StepTime:
        images, batch = timed_images(run.config, device), batch_of(run.config)
        taken = f", taken times {batch / images:g}" if images < batch else ""
        what = f"{run.network}, {images} x {run.config.preprocess.size} px, {device}{taken}"
        print(f"tmunet reproduce: timing a step of {what}", file=sys.stderr)
        return measure_step(run.config, run.source.classes, device)

    workers = len(worker_environments(cuda, config.workers, _width([run for run, _ in examined]), 1))
    return estimate_table(estimate(examined, measure), workers)


def _cuda(config: ReproduceConfig) -> list[str]:
    from tmunet_lab.experiments.workers import cuda_devices

    found = cuda_devices(config.device)
    if config.device == "cuda" and not found and config.slurm is None:
        raise UsageError("Expected `device` to be one that is there, but torch finds no cuda; choose cpu.")
    return found


def _width(runs: "Sequence[PlannedRun]") -> int:
    return max(run.config.devices for run in runs)


def _check_fit(config: ReproduceConfig, plan: "Plan") -> None:
    """Write the pages of no results, so that what does not fit the paper's tables shows now, not after days of training."""
    from tmunet_lab.experiments.pages import write_target

    with tempfile.TemporaryDirectory() as folder:
        write_target(config.target, plan, [], {}, {}, Path(folder), "", data_root=Path(config.data))


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM ends like Ctrl-C: what runs is stopped, and can go on."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedRunError(
            "Interrupted. What is done stays; the same command goes on where it stopped."
        ) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _complete(
    config: ReproduceConfig, runs: "Sequence[PlannedRun]", until: float | None, outcomes: "dict[Key, Outcome]"
) -> None:
    """Complete runs; each outcome is noted as soon as it is there, so that an interruption loses none."""
    from tmunet_lab.experiments.execute_plan import execute
    from tmunet_lab.experiments.slurm import submit
    from tmunet_lab.experiments.workers import cores, worker_environments

    if not runs:
        return
    require("pytorch_lightning", extra="train")
    tell, seconds = teller(len(runs)), _left(until)

    def watch(run: "PlannedRun", outcome: "Outcome | None") -> None:
        if outcome is not None:
            outcomes[run.key] = outcome
        tell(run, outcome)

    if config.slurm is not None:
        submit(runs, config.slurm, Path(config.runs) / "jobs", seconds, watch)
    else:
        execute(runs, worker_environments(_cuda(config), config.workers, _width(runs), cores()), seconds, watch)


def _left(until: float | None) -> float | None:
    return None if until is None else max(0.0, until - time.monotonic())


def _costs(
    config: ReproduceConfig, plan: "Plan", examined: "Sequence[Examined]", until: float | None
) -> "Mapping[str, Cost]":
    """The cost of the networks; they are timed as soon as there is a result to stand beside."""
    from tmunet_lab.experiments.measure_costs import count_costs, time_costs

    if config.target == "figure3":  # shows no costs
        return {}
    costs, left_out = count_costs(plan)
    faults = [f"{label} has no cost: {reason}" for label, reason in left_out.items()]
    if any(state.name == "done" for _, state in examined):
        device = "cuda" if _cuda(config) else "cpu"
        costs, fault = time_costs(plan, costs, device, Path(config.out), config.target, _left(until))
        faults += [fault] if fault else []
    for fault in faults:
        print(f"tmunet reproduce: {fault}", file=sys.stderr)
    return costs


def _finish(
    config: ReproduceConfig,
    plan: "Plan",
    examined: "Sequence[Examined]",
    outcomes: "Mapping[Key, Outcome]",
    costs: "Mapping[str, Cost]",
    command: str,
) -> int:
    """Write the pages, and print what there is and what is not."""
    from tmunet_lab.experiments.pages import write_target
    from tmunet_lab.experiments.run_log import collect

    found = collect(examined, outcomes)
    files = write_target(
        config.target, plan, found.results, found.missing, costs, Path(config.out), command, data_root=Path(config.data)
    )
    print(f"\n{summary(examined, outcomes, found.missing)}")
    print(f"Written: {', '.join(str(file) for file in files)}")
    return 1 if any(outcome.state == "failed" for outcome in outcomes.values()) else 0
