"""How long the runs of a plan will take, from measured steps."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tmunet.errors import TMUNetError
from tmunet.text import pluralize
from tmunet_lab.experiments.planned_runs import PlannedRun
from tmunet_lab.experiments.run_state import Examined, State
from tmunet_lab.experiments.step_time import StepTime

Measure = Callable[[PlannedRun], StepTime]


@dataclass(frozen=True)
class Estimate:
    """How long a run will still take.

    Attributes:
        run: the run.
        state: how far it has come.
        steps: optimizer steps that are left.
        step: what a step takes; None where there is nothing to train or it could not be measured.
        seconds: of the training that is left, validation included; None where it is not known. Loading, augmentation and
            scoring come on top.
        reason: why it is not known.
    """

    run: PlannedRun
    state: State
    steps: int
    step: StepTime | None = None
    seconds: float | None = None
    reason: str = ""


def estimate(examined: Sequence[Examined], measure: Measure) -> list[Estimate]:
    """Estimate every run; steps that are alike are measured once.

    Args:
        examined: the runs, and how far each has come.
        measure: times the step of a run; see `measure_step`.
    """
    known: dict[str, StepTime | str] = {}
    found = []
    for run, state in examined:
        if state.name in ("done", "trained", "damaged"):
            found.append(Estimate(run, state, 0, seconds=0.0))
        elif state.name == "missing data":
            found.append(Estimate(run, state, 0, reason=run.source.reason))
        else:
            like = _alike(run)
            if like not in known:
                known[like] = _measured(run, measure)
            found.append(_estimate(run, state, known[like]))
    return found


def _estimate(run: PlannedRun, state: State, step: StepTime | str) -> Estimate:
    train, val, _ = run.source.images
    epochs = run.config.epochs - state.epochs
    steps = epochs * -(-train // run.config.batch_size)
    if isinstance(step, str):
        return Estimate(run, state, steps, reason=step)
    return Estimate(run, state, steps, step, steps * step.training + epochs * val * step.validation)


def _measured(run: PlannedRun, measure: Measure) -> StepTime | str:
    try:
        return measure(run)
    except (TMUNetError, RuntimeError, ValueError) as error:  # such as a device too small, or a size that does not fit
        return str(error).splitlines()[0]


def _alike(run: PlannedRun) -> str:
    """What the time of a step depends on."""
    config = run.config
    what = (
        config.model,
        config.model_args,
        config.preprocess.size,
        config.preprocess.channels,
        len(run.source.classes),
    )
    how = (config.batch_size, config.devices, config.nodes, config.precision, config.device, config.checkpointing)
    return json.dumps([*what, *how], sort_keys=True)


def estimate_table(estimates: Sequence[Estimate], workers: int) -> str:
    """The plan as text: each run with its state and times, then the sums."""
    from tmunet_lab.bench.bench_table import aligned

    head = ("run", "state", "steps", "s a step", "time")
    rows = [
        (
            one.run.folder.path.name,
            one.state.name,
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
            aligned([head, *rows]),
            "",
            f"{pluralize(len(estimates), 'run')}, training and validation {duration(total)}{shared}{left_out}. "
            "Loading, augmentation and scoring come on top.",
            *(f"Without an estimate: {reason}" for reason in reasons),
        ]
    )


def duration(seconds: float) -> str:
    """A time in words.

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
