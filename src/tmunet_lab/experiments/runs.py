"""Expand a plan into runs: data, settings, run folder, and the commands that train and score each."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tmunet.config import deep_merge, flatten, from_mapping
from tmunet.training.run_folder import RunFolder
from tmunet.training.train_config import TrainConfig, read_recipe
from tmunet_lab.experiments.data_sources import DataSource, find_data_source
from tmunet_lab.experiments.plan import ExperimentPlan, PlannedNetwork, slug

RunKey = tuple[str, str, str, int]
"""Identifies a run of a plan: label of the network, data set, kind of the split, seed."""


@dataclass(frozen=True)
class PlannedRun:
    """One run of a plan.

    Attributes:
        network: label of the network.
        data: name of the data set.
        split: kind of the split.
        config: all settings of its training.
        overrides: the settings that the plan changes from the recipe, nested.
        source: data set and split.
        protocols: evaluation protocols.
    """

    network: str
    data: str
    split: str
    config: TrainConfig
    overrides: dict[str, Any]
    source: DataSource
    protocols: tuple[str, ...]

    @property
    def key(self) -> RunKey:
        """Identify the run within the plan."""
        return self.network, self.data, self.split, self.config.seed

    @property
    def folder(self) -> RunFolder:
        """The run folder."""
        return RunFolder(self.config.run_folder)

    @property
    def log(self) -> Path:
        """Log of its commands, beside the run folder."""
        return self.folder.path.with_name(f"{self.folder.path.name}.log")

    def scores(self, protocol: str) -> Path:
        """Folder of the scores under a protocol."""
        return self.folder.path / "evaluation" / protocol


def expand_plan(plan: ExperimentPlan, data_root: Path, runs: Path, device: str = "auto") -> list[PlannedRun]:
    """List all runs of a plan, seed by seed, so that a table is complete early with one seed.

    Args:
        plan: the plan.
        data_root: folder of the data sets, each in a folder of its name.
        runs: folder of the run folders, named `DATA-SPLIT-NETWORK-sSEED`.
        device: as `TrainConfig.device`.

    Raises:
        UsageError: an unknown recipe, or a setting of the plan that does not exist or does not fit.
    """
    recipe = read_recipe(plan.recipe)
    sources = {(data, kind): find_data_source(data_root, data, kind) for data in plan.data for kind in plan.splits}
    configs: dict[tuple[str, str], tuple[TrainConfig, dict[str, Any]]] = {}
    expanded = []
    for seed in plan.seeds:
        for (data, kind), source in sources.items():
            for label, network in plan.networks.items():
                key = label, data if data in plan.data_settings else ""  # all other data sets share their settings
                if key not in configs:
                    configs[key] = _resolve(plan, label, network, recipe, data, device)
                config, overrides = configs[key]
                out = runs / f"{data}-{kind}-{slug(label)}-s{seed}"
                config = replace(config, data=str(source.folder), split=str(source.split), out=str(out), seed=seed)
                expanded.append(PlannedRun(label, data, kind, config, overrides, source, tuple(plan.protocols)))
    return expanded


def _resolve(
    plan: ExperimentPlan, label: str, network: PlannedNetwork, recipe: dict[str, Any], data: str, device: str
) -> tuple[TrainConfig, dict[str, Any]]:
    """Settings of a network on a data set but for paths and seed, and those among them that the plan changes."""
    overrides = deep_merge(plan.settings, plan.data_settings.get(data, {}), network.settings)
    fixed = {"data": data, "recipe": plan.recipe, "model": network.model, "model_args": network.model_args}
    where = f"{plan.title}: settings of {label} on {data}"
    return from_mapping(TrainConfig, deep_merge(recipe, overrides, fixed, {"device": device}), where), overrides


def train_command(run: PlannedRun) -> list[str]:
    """Give the words after `tmunet` that train a run from fresh weights."""
    config = run.config
    model_args = [f"--model-args={json.dumps(config.model_args)}"] if config.model_args else []
    return [
        "train",
        f"--data={config.data}",
        f"--split={config.split}",
        f"--out={run.folder.path}",
        f"--recipe={config.recipe}",
        f"--model={config.model}",
        *model_args,
        f"--seed={config.seed}",
        f"--device={config.device}",
        *(
            f"--{key.replace('_', '-')}={value if isinstance(value, str) else json.dumps(value)}"
            for key, value in flatten(run.overrides)
        ),
    ]


def resume_command(run: PlannedRun) -> list[str]:
    """Give the words after `tmunet` that resume an interrupted run from its last checkpoint."""
    return ["train", "--resume", str(run.folder.path)]


def evaluate_command(run: PlannedRun, protocol: str) -> list[str]:
    """Give the words after `tmunet` that score the test images; duplicates of training images count, and the page says so."""
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
