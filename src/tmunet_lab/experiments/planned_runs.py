"""From a plan to its runs: what each trains on what, with which settings, in which folder."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tmunet.config import from_mapping
from tmunet.training.config import TrainConfig, read_recipe
from tmunet.training.run_folder import RunFolder
from tmunet_lab.experiments.data_sources import Source, find_source
from tmunet_lab.experiments.nesting import merged
from tmunet_lab.experiments.plan import Plan, PlannedNetwork, slug

Key = tuple[str, str, str, int]
"""Label of the network, data set, kind of the split, seed: which run of a plan."""


@dataclass(frozen=True)
class PlannedRun:
    """One run of a plan.

    Attributes:
        network: label of the network.
        data: name of the data set.
        split: kind of the split.
        config: the settings of its training, all of them.
        given: those of them that the plan sets and the recipe does not, nested.
        source: the images.
        protocols: under which the test images are scored.
    """

    network: str
    data: str
    split: str
    config: TrainConfig
    given: dict[str, Any]
    source: Source
    protocols: tuple[str, ...]

    @property
    def key(self) -> Key:
        """Which run of the plan it is."""
        return self.network, self.data, self.split, self.config.seed

    @property
    def folder(self) -> RunFolder:
        """The run folder."""
        return RunFolder(self.config.run_folder)

    @property
    def log(self) -> Path:
        """What its commands said, beside the run folder."""
        return self.folder.path.with_name(f"{self.folder.path.name}.log")

    def scores(self, protocol: str) -> Path:
        """Folder of the scores under a protocol."""
        return self.folder.path / "evaluation" / protocol


def plan_runs(plan: Plan, data_root: Path, runs: Path, device: str = "auto") -> list[PlannedRun]:
    """All runs of a plan, seed by seed, so that a table is whole early, if only with one seed.

    Args:
        plan: the plan.
        data_root: holds the data sets, each in a folder of its name.
        runs: folder of the run folders, which are called `DATA-SPLIT-NETWORK-sSEED`.
        device: as `TrainConfig.device`.

    Raises:
        UsageError: there is no such recipe, or a setting of the plan does not exist or does not fit.
    """
    recipe = read_recipe(plan.recipe)
    sources = {(data, kind): find_source(data_root, data, kind) for data in plan.data for kind in plan.splits}
    known: dict[tuple[str, str], tuple[TrainConfig, dict[str, Any]]] = {}
    found = []
    for seed in plan.seeds:
        for (data, kind), source in sources.items():
            for label, network in plan.networks.items():
                like = label, data if data in plan.data_settings else ""  # all other data sets have the same settings
                if like not in known:
                    known[like] = _settings(plan, label, network, recipe, data, device)
                config, given = known[like]
                out = runs / f"{data}-{kind}-{slug(label)}-s{seed}"
                config = replace(config, data=str(source.folder), split=str(source.split), out=str(out), seed=seed)
                found.append(PlannedRun(label, data, kind, config, given, source, tuple(plan.protocols)))
    return found


def _settings(
    plan: Plan, label: str, network: PlannedNetwork, recipe: dict[str, Any], data: str, device: str
) -> tuple[TrainConfig, dict[str, Any]]:
    """All settings of a network on a data set but for its paths and seed, and those that the plan gives."""
    given = merged(plan.settings, plan.data_settings.get(data, {}), network.settings)
    own = {
        "data": data,
        "recipe": plan.recipe,
        "model": network.model,
        "model_args": network.model_args,
        "device": device,
    }
    where = f"{plan.title}: settings of {label} on {data}"
    return from_mapping(TrainConfig, merged(recipe, given, own), where), given
