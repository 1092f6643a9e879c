"""Which test images a figure shows: chosen by a rule, not by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tmunet.data.cases import natural_key
from tmunet_lab.experiments.plan import Plan
from tmunet_lab.experiments.run_result import Result
from tmunet_lab.experiments.table import Block, Table

PERCENTILES = (10, 50, 90)
RULE = (
    "For each data set the test images at the 10th, 50th and 90th percentile of the median Dice over the networks, of the plan's "
    "first seed: of n images in the order of that median, equal ones by name, the one at place 1 + p (n - 1) / 100, rounded."
)


@dataclass(frozen=True)
class Chosen:
    """An image of a test set.

    Attributes:
        case: its name.
        percentile: of the median Dice over networks.
        median: that median, 0 to 1.
        dice: of each network, by its label, 0 to 1.
    """

    case: str
    percentile: int
    median: float
    dice: dict[str, float]


def choose_cases(results: Sequence[Result]) -> list[Chosen]:
    """Choose images by the rule.

    Args:
        results: at least one, one for each network, on one test set, under one protocol.

    Returns:
        One for each percentile, from the lowest; an image that stands for two of them is there once. None where no image has
        a Dice of every network.
    """
    values = {result.network: result.values("dice") for result in results}
    shared = set.intersection(*(set(found) for found in values.values()))
    medians = {case: median(found[case] for found in values.values()) for case in shared}
    if not medians:
        return []
    order = sorted(medians, key=lambda case: (medians[case], natural_key(case)))
    places = {int(percentile / 100 * (len(order) - 1) + 0.5): percentile for percentile in reversed(PERCENTILES)}
    return [
        Chosen(
            order[place],
            percentile,
            medians[order[place]],
            {label: found[order[place]] for label, found in values.items()},
        )
        for place, percentile in sorted(places.items())
    ]


def shown_protocol(plan: Plan) -> str:
    """The protocol whose Dice is shown: strict, which looks at images at their own size, if the plan has it."""
    return "strict" if "strict" in plan.protocols else plan.protocols[0]


def first_seed(block: Block, plan: Plan) -> list[Result]:
    """The results of the plan's first seed in a block, by network."""
    return [result for result in block.results if result.seed == plan.seeds[0]]


def shown_blocks(table: Table) -> dict[str, Block]:
    """For each data set the first split that has results of the first seed; the plan's first split where none has."""
    found: dict[str, Block] = {}
    for block in table.blocks:
        if block.protocol == shown_protocol(table.plan):
            kept = found.get(block.data)
            if kept is None or (first_seed(block, table.plan) and not first_seed(kept, table.plan)):
                found[block.data] = block
    return found
