"""What one finished run scored on its test images, under one protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tmunet.data.json_object import read_json_object
from tmunet.errors import InputError
from tmunet.metrics import mean_over_classes, scored_classes


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
    def classes(self) -> list[str]:
        """The classes that are in the images or in the predictions, over which means are."""
        return scored_classes(self.scores["classes"])

    @property
    def ignored(self) -> int:
        """Images without a pixel that counts; evaluations had none before they left such images out."""
        return max(int(summary.get("n_ignored", 0)) for summary in self.scores["classes"].values())

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """One row for each image and class of `classes`: case, group, class, outcome, metrics; None where there is no value."""
        classes = self.classes  # older evaluations gave an image 1 for a class that is in none
        return [row for row in self.scores["per_image"] if row["class"] in classes]

    @property
    def groups(self) -> dict[str, str]:
        """The group of each image whose group is known; evaluations did not name it before groups were drawn."""
        return {row["case"]: row["group"] for row in self.rows if row.get("group") is not None}

    def mean(self, metric: str) -> float | None:
        """Mean of a metric over the images, averaged over the classes; None where a class has no image with it."""
        return mean_over_classes(self.scores["classes"], metric)

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
