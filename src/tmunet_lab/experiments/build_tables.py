"""Build tables of results beside the paper's values, a block per protocol, data set and split; `write_tables.py` writes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tmunet.errors import InputError, UsageError
from tmunet.metrics import DISTANCES, get_protocol
from tmunet.metrics.bootstrap import count_groups
from tmunet_lab.experiments.costs import NetworkCost
from tmunet_lab.experiments.paper_values import PROTOCOL, SPLIT, PaperRow, paper_row, paper_tables, paper_value
from tmunet_lab.experiments.plan import ExperimentPlan, PlannedNetwork, plan_of
from tmunet_lab.experiments.results import RunResult, known_groups
from tmunet_lab.experiments.runs import RunKey
from tmunet_lab.experiments.statistics import MetricEstimate, check_comparable, estimate_metrics, holm, paired_p

METRICS = ("dice", "iou", "f1", "hd")  # columns of the paper's tables


@dataclass(frozen=True)
class PairedTest:
    """A paired test against the reference network: its p value, and that after Holm's correction over the column."""

    p: float
    corrected: float


@dataclass(frozen=True)
class MetricCell:
    """One metric of one network.

    Attributes:
        paper: the paper's figure, in percent or pixels, where it has one for these conditions.
        ours: None without runs, or if a run has no image with the metric.
        test: against the reference network; None for itself and where there is nothing to test.
        rank: 1 for the best of the column, 2 for the second; 0 for others, and while networks lack scores.
    """

    paper: float | None
    ours: MetricEstimate | None
    test: PairedTest | None
    rank: int


@dataclass(frozen=True)
class TableRow:
    """One network in a block.

    Attributes:
        network: its label.
        planned: its entry in the plan.
        cells: by metric.
        results: its runs, by seed.
        reasons: seeds of missing runs, by reason.
    """

    network: str
    planned: PlannedNetwork
    cells: Mapping[str, MetricCell]
    results: Sequence[RunResult]
    reasons: Mapping[str, Sequence[int]]

    @property
    def left_out(self) -> list[int]:
        """Number of images that the protocol leaves out of HD, by seed."""
        return [
            sum(result.scores["classes"][name]["n_hd_left_out"] for name in result.classes) for result in self.results
        ]


@dataclass(frozen=True)
class TableBlock:
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
    rows: Sequence[TableRow]

    @property
    def results(self) -> list[RunResult]:
        """Every run of the block."""
        return [result for row in self.rows for result in row.results]

    @property
    def groups(self) -> int | None:
        """Number of groups of the test images; None where no group is known."""
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
class ResultTable:
    """All blocks of a target.

    Attributes:
        target: such as "table1".
        plan: the plan.
        reference: label of the network that the others are tested against, if any.
        blocks: protocol by protocol, in the order of the plan.
        costs: by label, where known.
        printed: by label: the paper's row of the network, if any.
    """

    target: str
    plan: ExperimentPlan
    reference: str | None
    blocks: Sequence[TableBlock]
    costs: Mapping[str, NetworkCost]
    printed: Mapping[str, PaperRow | None]

    @property
    def results(self) -> list[RunResult]:
        """Every run under every protocol."""
        return [result for block in self.blocks for result in block.results]


def paper_table_of(target: str) -> str:
    """Name the paper's table that a target is compared with."""
    return target if target in paper_tables() else "table1"


def reference_network(plan: ExperimentPlan) -> str | None:
    """Name the network that the others are tested against: the last TM-UNet of the paper's text, as in the paper's tables."""
    ours = [label for label, network in plan.networks.items() if network.model in ("tmunet_t", "tmunet_s", "tmunet_b")]
    return ours[-1] if ours else None


