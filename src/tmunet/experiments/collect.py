"""What the runs of a plan have given: results, and for each run without one the reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tmunet.experiments.complete import Outcome
from tmunet.experiments.grid import Key, PlannedRun
from tmunet.experiments.result import Result, read_scores
from tmunet.experiments.state import Examined, State


@dataclass(frozen=True)
class Collected:
    """Everything a page is made of.

    Attributes:
        results: of the finished runs, one for each protocol.
        missing: why the others have none.
    """

    results: list[Result]
    missing: dict[Key, str]


def collect(examined: Sequence[Examined], outcomes: Mapping[Key, Outcome]) -> Collected:
    """Read the scores of the finished runs.

    Args:
        examined: the runs, and how far each has come.
        outcomes: of those that were tried just now.
    """
    results: list[Result] = []
    missing: dict[Key, str] = {}
    for run, state in examined:
        if state.name == "done":
            results += [_result(run, protocol) for protocol in run.protocols]
        else:
            missing[run.key] = _reason(run, state, outcomes.get(run.key))
    return Collected(results, missing)


def _result(run: PlannedRun, protocol: str) -> Result:
    scores = read_scores(run.scores(protocol))
    return Result(run.network, run.config.model, run.data, run.split, run.config.seed, run.folder.path, scores)


def _reason(run: PlannedRun, state: State, outcome: Outcome | None) -> str:
    if state.name == "missing data":
        return run.source.reason
    if outcome is not None and outcome.state == "failed":
        last = outcome.detail.strip().splitlines()[-1].strip()
        return f"failed: {last} See {run.log}"
    if outcome is not None and outcome.state == "busy":
        return outcome.detail
    if state.name == "to do":
        return "not run yet"
    if state.name == "trained":
        return "trained, but not scored yet"
    return f"interrupted after {state.epochs} of {run.config.epochs} epochs"
