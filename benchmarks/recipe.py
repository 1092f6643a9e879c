"""The recipe's factors one at a time, at equal budget, by validation images only.

    python benchmarks/recipe.py DATA [--plan results/recipe.yaml] [--runs runs/recipe] [--out results/recipe.md] [--page-only]

DATA holds the data sets, each in a folder of its name. Every entry of the plan differs from `base` in one factor. Runs are
trained one after the other; what is done is not done again, an interrupted one goes on, and the page is written after each run.
Test images are never scored. Beside the page lies a CSV with the kept epoch of every run.
"""

import argparse
import csv
import subprocess
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

from tmunet.files import write_csv, write_text
from tmunet_lab.experiments.captions import format_settings
from tmunet_lab.experiments.markdown import void_note
from tmunet_lab.experiments.plan import ExperimentPlan, read_plan
from tmunet_lab.experiments.run_status import RunStatus, inspect_run
from tmunet_lab.experiments.runs import PlannedRun, expand_plan, resume_command, train_command

BASE = "base"
COLUMNS = ("factor", "data", "seed", "epochs", "kept_epoch", "val_loss", "val_dice", "train_loss", "split_sha256")


def train(run: PlannedRun) -> None:
    """Train, or go on with, one run, as a user would."""
    command = resume_command(run) if inspect_run(run).status == RunStatus.INTERRUPTED else train_command(run)
    subprocess.run([sys.executable, "-m", "tmunet", *command], check=True)


def kept(run: PlannedRun) -> dict[str, Any] | None:
    """The epoch whose weights the run kept, by its validation images; None if the run is not finished."""
    if not (run.folder.model / "config.json").is_file():
        return None
    with run.folder.metrics.open(newline="", encoding="utf-8") as file:
        best = max(csv.DictReader(file), key=lambda row: float(row["val_dice"]))
    return {
        "factor": run.network,
        "data": run.data,
        "seed": run.config.seed,
        "epochs": run.config.epochs,
        "kept_epoch": int(best["epoch"]),
        **{name: float(best[name]) for name in ("val_loss", "val_dice", "train_loss")},
        "split_sha256": run.folder.read_provenance()["split_sha256"],
    }


def cell(rows: list[dict[str, Any]], factor: str, data: str) -> str:
    """Dice of each seed, and the mean difference from the base over the seeds that both have."""
    dice = {row["seed"]: row["val_dice"] for row in rows if (row["factor"], row["data"]) == (factor, data)}
    base = {row["seed"]: row["val_dice"] for row in rows if (row["factor"], row["data"]) == (BASE, data)}
    both = [seed for seed in dice if seed in base]
    change = f"{fmean(dice[seed] - base[seed] for seed in both):+.3f}" if both and factor != BASE else "-"
    return f"{', '.join(f'{value:.3f}' for value in dice.values()) or '-'} | {change}"


def page(plan: ExperimentPlan, rows: list[dict[str, Any]], missing: int, command: str) -> str:
    """Settings, a line for each factor, and what was not run."""
    head = " | ".join(f"{data}: Dice by seed | change" for data in plan.data)
    lines = []
    for label, network in plan.networks.items():
        own = {**({"model_args": network.model_args} if network.model_args else {}), **network.settings}
        differs = f"`{format_settings(own)}`" if own else "the recipe as it is"
        if network.model != plan.networks[BASE].model:
            differs = f"the network, `{network.model}`" + (f", `{format_settings(own)}`" if own else "")
        values = " | ".join(cell(rows, label, data) for data in plan.data)
        lines.append(f"| {label} | {differs} | {values} |")
    budgets = "\n".join(f"- {data}: `{format_settings(own)}`" for data, own in plan.data_settings.items())
    title = "\n\n".join([plan.title, *void_note(plan)])
    return f"""# {title}

Dice of the **validation** images at the size of training, of the epoch that was kept. Recipe `{plan.recipe}`, with the budget

{budgets}

| factor | what differs | {head} |
|---|---|{"---|---|" * len(plan.data)}
{chr(10).join(lines)}

Change: mean over the seeds that both have of the difference from `{BASE}` with the same seed. {len(rows)} runs;
{missing} of the plan were not run. Made by `{command}`.
"""


def main() -> None:
    """Train what is missing, and write the page after each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--plan", default="results/recipe.yaml")
    parser.add_argument("--runs", type=Path, default=Path("runs/recipe"))
    parser.add_argument("--out", type=Path, default=Path("results/recipe.md"))
    parser.add_argument("--page-only", action="store_true", help="write the page of what there is")
    given = parser.parse_args()
    command = "python benchmarks/recipe.py DATA"
    if given.plan != parser.get_default("plan"):
        command += f" --plan {given.plan} --runs {given.runs} --out {given.out}"
    plan = read_plan(given.plan)
    for run in expand_plan(plan, given.data, given.runs, "cpu"):
        if kept(run) is None and not given.page_only:
            train(run)
            write(plan, given.data, given.runs, given.out, command)
    write(plan, given.data, given.runs, given.out, command)


def write(plan: ExperimentPlan, data: Path, runs: Path, out: Path, command: str) -> None:
    """Write the page and the CSV."""
    planned = expand_plan(plan, data, runs, "cpu")
    rows = [row for run in planned if (row := kept(run)) is not None]
    write_text(out, page(plan, rows, len(planned) - len(rows), command))
    write_csv(out.with_suffix(".csv"), COLUMNS, rows)


if __name__ == "__main__":
    main()
