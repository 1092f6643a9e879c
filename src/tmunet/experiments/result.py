"""What one finished run scored on its test images, under one protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tmunet.data.json_object import read_json_object
from tmunet.errors import InputError


@dataclass(frozen=True)
class Result:
    """The test scores of one run.

    Attributes:
        network: how the plan calls the network, which is how tables show it.
        model: the network's name in the registry.
        data: name of the data set.
        split: kind of the split, such as "random".
        seed: of the run.
        run: the run folder.
        scores: what `summary.json` of the evaluation holds: protocol, facts, classes (statistics), per_image (rows).
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
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """One row for each image and class: case, group, class, outcome, metrics; None where a distance does not exist."""
        rows: Sequence[Mapping[str, Any]] = self.scores["per_image"]
        return rows

    @property
    def groups(self) -> dict[str, str]:
        """The group of each image whose group is known; evaluations did not name it before groups were drawn."""
        return {row["case"]: row["group"] for row in self.rows if row.get("group") is not None}

    def mean(self, metric: str) -> float | None:
        """Mean of a metric over the images, averaged over the classes; None where no image has it."""
        means = [summary["metrics"][metric]["mean"] for summary in self.scores["classes"].values()]
        return None if None in means else sum(means) / len(means)

    def values(self, metric: str) -> dict[str, float]:
        """A metric of each image that has it, averaged over its classes, by the name of the case."""
        found: dict[str, list[float]] = {}
        for row in self.rows:
            if row[metric] is not None:
                found.setdefault(row["case"], []).append(row[metric])
        return {case: sum(values) / len(values) for case, values in found.items()}


def known_groups(results: Sequence[Result]) -> dict[str, str]:
    """The group of each image, if any of the results knows it.

    Args:
        results: of the same images.

    Raises:
        InputError: two results name different groups of an image.
    """
    known: dict[str, tuple[str, Result]] = {}
    for result in results:
        for case, group in result.groups.items():
            other, first = known.setdefault(case, (group, result))
            if other != group:
                raise InputError(
                    f"{first.run} and {result.run}: expected the same groups of images to compare their scores, but found {case} "
                    f"in {other!r} and in {group!r}; evaluate both with one dataset.json."
                )
    return {case: group for case, (group, _) in known.items()}


def read_scores(folder: Path) -> dict[str, Any]:
    """Read `summary.json` of an evaluation's folder."""
    return read_json_object(folder / "summary.json")