def build_table(
    target: str,
    plan: ExperimentPlan,
    results: Sequence[RunResult],
    missing: Mapping[RunKey, str],
    costs: Mapping[str, NetworkCost],
) -> ResultTable:
    """Arrange results in blocks and rows, and add statistics and the paper's figures.

    Args:
        target: such as "table1".
        plan: gives rows and blocks.
        results: of finished runs, in any order.
        missing: why others have none.
        costs: by label of the network.

    Raises:
        UsageError: there is no such target, the paper has no such row, or the plan no such run.
        InputError: two results are of the same run and protocol, or results of a block have different splits or groups of images.
    """
    plan_of(target)
    by_key: dict[tuple[str, str, str, str, int], RunResult] = {}
    for result in results:
        key = (result.protocol, result.network, result.data, result.split, result.seed)
        if key in by_key:
            raise InputError(
                f"Expected one result for {key}, but got two: {by_key[key].run} and {result.run}.", code="repeated"
            )
        by_key[key] = result
    blocks = [
        _block(target, plan, by_key, missing, protocol, data, split)
        for protocol in plan.protocols
        for data in plan.data
        for split in plan.splits
    ]
    printed = {label: paper_row(paper_table_of(target), network.row) for label, network in plan.networks.items()}
    table = ResultTable(target, plan, reference_network(plan), blocks, dict(costs), printed)
    unplanned = [result for result in results if not any(result is known for known in table.results)]
    if unplanned:
        raise UsageError(
            f"{unplanned[0].run}: expected a run of the plan {plan.title!r}, but it has no such run.",
            code="unplanned",
            path=unplanned[0].run,
        )
    return table


def _block(
    target: str,
    plan: ExperimentPlan,
    by_key: Mapping[tuple[str, str, str, str, int], RunResult],
    missing: Mapping[RunKey, str],
    protocol: str,
    data: str,
    split: str,
) -> TableBlock:
    runs = {
        label: [by_key[key] for seed in sorted(plan.seeds) if (key := (protocol, label, data, split, seed)) in by_key]
        for label in plan.networks
    }
    every = [result for found in runs.values() for result in found]
    check_comparable(every)
    groups = known_groups(every)
    ours: dict[str, Mapping[str, MetricEstimate | None]] = {
        label: estimate_metrics(found, METRICS, groups) if found else dict.fromkeys(METRICS)
        for label, found in runs.items()
    }
    tests = {metric: _tests(runs, reference_network(plan), metric, groups) for metric in METRICS}
    ranks = {metric: _ranks({label: ours[label][metric] for label in runs}, metric) for metric in METRICS}
    beside = split == SPLIT and protocol == PROTOCOL  # the conditions of the paper's figures
    rows = []
    for label, network in plan.networks.items():
        cells = {
            metric: MetricCell(
                paper_value(paper_table_of(target), network.row, data, metric) if beside else None,
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
        rows.append(TableRow(label, network, cells, runs[label], reasons))
    return TableBlock(data, split, protocol, rows)


def _tests(
    runs: Mapping[str, Sequence[RunResult]], against: str | None, metric: str, groups: Mapping[str, str]
) -> dict[str, PairedTest]:
    """Test each network with runs against the reference network."""
    if against is None or not runs[against]:
        return {}
    alone: dict[str, float] = {}
    for label, found in runs.items():
        p = paired_p(runs[against], found, metric, groups) if label != against and found else None
        if p is not None:
            alone[label] = p
    corrected = holm(list(alone.values()))
    return {label: PairedTest(p, after) for (label, p), after in zip(alone.items(), corrected, strict=True)}


def _ranks(column: Mapping[str, MetricEstimate | None], metric: str) -> dict[str, int]:
    """Rank the best two means, with ties, if every network of the column has scores."""
    known = {label: found.mean for label, found in column.items() if found is not None}
    if len(known) < len(column) or len(known) < 2:
        return {}
    order = sorted(set(known.values()), reverse=metric not in DISTANCES)
    return {label: order.index(mean) + 1 for label, mean in known.items() if mean in order[:2]}
