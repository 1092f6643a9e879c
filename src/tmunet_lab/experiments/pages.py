"""Write the pages and pictures of a target."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tmunet.config import suggest
from tmunet.errors import UsageError
from tmunet.files import write_bytes, write_csv, write_text
from tmunet_lab.experiments.costs import Cost
from tmunet_lab.experiments.figure1 import efficiency_plot
from tmunet_lab.experiments.figure3 import figure3
from tmunet_lab.experiments.fill_tables import build_table
from tmunet_lab.experiments.latex import latex_tables
from tmunet_lab.experiments.leak import leak_section
from tmunet_lab.experiments.markdown import table_page
from tmunet_lab.experiments.plan import Plan
from tmunet_lab.experiments.run_result import Result
from tmunet_lab.experiments.table import Missing, Table
from tmunet_lab.experiments.tidy_csv import COLUMNS, long_form


def write_target(
    target: str,
    plan: Plan,
    results: Sequence[Result],
    missing: Missing,
    costs: Mapping[str, Cost],
    out: Path,
    command: str,
    *,
    data_root: Path,
) -> list[Path]:
    """Write everything that belongs to a target.

    Args:
        target: "table1", "table2", "table3", "figure1", "figure3" or "leak".
        plan: what was to be run.
        results: of the runs that are finished, in any order; none is enough.
        missing: why others are not there, by label of the network, data set, split and seed.
        costs: by label of the network.
        out: folder of the pages, made if it is not there.
        command: that made them.
        data_root: holds the data sets by name; Figure 3 reads images there.

    Returns:
        The files.

    Raises:
        UsageError: there is no such target, or a result or a row of the paper does not fit the plan.
        InputError: results that stand side by side are of different splits, or files of runs do not fit them.
        DataError: all faults of a data set of Figure 3.
        ModelError: a model of Figure 3 cannot be loaded.
    """
    writers: Mapping[str, Callable[[Table, Path, str, Path], list[Path]]] = {
        "table1": _write_table,
        "table2": _write_table,
        "table3": _write_table,
        "leak": _write_table,
        "figure1": _write_figure1,
        "figure3": _write_figure3,
    }
    if target not in writers:
        raise UsageError(f"There is no target {target!r}.{suggest(target, writers)}")
    return writers[target](build_table(target, plan, results, missing, costs), out, command, data_root)


def _write_table(table: Table, out: Path, command: str, _: Path) -> list[Path]:
    page, flat, latex = (out / f"{table.target}.{kind}" for kind in ("md", "csv", "tex"))
    before = [leak_section(table, out)] if table.target == "leak" else []
    write_text(page, table_page(table, out, command, before))
    write_csv(flat, COLUMNS, long_form(table, out))
    write_text(latex, latex_tables(table, command))
    return [page, flat, latex]


def _write_figure1(table: Table, out: Path, command: str, _: Path) -> list[Path]:
    picture, page = out / "figure1.svg", out / "figure1.md"
    write_text(picture, efficiency_plot(table))
    shown = "![Dice against multiply-accumulates; the area of a bubble is the images per second](figure1.svg)"
    write_text(page, table_page(table, out, command, [shown]))
    return [picture, page]


def _write_figure3(table: Table, out: Path, command: str, data_root: Path) -> list[Path]:
    picture, page = out / "figure3.png", out / "figure3.md"
    content, words = figure3(table, out, command, data_root)
    if content is not None:
        write_bytes(picture, content)
    else:
        picture.unlink(missing_ok=True)  # one from before would be of other runs
    write_text(page, words)
    return [*([picture] if content is not None else []), page]
