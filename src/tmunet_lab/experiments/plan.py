"""Experiment plans: networks x data sets x splits x seeds with one recipe, from the package or from a YAML file."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

from tmunet.config import from_mapping, known_keys, read_yaml, suggest
from tmunet.errors import UsageError
from tmunet.registry import list_models

TargetName = Literal["table1", "table2", "table3", "figure1", "figure3", "leak"]

_PLAN_OF = {"figure1": "table1", "figure3": "table1"}  # the figures show the runs of a table
# set by other keys of the plan or by the command line; `settings` are about training alone
_NOT_SETTINGS = ("data", "split", "out", "recipe", "model", "model_args", "seed", "device")


@dataclass(frozen=True)
class PlannedNetwork:
    """A network of a plan."""

    model: str
    """Name of the network; see `tmunet info`."""
    model_args: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of the network that differ from the named one."""
    row: str = ""
    """The paper's row beside it, as `paper.yaml` spells it; none if the paper has no such row."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Training settings of this network that differ from the plan's; the tables list them."""

    def __post_init__(self) -> None:
        if self.model not in list_models():
            raise ValueError(f"There is no network {self.model!r}.{suggest(self.model, list_models())}")
        _check_settings("settings", self.settings)


@dataclass(frozen=True)
class ExperimentPlan:
    """The runs behind a table."""

    title: str
    """Heading of the table."""
    networks: dict[str, PlannedNetwork]
    """By the label that tables show."""
    data: list[str]
    """Names of data sets, as `tmunet import` spells them."""
    splits: list[str] = field(default_factory=lambda: ["random"])
    """Kinds of fixed splits, see `splits/README.md` of the package; `own` is the `split.json` of a data set."""
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    """One run each."""
    recipe: str = "paper"
    """Recipe that all runs start from."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Settings of all runs that differ from the recipe, such as {epochs: 20, preprocess: {size: 128}}."""
    data_settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Settings of all runs on one data set, by its name."""
    protocols: list[str] = field(default_factory=lambda: ["paper", "strict"])
    """Evaluation protocols; the paper's figures stand beside `paper`."""
    substitutes: dict[str, str] = field(default_factory=dict)
    """Data sets in place of one of the paper's that is not available, such as {BUSI: UDIAT}."""
    void: str = ""
    """Why the numbers of this plan are not valid; all of its pages say it first."""

    def __post_init__(self) -> None:
        from tmunet.metrics import PROTOCOLS

        for name in ("networks", "data", "splits", "seeds", "protocols"):
            _check_unique(name, list(getattr(self, name)))
        for name in (*self.data, *self.splits):
            if not re.fullmatch(r"\w[\w.-]*", name):
                raise ValueError(f"Expected the name of a data set or a split, but got {name!r}.")
        for seed in self.seeds:
            if not 0 <= seed < 2**32:
                raise ValueError(f"Expected `seeds` from 0 to {2**32 - 1}, but got {seed}.")
        for protocol in self.protocols:
            if protocol not in PROTOCOLS:
                raise ValueError(f"There is no protocol {protocol!r}.{suggest(protocol, PROTOCOLS)}")
        for name in ("data_settings", "substitutes"):
            for key in getattr(self, name):
                if key not in self.data:
                    raise ValueError(f"`{name}`: {key!r} is no data set of the plan.{suggest(key, self.data)}")
        _check_settings("settings", self.settings)
        for name, settings in self.data_settings.items():
            _check_settings(f"data_settings: {name}", settings)
        _check_labels(list(self.networks))


def list_targets() -> tuple[str, ...]:
    """List the tables and figures that can be reproduced."""
    return get_args(TargetName)


def list_plans() -> list[str]:
    """List the plans of the package."""
    return sorted(file.name.removesuffix(".yaml") for file in _plans().iterdir() if file.name.endswith(".yaml"))


def plan_of(target: str) -> str:
    """Name the packaged plan of a target.

    Raises:
        UsageError: there is no such target.

    >>> plan_of("figure1")
    'table1'
    """
    if target not in list_targets():
        raise UsageError(f"There is no target {target!r}.{suggest(target, list_targets())}", code="target")
    return _PLAN_OF.get(target, target)


def read_plan(plan: str) -> ExperimentPlan:
    """Read a plan by its name or its YAML file.

    Raises:
        UsageError: no such plan, an unknown key (the nearest is suggested), or a value that does not fit.
    """
    if Path(plan).suffix in (".yaml", ".yml"):
        return _build(read_yaml(Path(plan)), plan)
    if plan not in list_plans():
        raise UsageError(
            f"There is no plan {plan!r}, nor a YAML file of that name.{suggest(plan, list_plans())}", code="plan"
        )
    with resources.as_file(_plans() / f"{plan}.yaml") as packaged:
        return _build(read_yaml(packaged), f"plan {plan}")


def slug(label: str) -> str:
    """Turn a label into part of a folder name.

    >>> slug("TM-UNet (released code)")
    'tm-unet-released-code'
    """
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")


def _plans() -> Any:
    return resources.files(__package__) / "plans"


def _build(values: Mapping[str, Any], where: str) -> ExperimentPlan:
    """Check each network by itself first, so that an error names it."""
    for key in values:
        if key not in known_keys(ExperimentPlan):
            raise UsageError(
                f"{where}: There is no setting {key!r}.{suggest(str(key), known_keys(ExperimentPlan))}", code="key"
            )
    networks = values.get("networks", {})
    if not isinstance(networks, Mapping):
        raise UsageError(f"{where}: Expected `networks` to be labels and networks, but got {networks!r}.", code="type")
    for label, network in networks.items():
        if not isinstance(label, str) or not isinstance(network, Mapping):
            raise UsageError(
                f"{where}: Expected a label and the keys of a network, but got {label!r}: {network!r}.", code="type"
            )
        from_mapping(PlannedNetwork, network, f"{where}: {label}")
    return from_mapping(ExperimentPlan, values, where)


def _check_unique(name: str, values: Sequence[Any]) -> None:
    repeated = [value for value, count in Counter(values).items() if count > 1]
    if repeated:
        raise ValueError(f"Expected each of `{name}` once, but got {repeated[0]!r} twice.")
    if not values:
        raise ValueError(f"Expected at least one in `{name}`, but got none.")


def _check_settings(where: str, settings: Mapping[str, Any]) -> None:
    for key in settings:
        if key in _NOT_SETTINGS:
            raise ValueError(
                f"`{where}`: {key!r} is not a setting of the training here; the plan or the command says it."
            )


def _check_labels(labels: Sequence[str]) -> None:
    """Make sure that no two labels give the same folder name."""
    label_of: dict[str, str] = {}
    for label in labels:
        name = slug(label)
        if not name:
            raise ValueError(
                f"Expected a label of a network with letters a to z or digits, which name its folders, but got {label!r}."
            )
        if name in label_of:
            raise ValueError(f"The labels {label_of[name]!r} and {label!r} give runs of the same name; change one.")
        label_of[name] = label
