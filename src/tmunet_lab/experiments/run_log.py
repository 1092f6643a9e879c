"""What the runs of a plan have given: results, and for each run without one the reason."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tmunet_lab.experiments.execute_run import Outcome
from tmunet_lab.experiments.planned_runs import Key, PlannedRun
from tmunet_lab.experiments.run_result import Result, read_scores
from tmunet_lab.experiments.run_state import Examined, State

# of the command line, not a warning; a bar may be before it
MESSAGE = re.compile(r"(^|(?<=\]))tmunet \w+: (?!warning: ).*")
PROGRESS = re.compile(r"\d+%\|.*\|")  # as tqdm draws it


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


def _last_words(detail: str) -> str:
    """What a command said of its failure; a progress bar may be drawn once more behind it."""
    lines = [line.strip() for line in detail.strip().splitlines()]
    own = [found[0] for line in lines if (found := MESSAGE.search(line))]
    return (own or [line for line in lines if not PROGRESS.search(line)] or lines)[-1]


def _reason(run: PlannedRun, state: State, outcome: Outcome | None) -> str:
    if state.name == "damaged":
        return state.reason
    if state.name == "missing data":
        return run.source.reason
    if outcome is not None and outcome.state == "failed":
        return f"failed: {_last_words(outcome.detail)} See {run.log}"
    if outcome is not None and outcome.state == "busy":
        return outcome.detail
    if state.name == "to do":
        return "not run yet"
    if state.name == "trained":
        return "trained, but not scored yet"
    return f"interrupted after {state.epochs} of {run.config.epochs} epochs"
