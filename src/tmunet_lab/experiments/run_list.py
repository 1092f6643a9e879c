"""The runs behind the numbers of a page: where each lies and what it can be recognized by."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tmunet_lab.experiments.number_format import DASH
from tmunet_lab.experiments.run_result import Result


@dataclass(frozen=True)
class RunEntry:
    """One run folder, with its results under all protocols.

    Attributes:
        results: in the order of the protocols; all of one run.
    """

    results: Sequence[Result]

    @property
    def first(self) -> Result:
        """Any of the results, for what they have in common."""
        return self.results[0]

    @property
    def epochs(self) -> str:
        """How many were trained and which was kept, as far as the evaluation knows."""
        trained: dict[str, Any] = self.first.scores["facts"].get("trained", {})
        kept = f", kept {trained['kept_epoch']}" if "kept_epoch" in trained else ""
        return f"{trained['epochs']}{kept}" if "epochs" in trained else DASH


def run_entries(results: Sequence[Result]) -> list[RunEntry]:
    """Put the results of each run together, in the order of the results."""
    found: dict[Path, list[Result]] = {}
    for result in results:
        found.setdefault(result.run, []).append(result)
    return [RunEntry(together) for together in found.values()]


def per_image_csv(result: Result) -> Path:
    """The table with a row for each image."""
    return result.run / "evaluation" / result.protocol / "per_image.csv"


def relative(path: Path, page: Path) -> str:
    """The way from the folder of a page to a file or folder, with forward slashes."""
    return Path(os.path.relpath(path.resolve(), page.resolve())).as_posix()
