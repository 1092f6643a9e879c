"""A plan of runs: networks x data sets x splits x seeds, all with one recipe."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tmunet.config import suggest
from tmunet.registry import list_models

TargetName = Literal["table1", "table2", "table3", "figure1", "figure3", "leak"]

# what a plan says elsewhere, or a command says; the settings of a plan are about training alone
_NOT_SETTINGS = ("data", "split", "out", "recipe", "model", "model_args", "seed", "device")


@dataclass(frozen=True)
class PlannedNetwork:
    """A network of a plan."""

    model: str
    """Name of the network; see `tmunet info`."""
    model_args: dict[str, Any] = field(default_factory=dict)
    """Options of the network that differ from the named one."""
    row: str = ""
    """The paper's row that it stands for, as `paper.yaml` spells it; none if the paper has no such row."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What this network's training sets differently from the plan's, and the tables must say so."""

    def __post_init__(self) -> None:
        if self.model not in list_models():
            raise ValueError(f"There is no network {self.model!r}.{suggest(self.model, list_models())}")
        _check_settings("settings", self.settings)


@dataclass(frozen=True)
class Plan:
    """What is trained and scored for a table."""

    title: str
    """Heading of the table."""
    networks: dict[str, PlannedNetwork]
    """By the label that tables show."""
    data: list[str]
    """Names of data sets, as `tmunet import` spells them."""
    splits: list[str] = field(default_factory=lambda: ["random"])
    """Kinds of fixed splits, see `splits/README.md` of the package; `own` is the `split.json` of a data set."""
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    """Each gives a run of its own."""
    recipe: str = "paper"
    """Recipe that all runs start from."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What all runs set differently from the recipe, such as {epochs: 20, preprocess: {size: 128}}."""
    data_settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What all runs on one data set set differently, by its name."""
    protocols: list[str] = field(default_factory=lambda: ["paper", "strict"])
    """Protocols under which test images are scored; the paper's figures stand beside `paper`."""
    substitutes: dict[str, str] = field(default_factory=dict)
    """Data sets that stand in for one of the paper's which cannot be had, such as {BUSI: UDIAT}."""
    void: str = ""
    """Why numbers of this plan's runs do not hold, which all of its pages say first."""

    def __post_init__(self) -> None:
        from tmunet.metrics import PROTOCOLS

        for name in ("networks", "data", "splits", "seeds", "protocols"):
            _check_listed(name, list(getattr(self, name)))
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
        _check_folders(list(self.networks))

    def reasons(self) -> Mapping[str, str]:
        """Said of each data set that stands in for another."""
        return {name: f"{name} stands in for {other}" for name, other in self.substitutes.items()}


def slug(label: str) -> str:
    """A label as part of a folder's name.

    >>> slug("TM-UNet (released code)")
    'tm-unet-released-code'
    """
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")


def _check_listed(name: str, values: Sequence[Any]) -> None:
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise ValueError(f"Expected each of `{name}` once, but got {twice[0]!r} twice.")
    if not values:
        raise ValueError(f"Expected at least one in `{name}`, but got none.")


def _check_settings(where: str, settings: Mapping[str, Any]) -> None:
    for key in settings:
        if key in _NOT_SETTINGS:
            raise ValueError(
                f"`{where}`: {key!r} is not a setting of the training here; the plan or the command says it."
            )


def _check_folders(labels: Sequence[str]) -> None:
    """Each label must give a folder of its own."""
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
