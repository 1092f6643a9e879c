"""What a table holds, whatever it is written as: a block for each protocol, data set and split, with a row for each network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tmunet.metrics import get_protocol
from tmunet.metrics.bootstrap import count_groups
from tmunet_lab.experiments.costs import Cost
from tmunet_lab.experiments.paper_values import PaperRow
from tmunet_lab.experiments.plan import Plan, PlannedNetwork
from tmunet_lab.experiments.run_result import Result, known_groups
from tmunet_lab.experiments.statistics import Estimate

METRICS = ("dice", "iou", "f1", "hd")  # columns of the paper's tables

Missing = Mapping[tuple[str, str, str, int], str]
"""Why a run is not there, by label of the network, data set, split and seed."""


@dataclass(frozen=True)
class PairedTest:
    """A paired test against the reference.

    Attributes:
        p: of the test alone.
        corrected: for the number of networks in the column.
    """

    p: float
    corrected: float


@dataclass(frozen=True)
class Cell:
    """One metric of one network.

    Attributes:
        paper: the paper's figure, in percent or pixels, where it has one for these conditions.
        ours: None if there is no run, or a run without an image that has the metric.
        test: against the reference; None for the reference itself and where there is nothing to test.
        rank: 1 the best of the column, 2 the second; 0 neither, or not all networks have been scored.
    """

    paper: float | None
    ours: Estimate | None
    test: PairedTest | None
    rank: int


@dataclass(frozen=True)
class Row:
    """One network in a block.

    Attributes:
        network: its label.
        planned: what the plan says of it.
        cells: by metric.
        results: its runs, by seed.
        reasons: why runs are missing, by reason: their seeds.
    """

    network: str
    planned: PlannedNetwork
    cells: Mapping[str, Cell]
    results: Sequence[Result]
    reasons: Mapping[str, Sequence[int]]

    @property
    def left_out(self) -> list[int]:
        """Images that the protocol leaves out of HD, by seed."""
        return [
            sum(result.scores["classes"][name]["n_hd_left_out"] for name in result.classes) for result in self.results
        ]


@dataclass(frozen=True)
class Block:
    """All networks on one data set, split one way, under one protocol.

    Attributes:
        data: name of the data set.
        split: kind of its split.
        protocol: name of the protocol.
        rows: by network, in the order of the plan.
    """

    data: str
    split: str
    protocol: str
    rows: Sequence[Row]

    @property
    def results(self) -> list[Result]:
        """Every run of the block."""
        return [result for row in self.rows for result in row.results]

    @property
    def groups(self) -> int | None:
        """Groups of the test images, from which intervals are drawn; None where no group is known."""
        known = known_groups(self.results)
        return count_groups([known.get(case) for case in {row["case"] for one in self.results for row in one.rows}])

    @property
    def printed(self) -> bool:
        """Whether the paper has figures for these conditions."""
        return any(cell.paper is not None for row in self.rows for cell in row.cells.values())

    @property
    def left_out(self) -> bool:
        """Whether the protocol leaves images out of HD."""
        return bool(get_protocol(self.protocol).left_out_of_distances)


@dataclass(frozen=True)
class Table:
    """Everything that is printed.

    Attributes:
        target: what was asked for, such as "table1".
        plan: the plan.
        reference: label of the network that the others are tested against, if the plan has it.
        blocks: protocol by protocol, in the order of the plan.
        costs: by label; ours where they are known.
        printed: by label; the paper's row that a network stands for, if any.
    """

    target: str
    plan: Plan
    reference: str | None
    blocks: Sequence[Block]
    costs: Mapping[str, Cost]
    printed: Mapping[str, PaperRow | None]

    @property
    def results(self) -> list[Result]:
        """Every run under every protocol."""
        return [result for block in self.blocks for result in block.results]
