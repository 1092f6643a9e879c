"""A plan of runs: networks x data sets x splits x seeds, all with one recipe."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

TargetName = Literal["table1", "table2", "table3", "figure1", "figure3", "leak"]


@dataclass(frozen=True)
class PlannedNetwork:
    """A network of a plan."""

    model: str
    """Name of the network; see `tmunet info`."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of the network that differ from the named one."""
    row: str = ""
    """The paper's row that it stands for, as `paper.yaml` spells it; none if the paper has no such row."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What this network's training sets differently from the plan's, and the tables must say so."""


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
    """Kinds of fixed splits; see `splits/README.md` of the package."""
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    """Each gives a run of its own."""
    recipe: str = "paper"
    """Recipe that all runs start from."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What all runs set differently from the recipe, such as {epochs: 20, preprocess: {size: 128}}."""
    data_settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What all runs on one data set set differently, by its name."""
    protocols: list[str] = field(default_factory=lambda: ["paper", "strict"])
    """Protocols under which test images are scored; the first is the one beside the paper's figures."""
    stands_in: dict[str, str] = field(default_factory=dict)
    """Data sets that stand in for one of the paper's which cannot be had, such as {BUSI: UDIAT}."""

    def reasons(self) -> Mapping[str, str]:
        """Said of each data set that stands in for another."""
        return {name: f"{name} stands in for {other}" for name, other in self.stands_in.items()}
