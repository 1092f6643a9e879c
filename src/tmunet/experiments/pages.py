"""Write what a target has given. A stand-in for the pages to come: one CSV."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tmunet.experiments.costs import Cost
from tmunet.experiments.grid import Key
from tmunet.experiments.plan import Plan
from tmunet.experiments.result import Result
from tmunet.files import write_csv

COLUMNS = ("network", "data", "split", "seed", "protocol", "dice", "run", "reason")


def write_target(
    target: str,
    plan: Plan,  # noqa: ARG001
    results: Sequence[Result],
    missing: Mapping[Key, str],
    costs: Mapping[str, Cost],  # noqa: ARG001
    out: Path,
    command: str,  # noqa: ARG001
    *,
    data_root: Path,  # noqa: ARG001
) -> list[Path]:
    """Write the results and the reasons of a target as CSV."""
    rows = [
        {
            "network": result.network,
            "data": result.data,
            "split": result.split,
            "seed": result.seed,
            "protocol": result.protocol,
            "dice": result.mean("dice"),
            "run": result.run,
        }
        for result in results
    ]
    rows += [dict(zip(COLUMNS, (*key, "", None, "", reason), strict=True)) for key, reason in missing.items()]
    write_csv(out / f"{target}.csv", COLUMNS, rows)
    return [out / f"{target}.csv"]
