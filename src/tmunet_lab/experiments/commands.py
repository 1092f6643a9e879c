"""What `tmunet` is called with for a run, as words behind `tmunet` that anyone can type."""

import json

from tmunet_lab.experiments.nesting import dotted
from tmunet_lab.experiments.planned_runs import PlannedRun


def train_command(run: PlannedRun) -> list[str]:
    """Train from fresh weights."""
    config = run.config
    options = [f"--model-args={json.dumps(config.model_args)}"] if config.model_args else []
    return [
        "train",
        f"--data={config.data}",
        f"--split={config.split}",
        f"--out={run.folder.path}",
        f"--recipe={config.recipe}",
        f"--model={config.model}",
        *options,
        f"--seed={config.seed}",
        f"--device={config.device}",
        *(
            f"--{key.replace('_', '-')}={value if isinstance(value, str) else json.dumps(value)}"
            for key, value in dotted(run.given)
        ),
    ]


def resume_command(run: PlannedRun) -> list[str]:
    """Continue an interrupted training."""
    return ["train", "--resume", str(run.folder.path)]


def evaluate_command(run: PlannedRun, protocol: str) -> list[str]:
    """Score the test images under a protocol; copies among them that the split left in train count, and the page tells them."""
    return [
        "evaluate",
        f"--model={run.folder.path}",
        f"--data={run.config.data}",
        f"--split={run.folder.split}",
        f"--protocol={protocol}",
        f"--device={run.config.device}",
        f"--out={run.scores(protocol)}",
        "--allow-train-images",
    ]
