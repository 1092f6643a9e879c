"""Write the files of a target: pages, CSV, LaTeX and figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tmunet.files import write_csv, write_text
from tmunet_lab.experiments.build_tables import build_table
from tmunet_lab.experiments.costs import NetworkCost
from tmunet_lab.experiments.figure1 import write_figure1
from tmunet_lab.experiments.figure3 import write_figure3
from tmunet_lab.experiments.latex import latex_tables
from tmunet_lab.experiments.leak import leak_section
from tmunet_lab.experiments.markdown import table_page
from tmunet_lab.experiments.plan import ExperimentPlan
from tmunet_lab.experiments.results import RunResult
from tmunet_lab.experiments.runs import RunKey
from tmunet_lab.experiments.tidy_csv import COLUMNS, tidy_rows


def write_target(
    target: str,
    plan: ExperimentPlan,
    results: Sequence[RunResult],
    missing: Mapping[RunKey, str],
    costs: Mapping[str, NetworkCost],
    out: Path,
    command: str,
    *,
    data_root: Path,
) -> list[Path]:
    """Write all files of a target.

    Args:
        target: "table1", "table2", "table3", "figure1", "figure3" or "leak".
        plan: the plan.
        results: of finished runs, in any order; may be empty.
        missing: why other runs have none.
        costs: by label of the network.
        out: folder of the pages, created if needed.
        command: that made them.
        data_root: folder of the data sets; Figure 3 reads images there.

    Returns:
        The files.

    Raises:
        UsageError: there is no such target, or a result or a row of the paper does not fit the plan.
        InputError: results side by side have different splits, or files of runs do not fit them.
        DataError: all faults of a data set of Figure 3.
        ModelError: a model of Figure 3 cannot be loaded.
        MissingExtraError: a figure needs matplotlib.
    """
    table = build_table(target, plan, results, missing, costs)
    if target == "figure1":
        return write_figure1(table, out, command)
    if target == "figure3":
        return write_figure3(table, out, command, data_root)
    page, tidy, latex = (out / f"{target}.{kind}" for kind in ("md", "csv", "tex"))
    before = [leak_section(table, out)] if target == "leak" else []
    write_text(page, table_page(table, out, command, before))
    write_csv(tidy, COLUMNS, tidy_rows(table, out))
    write_text(latex, latex_tables(table, command))
    return [page, tidy, latex]
