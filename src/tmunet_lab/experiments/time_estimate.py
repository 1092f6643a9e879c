"""Estimate the remaining training time of runs from measured training steps."""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from tmunet.errors import TMUNetError
from tmunet.model_config import ModelConfig
from tmunet.text import pluralize, table
from tmunet.training.activation_checkpointing import checkpoint_stages
from tmunet.training.step import training_step
from tmunet.training.train_config import TrainConfig
from tmunet_lab.bench.timing import time_interleaved
from tmunet_lab.experiments.run_status import InspectedRun, RunProgress, RunStatus
from tmunet_lab.experiments.runs import PlannedRun

ROUNDS, WARM_UP, SECONDS = 3, 1, 20.0  # few: an estimate is wanted, not a benchmark
CPU_IMAGES = 2  # of a timed step on the CPU, whose time and memory are proportional to the batch size


@dataclass(frozen=True)
class StepTime:
    """Measured times.

    Attributes:
        training: seconds of a training step on a whole batch.
        validation: seconds of the validation of one image.
    """

    training: float
    validation: float


@dataclass(frozen=True)
class TimeEstimate:
    """Remaining training time of a run.

    Attributes:
        run: the run.
        progress: how far it has come.
        steps: remaining optimizer steps.
        step: measured times; None where nothing is left to train or the measurement failed.
        seconds: of remaining training and validation; None if unknown. Loading, augmentation and evaluation are not included.
        reason: why it is unknown.
    """

    run: PlannedRun
    progress: RunProgress
    steps: int
    step: StepTime | None = None
    seconds: float | None = None
    reason: str = ""


def estimate_times(inspected: Sequence[InspectedRun], measure: Callable[[PlannedRun], StepTime]) -> list[TimeEstimate]:
    """Estimate the remaining time of every run; equal steps are measured once.

    Args:
        inspected: the runs and their progress.
        measure: times the step of a run; see `measure_step`.
    """
    measured: dict[str, StepTime | str] = {}
    estimates = []
    for run, progress in inspected:
        if progress.status == RunStatus.MISSING_DATA:
            estimates.append(TimeEstimate(run, progress, 0, reason=run.source.reason))
        elif progress.status not in (RunStatus.PENDING, RunStatus.INTERRUPTED):
            estimates.append(TimeEstimate(run, progress, 0, seconds=0.0))
        else:
            key = _workload(run)
            if key not in measured:
                try:
                    measured[key] = measure(run)
                except (TMUNetError, RuntimeError, ValueError) as error:  # such as out of memory
                    measured[key] = str(error).splitlines()[0]
            estimates.append(_estimate(run, progress, measured[key]))
    return estimates


def _estimate(run: PlannedRun, progress: RunProgress, step: StepTime | str) -> TimeEstimate:
    train, val, _ = run.source.images
    epochs = run.config.epochs - progress.epochs
    steps = epochs * -(-train // run.config.batch_size)
    if isinstance(step, str):
        return TimeEstimate(run, progress, steps, reason=step)
    return TimeEstimate(run, progress, steps, step, steps * step.training + epochs * val * step.validation)


def _workload(run: PlannedRun) -> str:
    """Everything that the time of a step depends on."""
    config = run.config
    what = config.model, config.model_args, config.preprocess.size, config.preprocess.channels, len(run.source.classes)
    how = config.batch_size, config.devices, config.nodes, config.precision, config.device, config.checkpointing
    return json.dumps([*what, *how], sort_keys=True)


def batch_per_device(config: TrainConfig) -> int:
    """Images of a step on one device."""
    return config.batch_size // (config.devices * config.nodes)


def timed_images(config: TrainConfig, device: str) -> int:
    """Images of the step that is timed."""
    return min(batch_per_device(config), CPU_IMAGES) if device == "cpu" else batch_per_device(config)


def measure_step(
    config: TrainConfig, classes: tuple[str, ...], device: str, clock: Callable[[], float] = time.perf_counter
) -> StepTime:
    """Time a training step (forward, loss, backward, optimizer) and a validation step on random images.

    On the CPU a step of a few images is timed and multiplied to the batch size.

    Args:
        config: settings of the run.
        classes: names of the classes, background included.
        device: "cpu", "cuda" or "mps".
        clock: returns seconds.

    Raises:
        UsageError: the keyword arguments of the network do not fit.
        MissingExtraError: its layers are those of a package that is not installed.
    """
    network = ModelConfig(config.model, config.model_args, classes, config.preprocess).create_network().to(device)
    batch, count, size = batch_per_device(config), timed_images(config, device), config.preprocess.size
    images = torch.randn(count, config.preprocess.channels, size, size, device=device)
    masks = torch.randint(0, len(classes), (count, size, size), device=device, dtype=torch.uint8)
    lower = config.precision == "bfloat16" or (config.precision == "auto" and images.is_cuda)
    if config.checkpointing:
        checkpoint_stages(network)

    @torch.no_grad()
    def validate() -> None:
        with torch.autocast(images.device.type, torch.bfloat16, enabled=lower):
            network.eval()(images)

    calls: dict[str, Callable[[], object]] = {
        "train": training_step(network, images, masks, lower, config.loss, config.optimizer),
        "val": validate,
    }
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    seconds = {
        name: statistics.median(time_interleaved({name: call}, ROUNDS, WARM_UP, SECONDS, wait, clock)[name])
        for name, call in calls.items()
    }
    return StepTime(seconds["train"] * batch / count, seconds["val"] / count)


def estimate_table(estimates: Sequence[TimeEstimate], workers: int) -> str:
    """Format the estimates as text: each run with its status and time, then the sums."""
    rows = [
        (
            one.run.folder.path.name,
            one.progress.status,
            str(one.steps) if one.steps else "",
            f"{one.step.training:.3g}" if one.step else "",
            "" if one.seconds is None else duration(one.seconds),
        )
        for one in estimates
    ]
    total = sum(one.seconds for one in estimates if one.seconds is not None)
    unknown = sum(one.seconds is None for one in estimates)
    shared = f", {duration(total / workers)} with {pluralize(workers, 'worker')}" if workers > 1 else ""
    left_out = f"; {pluralize(unknown, 'run')} without an estimate" if unknown else ""
    reasons = dict.fromkeys(one.reason for one in estimates if one.reason)
    return "\n".join(
        [
            table(rows, ("run", "status", "steps", "s/step", "time")),
            "",
            f"{pluralize(len(estimates), 'run')}, training and validation {duration(total)}{shared}{left_out}. "
            "Loading, augmentation and evaluation come on top.",
            *(f"Without an estimate: {reason}" for reason in reasons),
        ]
    )


def duration(seconds: float) -> str:
    """Format a duration.

    >>> [duration(s) for s in (0, 12.4, 119.6, 4000, 200_000)]
    ['0 s', '12 s', '2 min', '1 h 7 min', '2 d 8 h']
    """
    minutes = round(seconds / 60)
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    hours = round(seconds / 3600)
    return f"{minutes // 60} h {minutes % 60} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
