"""Void plans say so first on every page; committed results parse and are what their runs give."""

import csv
import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tmunet.data.split.splits import Split
from tmunet.training.run_folder import RunFolder
from tmunet_lab.experiments.plan import read_plan
from tmunet_lab.experiments.write_tables import write_target

from .made_results import COSTS, all_results, plan

ROOT = Path(__file__).parents[3]
RECIPE_PAGES = ("recipe", "combinations", "initial", "gate-cap", "base-size")


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    """The script `benchmarks/recipe.py`."""
    spec = importlib.util.spec_from_file_location("recipe", ROOT / "benchmarks" / "recipe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("target", ["table1", "figure1"])
def test_the_pages_of_a_void_plan_say_so_first(target: str, tmp_path: Path) -> None:
    sound = plan(data=["MoNuSeg"], splits=["random"], protocols=["paper"])
    of = replace(sound, void="2 % of start_weights is left.")
    results = all_results(tmp_path, of)
    changes: dict[str, Any] = {"missing": {}, "costs": COSTS, "command": "c", "data_root": tmp_path}
    files = write_target(target, of, results, out=tmp_path, **changes)
    pages = {file.name: file.read_text("utf-8") for file in files if file.suffix in (".md", ".tex")}
    assert pages[f"{target}.md"].split("\n\n")[1] == r"**Void.** 2 % of start\_weights is left."
    if target == "table1":
        assert r": Void. 2 \% of start\_weights is left." in pages["table1.tex"]
    for file in write_target(target, sound, results, out=tmp_path, **changes):
        assert b"Void" not in file.read_bytes()


@pytest.mark.parametrize("name", RECIPE_PAGES)
def test_a_page_of_the_recipe_is_what_its_plan_and_its_runs_give(name: str, recipe: ModuleType) -> None:
    page = (ROOT / "results" / f"{name}.md").read_text("utf-8")
    of = read_plan(str(ROOT / "results" / f"{name}.yaml"))
    with (ROOT / "results" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        rows = [{**row, "seed": int(row["seed"]), "val_dice": float(row["val_dice"])} for row in csv.DictReader(file)]
    missing = len(of.networks) * len(of.data) * len(of.seeds) - len(rows)
    command = page.rsplit("Made by `", 1)[1].split("`")[0]
    assert page == recipe.page(of, rows, missing, command)
    assert page.split("\n\n")[1].startswith("**Void.** The MoNuSeg columns")


def test_committed_runs_parse_and_have_the_hash_of_their_split() -> None:
    runs = [RunFolder(path.parent) for path in sorted(ROOT.glob("results/*/runs/*/config.yaml"))]
    assert len(runs) == 58
    for run in runs:
        assert run.read_config().monitor in ("val_loss", "val_dice")
        split = Split(**{side: tuple(names) for side, names in json.loads(run.split.read_text("utf-8")).items()})
        assert run.read_provenance()["split_sha256"] == split.sha256
        for summary in (run.path / "evaluation").glob("*/summary.json"):
            assert json.loads(summary.read_text("utf-8"))["facts"]["split_sha256"] == split.sha256
