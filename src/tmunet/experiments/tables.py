"""What a table holds, whatever it is written as: a block for each protocol, data set and split, with a row for each network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tmunet.errors import InputError, UsageError
from tmunet.experiments.costs import Cost
from tmunet.experiments.paper import SPLIT, PaperRow, paper_row, paper_tables, paper_value
from tmunet.experiments.plan import Plan, PlannedNetwork
from tmunet.experiments.result import Result
from tmunet.experiments.statistics import Estimate, check_comparable, estimate, holm, paired_p
from tmunet.metrics import DISTANCES, get_protocol

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
        return [sum(part["n_hd_left_out"] for part in result.scores["classes"].values()) for result in self.results]


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


def source(target: str) -> str:
    """The paper's table with the figures of a target; the figures and the leak are about Table 1."""
    return target if target in paper_tables() else "table1"


def reference(plan: Plan) -> str | None:
    """The network that the others are tested against: the last TM-UNet of the paper's text, as in the paper's tables."""
    ours = [label for label, network in plan.networks.items() if network.model in ("tmunet_t", "tmunet_s", "tmunet_b")]
    return ours[-1] if ours else None


def build_table(
    target: str, plan: Plan, results: Sequence[Result], missing: Missing, costs: Mapping[str, Cost]
) -> Table:
    """Put results into their places.

    Args:
        target: what is written, such as "table1".
        plan: which rows and blocks there are.
        results: of finished runs, in any order.
        missing: why others are not there.
        costs: by label of the network.

    Raises:
        UsageError: a network stands for a row that the paper does not have, or a result is not in the plan.
        InputError: two results are of the same run and protocol, or results of a block have different splits.
    """
    places: dict[tuple[str, str, str, str, int], Result] = {}
    for result in results:
        key = (result.protocol, result.network, result.data, result.split, result.seed)
        if key in places:
            raise InputError(f"Expected one result for {key}, but got two: {places[key].run} and {result.run}.")
        places[key] = result
    blocks = [
        _block(target, plan, places, missing, protocol, data, split)
        for protocol in plan.protocols
        for data in plan.data
        for split in plan.splits
    ]
    printed = {label: paper_row(source(target), network.row) for label, network in plan.networks.items()}
    table = Table(target, plan, reference(plan), blocks, dict(costs), printed)
    strange = [result for result in results if not any(result is known for known in table.results)]
    if strange:
        raise UsageError(f"{strange[0].run}: expected a run of the plan {plan.title!r}, but it has no such run.")
    return table


def _block(
    target: str,
    plan: Plan,
    places: Mapping[tuple[str, str, str, str, int], Result],
    missing: Missing,
    protocol: str,
    data: str,
    split: str,
) -> Block:
    runs = {
        label: [places[key] for seed in sorted(plan.seeds) if (key := (protocol, label, data, split, seed)) in places]
        for label in plan.networks
    }
    check_comparable([result for found in runs.values() for result in found])
    ours: dict[str, Mapping[str, Estimate | None]] = {
        label: estimate(found, METRICS) if found else dict.fromkeys(METRICS) for label, found in runs.items()
    }
    tests = {metric: _tests(runs, reference(plan), metric) for metric in METRICS}
    ranks = {metric: _ranks({label: ours[label][metric] for label in runs}, metric) for metric in METRICS}
    beside = split == SPLIT and protocol == plan.protocols[0]  # the conditions of the paper's figures
    rows = []
    for label, network in plan.networks.items():
        cells = {
            metric: Cell(
                paper_value(source(target), network.row, data, metric) if beside else None,
                ours[label][metric],
                tests[metric].get(label),
                ranks[metric].get(label, 0),
            )
            for metric in METRICS
        }
        done = {result.seed for result in runs[label]}
        reasons: dict[str, list[int]] = {}
        for seed in sorted(set(plan.seeds) - done):
            reasons.setdefault(missing.get((label, data, split, seed), "there is no run"), []).append(seed)
        rows.append(Row(label, network, cells, runs[label], reasons))
    return Block(data, split, protocol, rows)


def _tests(runs: Mapping[str, Sequence[Result]], against: str | None, metric: str) -> dict[str, PairedTest]:
    """Each network with runs against the reference."""
    if against is None or not runs[against]:
        return {}
    alone: dict[str, float] = {}
    for label, found in runs.items():
        p = paired_p(runs[against], found, metric) if label != against and found else None
        if p is not None:
            alone[label] = p
    corrected = holm(list(alone.values()))
    return {label: PairedTest(p, after) for (label, p), after in zip(alone.items(), corrected, strict=True)}


def _ranks(column: Mapping[str, Estimate | None], metric: str) -> dict[str, int]:
    """The best and the second, equal ones alike, if every network of the column has been scored."""
    known = {label: found.mean for label, found in column.items() if found is not None}
    if len(known) < len(column) or len(known) < 2:
        return {}
    order = sorted(set(known.values()), reverse=metric not in DISTANCES)
    return {label: order.index(mean) + 1 for label, mean in known.items() if mean in order[:2]}
