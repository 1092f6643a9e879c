"""How far a run of a plan has come, by what lies in its folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tmunet.config import to_dict
from tmunet.data.json_object import read_json_object
from tmunet.errors import InputError, UsageError
from tmunet.files import sha256
from tmunet.model_config import CONFIG, WEIGHTS
from tmunet_lab.experiments.nesting import dotted
from tmunet_lab.experiments.planned_runs import PlannedRun

StateName = Literal["done", "trained", "interrupted", "to do", "missing data", "damaged"]

# of files, which may move; the split is compared by its hash, the recipe by what it sets
_PLACES = ("data", "split", "out", "recipe")
_MACHINE = ("device", "checkpointing")  # where and how it ran; the run's provenance has it
_BEFORE_CONFIG = ("split.json", "provenance.json")  # what a run that is killed at its start may leave alone


@dataclass(frozen=True)
class State:
    """How far a run has come.

    Attributes:
        name: "done" is trained and scored under all protocols, "trained" lacks scores, "interrupted" can be resumed, "damaged"
            holds a file that cannot be read.
        unscored: protocols under which a trained run has not been scored.
        epochs: trained so far.
        reason: why a run is damaged.
    """

    name: StateName
    unscored: tuple[str, ...] = ()
    epochs: int = 0
    reason: str = ""


Examined = tuple[PlannedRun, State]
"""A run, and how far it has come."""


def state_of(run: PlannedRun) -> State:
    """Look into a run folder. Scores count also where weights and checkpoints were not kept, as in a clone of a repository.

    Raises:
        InputError: a file of the run is missing or damaged.
        UsageError: the folder holds a run with other settings or another split, or is no run folder.
    """
    folder = run.folder
    epochs = 0
    if folder.config.is_file():
        check_same(run)
        epochs = _epochs(run)
    elif folder.path.is_dir() and (strange := strangers(run)):
        raise UsageError(
            f"{folder.path}: expected a run folder, but found {strange[0]} and no {folder.config.name}; move it."
        )
    weights = _weights(run)
    if weights is not None:
        unscored = tuple(protocol for protocol in run.protocols if not is_scored(run, protocol, weights))
        if not unscored:
            return State("done", epochs=epochs)
        if not run.source.reason:
            return State("trained", unscored, epochs)
    if run.source.reason:
        return State("missing data", epochs=epochs)
    if not folder.config.is_file():
        return State("to do", run.protocols)
    return State("interrupted", run.protocols, epochs if folder.last.is_file() else 0)


def examine(runs: Sequence[PlannedRun]) -> list[Examined]:
    """Look into all run folders; see `state_of`. One that is damaged does not stop the others."""
    found: list[Examined] = []
    for run in runs:
        try:
            found.append((run, state_of(run)))
        except InputError as error:
            found.append((run, State("damaged", reason=str(error))))
    return found


def _weights(run: PlannedRun) -> str | None:
    """SHA-256 of a trained run's weights; where neither they nor a checkpoint were kept, that of the weights that were scored."""
    folder = run.folder
    if (folder.model / CONFIG).is_file() and (folder.model / WEIGHTS).is_file():
        return sha256(folder.model / WEIGHTS)
    if folder.model.exists() or folder.last.is_file():
        return None
    scored = {str(facts.get("weights_sha256")) for protocol in run.protocols if (facts := _facts(run, protocol))}
    return scored.pop() if len(scored) == 1 else None


def is_scored(run: PlannedRun, protocol: str, weights: str) -> bool:
    """Whether there are scores of these very weights (their SHA-256) on the run's split, image by image, and their report."""
    facts = _facts(run, protocol)
    split = run.folder.read_provenance()["split_sha256"]
    if (facts.get("weights_sha256"), facts.get("split_sha256"), facts.get("subset")) != (weights, split, "test"):
        return False
    report = (run.scores(protocol) / "report.html").is_file() or not run.folder.model.exists()
    return report and (run.scores(protocol) / "per_image.csv").is_file()


def _facts(run: PlannedRun, protocol: str) -> Mapping[str, Any]:
    """What scores say of themselves; empty where there are none that can be read."""
    summary = run.scores(protocol) / "summary.json"
    try:
        facts = read_json_object(summary).get("facts") if summary.is_file() else None
    except InputError:
        return {}
    return facts if isinstance(facts, Mapping) else {}


def strangers(run: PlannedRun) -> list[str]:
    """Names in a folder without settings that a run at its start does not write."""
    names = sorted(path.name for path in run.folder.path.iterdir())
    return [name for name in names if name not in _BEFORE_CONFIG and not name.startswith(".")]


def check_same(run: PlannedRun) -> None:
    """Refuse a folder whose run is not the planned one.

    Raises:
        UsageError: a setting or the split is another; the first one is named.
    """
    move = f"move {run.folder.path} away, or give other --runs"
    planned, found = _settings(to_dict(run.config)), _settings(to_dict(run.folder.read_config()))
    for key in sorted({*planned, *found}):
        expected, there = planned.get(key), found.get(key)
        if expected != there and not (key == "precision" and expected == "auto"):  # a run keeps what auto meant
            raise UsageError(
                f"{run.folder.path}: the folder holds a run with other settings: expected {key} = {expected!r} as planned, "
                f"but found {there!r}; {move}."
            )
    split = run.folder.read_provenance()["split_sha256"]
    if run.source.sha256 and split != run.source.sha256:
        raise UsageError(
            f"{run.folder.path}: the folder holds a run with another split: expected SHA-256 {run.source.sha256[:12]} as in "
            f"{run.source.split}, but found {split[:12]}; {move}."
        )


def _settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that make a run what it is, by dotted name."""
    return {key: value for key, value in dotted(values) if key not in (*_PLACES, *_MACHINE)}


def _epochs(run: PlannedRun) -> int:
    if not run.folder.metrics.is_file():
        return 0
    return len(run.folder.metrics.read_text(encoding="utf-8").splitlines()) - 1
