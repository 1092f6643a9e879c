"""Select the test images of a figure by a rule: percentiles of the median Dice over networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tmunet.data.cases import natural_key
from tmunet_lab.experiments.build_tables import ResultTable, TableBlock
from tmunet_lab.experiments.plan import ExperimentPlan
from tmunet_lab.experiments.results import RunResult

PERCENTILES = (10, 50, 90)
RULE = (
    "Of each data set the test images at the 10th, 50th and 90th percentile of the median Dice over the networks, first seed of "
    "the plan: of n images sorted by that median, then by name, the one with rank 1 + p (n - 1) / 100, rounded."
)


@dataclass(frozen=True)
class SelectedCase:
    """An image of a test set.

    Attributes:
        case: its name.
        percentile: of the median Dice over networks.
        median: that median, 0 to 1.
        dice: by label of the network, 0 to 1.
    """

    case: str
    percentile: int
    median: float
    dice: dict[str, float]


def select_cases(results: Sequence[RunResult]) -> list[SelectedCase]:
    """Select images by the rule.

    Args:
        results: at least one, one per network, on one test set, under one protocol.

    Returns:
        One per percentile, in ascending order; an image at two percentiles appears once. Empty if no image has a Dice of every
        network.
    """
    values = {result.network: result.values("dice") for result in results}
    shared = set.intersection(*(set(of_network) for of_network in values.values()))
    medians = {case: median(of_network[case] for of_network in values.values()) for case in shared}
    if not medians:
        return []
    order = sorted(medians, key=lambda case: (medians[case], natural_key(case)))
    ranks = {int(percentile / 100 * (len(order) - 1) + 0.5): percentile for percentile in reversed(PERCENTILES)}
    return [
        SelectedCase(case, percentile, medians[case], {label: of_network[case] for label, of_network in values.items()})
        for rank, percentile in sorted(ranks.items())
        for case in [order[rank]]
    ]


def case_protocol(plan: ExperimentPlan) -> str:
    """Name the protocol whose Dice is shown: strict, which scores images at their own size, if the plan has it."""
    return "strict" if "strict" in plan.protocols else plan.protocols[0]


def first_seed_results(block: TableBlock, plan: ExperimentPlan) -> list[RunResult]:
    """Give the results of the plan's first seed, one per network."""
    return [result for result in block.results if result.seed == plan.seeds[0]]


def case_blocks(table: ResultTable) -> dict[str, TableBlock]:
    """Give for each data set the first split with results of the first seed, or the plan's first split."""
    blocks: dict[str, TableBlock] = {}
    for block in table.blocks:
        if block.protocol == case_protocol(table.plan):
            kept = blocks.get(block.data)
            if kept is None or (first_seed_results(block, table.plan) and not first_seed_results(kept, table.plan)):
                blocks[block.data] = block
    return blocks
