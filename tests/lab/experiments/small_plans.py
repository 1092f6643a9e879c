"""Small plans, and a stand-in for `python -m tmunet` that trains and scores nothing but leaves the files of a run."""

import sys
from pathlib import Path
from typing import Any

from tmunet_lab.experiments.plan import ExperimentPlan, PlannedNetwork
from tmunet_lab.experiments.runs import PlannedRun, expand_plan

STAND_IN = Path(__file__).with_name("stand_in.py")


def small_plan(**changes: Any) -> ExperimentPlan:
    known: dict[str, Any] = {
        "title": "A small plan",
        "networks": {"U-Lite": PlannedNetwork("ulite"), "TM-UNet": PlannedNetwork("tmunet_t")},
        "data": ["discs"],
        "splits": ["own"],
        "seeds": [0],
        "settings": {"epochs": 2, "batch_size": 4, "preprocess": {"size": 32}},
        "protocols": ["strict"],
    }
    return ExperimentPlan(**{**known, **changes})


def small_runs(folder: Path, **changes: Any) -> list[PlannedRun]:
    """The runs of a small plan, with their data sets in `folder` and the run folders in `folder / "runs"`."""
    return expand_plan(small_plan(**changes), folder, folder / "runs", "cpu")


def write_stand_in(folder: Path) -> str:
    """An executable in place of the interpreter, called with `-m tmunet ...`; it notes its calls in `calls.txt` beside it."""
    path = folder / "stand-in"
    path.write_text(f"#!{sys.executable}\n{STAND_IN.read_text()}")
    path.chmod(0o755)
    return str(path)


def calls(folder: Path) -> list[str]:
    """What the stand-in was called for, such as "train discs-own-u-lite-s0"."""
    path = folder / "calls.txt"
    return path.read_text().splitlines() if path.is_file() else []
