"""Collect the test scores of finished runs, and the reason for each run without them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tmunet.data.json_object import read_json_object
from tmunet.errors import InputError
from tmunet.metrics import mean_over_classes, scored_classes
from tmunet_lab.experiments.run_status import InspectedRun, RunProgress, RunStatus
from tmunet_lab.experiments.runner import ExecutionStatus, RunOutcome
from tmunet_lab.experiments.runs import PlannedRun, RunKey


@dataclass(frozen=True)
class RunResult:
    """Test scores of one run under one protocol.

    Attributes:
        network: label of the network.
        model: name of the network in the registry.
        data: name of the data set.
        split: kind of the split, such as "random".
        seed: of the run.
        run: the run folder.
        scores: content of `summary.json` of the evaluation: protocol, facts, classes (statistics), per_image (rows).
    """

    network: str
    model: str
    data: str
    split: str
    seed: int
    run: Path
    scores: Mapping[str, Any]

    @property
    def protocol(self) -> str:
        """Name of the protocol."""
        return str(self.scores["protocol"])

    @property
    def weights_sha256(self) -> str:
        """Hash of the weights that were scored."""
        return str(self.scores["facts"]["weights_sha256"])

    @property
    def split_sha256(self) -> str:
        """Hash of the split."""
        return str(self.scores["facts"]["split_sha256"])

    @property
    def classes(self) -> list[str]:
        """Classes in any reference or prediction; means are over these."""
        return scored_classes(self.scores["classes"])

    @property
    def ignored(self) -> int:
        """Number of images whose pixels are all ignored; older evaluations do not have it."""
        return max(int(summary.get("n_ignored", 0)) for summary in self.scores["classes"].values())

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """One row per image and class of `classes`: case, group, class, outcome, metrics; None where there is no value."""
        classes = self.classes  # older evaluations score an absent class with 1
        return [row for row in self.scores["per_image"] if row["class"] in classes]

    @property
    def groups(self) -> dict[str, str]:
        """Group of each image whose group is known; older evaluations do not have it."""
        return {row["case"]: row["group"] for row in self.rows if row.get("group") is not None}

    def mean(self, metric: str) -> float | None:
        """Mean of a metric over images, then over classes; None if a class has no image with it."""
        return mean_over_classes(self.scores["classes"], metric)

    def values(self, metric: str) -> dict[str, float]:
        """Metric of each image, averaged over its classes, by case; without images that lack it."""
        found: dict[str, list[float]] = {}
        for row in self.rows:
            if row[metric] is not None:
                found.setdefault(row["case"], []).append(row[metric])
        return {case: sum(values) / len(values) for case, values in found.items()}


def known_groups(results: Sequence[RunResult]) -> dict[str, str]:
    """Merge the groups of images that are known to any of the results, by case.

    Raises:
        InputError: two results name different groups of an image.
    """
    known: dict[str, tuple[str, RunResult]] = {}
    for result in results:
        for case, group in result.groups.items():
            other, first = known.setdefault(case, (group, result))
            if other != group:
                raise InputError(
                    f"{first.run} and {result.run}: expected the same groups of images to compare their scores, but found {case} "
                    f"in {other!r} and in {group!r}; evaluate both with one dataset.json.",
                    code="not-comparable",
                )
    return {case: group for case, (group, _) in known.items()}


def read_scores(folder: Path) -> dict[str, Any]:
    """Read `summary.json` of an evaluation folder.

    Raises:
        InputError: its distances are in mm, where the tables are in pixels.
    """
    scores = read_json_object(folder / "summary.json")
    if scores.get("unit", "pixels") != "pixels":
        raise InputError(
            f"{folder}: expected distances in pixels, as the tables of the paper have them, but found {scores['unit']}; take "
            "spacing_mm out of dataset.json, or the spacing out of the image files.",
            path=folder,
        )
    return scores


def collect_results(
    inspected: Sequence[InspectedRun], outcomes: Mapping[RunKey, RunOutcome]
) -> tuple[list[RunResult], dict[RunKey, str]]:
    """Read the scores of finished runs.

    Args:
        inspected: the runs and their progress.
        outcomes: of the runs that were just tried.

    Returns:
        One result per finished run and protocol; and by run, why others have none.
    """
    results: list[RunResult] = []
    missing: dict[RunKey, str] = {}
    for run, progress in inspected:
        if progress.status == RunStatus.DONE:
            results += [
                RunResult(
                    run.network,
                    run.config.model,
                    run.data,
                    run.split,
                    run.config.seed,
                    run.folder.path,
                    read_scores(path),
                )
                for path in map(run.scores, run.protocols)
            ]
        else:
            missing[run.key] = _reason(run, progress, outcomes.get(run.key))
    return results, missing


def _reason(run: PlannedRun, progress: RunProgress, outcome: RunOutcome | None) -> str:
    if progress.status == RunStatus.DAMAGED:
        return progress.reason
    if progress.status == RunStatus.MISSING_DATA:
        return run.source.reason
    if outcome is not None and outcome.status == ExecutionStatus.FAILED:
        return f"failed: {outcome.reason.splitlines()[0]} See {run.log}"
    if outcome is not None and outcome.status == ExecutionStatus.BUSY:
        return outcome.reason
    if progress.status == RunStatus.PENDING:
        return "not run yet"
    if progress.status == RunStatus.TRAINED:
        return "trained, but not scored yet"
    return f"interrupted after {progress.epochs} of {run.config.epochs} epochs"
