"""Determine the status of a run of a plan from the files in its run folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tmunet.config import flatten, to_dict
from tmunet.data.json_object import read_json_object
from tmunet.errors import InputError, UsageError
from tmunet.files import sha256
from tmunet.model_config import CONFIG, WEIGHTS
from tmunet_lab.experiments.runs import PlannedRun

# paths may move: the split is compared by its hash, the recipe by its settings; the hardware is part of the run's provenance
_NOT_COMPARED = ("data", "split", "out", "recipe", "device", "checkpointing")
_BEFORE_CONFIG = ("split.json", "provenance.json")  # all that a run leaves that is killed at its start


class RunStatus(StrEnum):
    """How far a run has come."""

    PENDING = "pending"
    MISSING_DATA = "missing data"
    INTERRUPTED = "interrupted"  # can be resumed
    TRAINED = "trained"  # lacks scores
    DONE = "done"  # trained, and scored under all protocols
    DAMAGED = "damaged"  # a file cannot be read


@dataclass(frozen=True)
class RunProgress:
    """How far a run has come.

    Attributes:
        status: of the run.
        unscored: protocols under which it is not scored yet; empty where nothing can be done.
        epochs: trained so far.
        reason: why a run is damaged.
    """

    status: RunStatus
    unscored: tuple[str, ...] = ()
    epochs: int = 0
    reason: str = ""


InspectedRun = tuple[PlannedRun, RunProgress]


def inspect_run(run: PlannedRun) -> RunProgress:
    """Inspect a run folder. Scores count also where weights and checkpoints were not kept, as in a clone of a repository.

    Raises:
        InputError: a file of the run is missing or damaged.
        UsageError: the folder holds a run with other settings or another split, or is no run folder.
    """
    folder = run.folder
    epochs = 0
    if folder.config.is_file():
        check_same_run(run)
        epochs = _epochs(run)
    elif folder.path.is_dir() and (unexpected := _unexpected_files(run)):
        raise UsageError(
            f"{folder.path}: expected a run folder, but found {unexpected[0]} and no {folder.config.name}; move it.",
            code="not-empty",
            path=folder.path,
        )
    weights = _weights_sha256(run)
    if weights is not None:
        unscored = tuple(protocol for protocol in run.protocols if not is_scored(run, protocol, weights))
        if not unscored:
            return RunProgress(RunStatus.DONE, epochs=epochs)
        if not run.source.reason:
            return RunProgress(RunStatus.TRAINED, unscored, epochs)
    if run.source.reason:
        return RunProgress(RunStatus.MISSING_DATA, epochs=epochs)
    if not folder.config.is_file():
        return RunProgress(RunStatus.PENDING, run.protocols)
    return RunProgress(RunStatus.INTERRUPTED, run.protocols, epochs if folder.last.is_file() else 0)


def inspect_runs(runs: Sequence[PlannedRun]) -> list[InspectedRun]:
    """Inspect all run folders, see `inspect_run`; a damaged one does not stop the others."""
    inspected: list[InspectedRun] = []
    for run in runs:
        try:
            inspected.append((run, inspect_run(run)))
        except InputError as error:
            inspected.append((run, RunProgress(RunStatus.DAMAGED, reason=str(error))))
    return inspected


def is_scored(run: PlannedRun, protocol: str, weights: str) -> bool:
    """Whether per-image scores and a report of these weights (their SHA-256) on the run's split exist."""
    facts = _facts(run, protocol)
    split = run.folder.read_provenance()["split_sha256"]
    if (facts.get("weights_sha256"), facts.get("split_sha256"), facts.get("subset")) != (weights, split, "test"):
        return False
    report = (run.scores(protocol) / "report.html").is_file() or not run.folder.model.exists()
    return report and (run.scores(protocol) / "per_image.csv").is_file()


def check_same_run(run: PlannedRun) -> None:
    """Make sure that a run folder holds the planned run.

    Raises:
        UsageError: the split or a setting differs; the first one is named.
    """
    move = f"move {run.folder.path} away, or give other --runs"
    planned, found = _settings(run.config), _settings(run.folder.read_config())
    for key in sorted({*planned, *found}):
        expected, there = planned.get(key), found.get(key)
        if expected != there and not (key == "precision" and expected == "auto"):  # a run records what auto resolved to
            raise UsageError(
                f"{run.folder.path}: the folder holds a run with other settings: expected {key} = {expected!r} as planned, "
                f"but found {there!r}; {move}.",
                code="other-settings",
                path=run.folder.path,
            )
    split = run.folder.read_provenance()["split_sha256"]
    if run.source.sha256 and split != run.source.sha256:
        raise UsageError(
            f"{run.folder.path}: the folder holds a run with another split: expected SHA-256 {run.source.sha256[:12]} as in "
            f"{run.source.split}, but found {split[:12]}; {move}.",
            code="other-split",
            path=run.folder.path,
        )


def _settings(config: Any) -> dict[str, Any]:
    return {key: value for key, value in flatten(to_dict(config)) if key not in _NOT_COMPARED}


def _weights_sha256(run: PlannedRun) -> str | None:
    """Hash of a trained run's weights; where neither they nor a checkpoint were kept, that of the weights that were scored."""
    folder = run.folder
    if (folder.model / CONFIG).is_file() and (folder.model / WEIGHTS).is_file():
        return sha256(folder.model / WEIGHTS)
    if folder.model.exists() or folder.last.is_file():
        return None
    scored = {str(facts.get("weights_sha256")) for protocol in run.protocols if (facts := _facts(run, protocol))}
    return scored.pop() if len(scored) == 1 else None


def _facts(run: PlannedRun, protocol: str) -> Mapping[str, Any]:
    """The facts of an evaluation; empty where there is none that can be read."""
    summary = run.scores(protocol) / "summary.json"
    try:
        facts = read_json_object(summary).get("facts") if summary.is_file() else None
    except InputError:
        return {}
    return facts if isinstance(facts, Mapping) else {}


def _unexpected_files(run: PlannedRun) -> list[str]:
    """Names in a folder without settings that a run does not write at its start."""
    names = sorted(path.name for path in run.folder.path.iterdir())
    return [name for name in names if name not in _BEFORE_CONFIG and not name.startswith(".")]


def _epochs(run: PlannedRun) -> int:
    if not run.folder.metrics.is_file():
        return 0
    return len(run.folder.metrics.read_text(encoding="utf-8").splitlines()) - 1
