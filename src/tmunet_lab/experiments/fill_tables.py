"""Put results into the places of a table, with the paper's figures beside them and what can be said of the differences."""

from collections.abc import Mapping, Sequence

from tmunet.errors import InputError, UsageError
from tmunet.metrics import DISTANCES
from tmunet_lab.experiments.costs import Cost
from tmunet_lab.experiments.paper_values import PROTOCOL, SPLIT, paper_row, paper_tables, paper_value
from tmunet_lab.experiments.plan import Plan
from tmunet_lab.experiments.run_result import Result, known_groups
from tmunet_lab.experiments.statistics import Estimate, check_comparable, estimate, holm, paired_p
from tmunet_lab.experiments.table import METRICS, Block, Cell, Missing, PairedTest, Row, Table


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
        InputError: two results are of the same run and protocol, or results of a block have different splits or groups of images.
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
    every = [result for found in runs.values() for result in found]
    check_comparable(every)
    groups = known_groups(every)
    ours: dict[str, Mapping[str, Estimate | None]] = {
        label: estimate(found, METRICS, groups) if found else dict.fromkeys(METRICS) for label, found in runs.items()
    }
    tests = {metric: _tests(runs, reference(plan), metric, groups) for metric in METRICS}
    ranks = {metric: _ranks({label: ours[label][metric] for label in runs}, metric) for metric in METRICS}
    beside = split == SPLIT and protocol == PROTOCOL  # the conditions of the paper's figures
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


def _tests(
    runs: Mapping[str, Sequence[Result]], against: str | None, metric: str, groups: Mapping[str, str]
) -> dict[str, PairedTest]:
    """Each network with runs against the reference."""
    if against is None or not runs[against]:
        return {}
    alone: dict[str, float] = {}
    for label, found in runs.items():
        p = paired_p(runs[against], found, metric, groups) if label != against and found else None
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
