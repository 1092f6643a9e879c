r"""Write tables as LaTeX with booktabs: a `table` environment per block, two lines per network."""

import re

from tmunet.metrics import get_protocol
from tmunet_lab.experiments.build_tables import METRICS, MetricCell, ResultTable, TableBlock, TableRow
from tmunet_lab.experiments.captions import block_notes, block_title, how_to_read
from tmunet_lab.experiments.number_format import HEADINGS, format_metric, format_p, join_numbers

SIGNS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "±": r"$\pm$",
    "–": "--",
    **{sign: rf"\{sign}" for sign in "$&#_%"},
}


def latex_tables(table: ResultTable, command: str) -> str:
    """Write all blocks, protocol by protocol, after comments with the needed package, the command and how to read them."""
    head = [
        "% \\usepackage{booktabs}",
        f"% Made by: {' '.join(command.split())}",
        *(f"% {sentence}" for sentence in how_to_read(table, "bold", "underlined")),
    ]
    return "\n".join(head) + "\n\n" + "\n".join(_block(table, block) for block in table.blocks)


def escape_latex(text: str) -> str:
    r"""Escape LaTeX.

    >>> print(escape_latex("tmunet_b & 95 %"))
    tmunet\_b \& 95 \%
    """
    return re.sub(r"[\\{}~^<>±–$&#_%]", lambda sign: SIGNS[sign[0]], " ".join(text.split()))


def _block(table: ResultTable, block: TableBlock) -> str:
    pairs = [_heading(metric, block.printed) for metric in METRICS]
    above = ["", *(f"\\multicolumn{{2}}{{c}}{{{HEADINGS[metric]}}}" for metric in METRICS)]
    rules = "".join(f"\\cmidrule(lr){{{2 * index + 2}-{2 * index + 3}}}" for index in range(len(METRICS)))
    head = [_line(above + [""] * block.left_out), rules] if block.printed else []
    names = ["Network", *(name for pair in pairs for name in pair), *(["left out of HD"] * block.left_out)]
    void = [f"Void. {table.plan.void}"] if table.plan.void else []
    notes = " ".join([*void, f"{block_title(block)}.", *block_notes(table, block)])
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            f"\\caption{{{escape_latex(table.plan.title)}: {escape_latex(notes)}}}",
            f"\\begin{{tabular}}{{l{'r' * (len(names) - 1)}}}",
            r"\toprule",
            *head,
            _line(names),
            r"\midrule",
            *(line for row in block.rows for line in _row(row, block)),
            r"\bottomrule",
            r"\end{tabular}",
            "",
            f"{{\\footnotesize {escape_latex(get_protocol(block.protocol).description)}\\par}}",
            r"\end{table}",
            "",
        ]
    )


def _heading(metric: str, printed: bool) -> list[str]:
    return ["paper", "ours"] if printed else [HEADINGS[metric]]


def _row(row: TableRow, block: TableBlock) -> list[str]:
    """First line: the paper's figure and our mean; second line: interval and p."""
    above, below = [escape_latex(row.network)], [""]
    for metric in METRICS:
        cell = row.cells[metric]
        above += ["--" if cell.paper is None else f"{cell.paper:.2f}"] * block.printed + [_mean(cell, metric)]
        below += [""] * block.printed + [_spread(cell, metric)]
    above += [join_numbers(row.left_out) or "--"] * block.left_out
    below += [""] * block.left_out
    return [_line(above), *([_line(below)] if any(below) else [])]


def _mean(cell: MetricCell, metric: str) -> str:
    if cell.ours is None:
        return "--"
    mean = format_metric(metric, cell.ours.mean)
    marked = {1: f"\\textbf{{{mean}}}", 2: f"\\underline{{{mean}}}"}.get(cell.rank, mean)
    return marked if cell.ours.sd is None else f"{marked} $\\pm$ {format_metric(metric, cell.ours.sd)}"


def _spread(cell: MetricCell, metric: str) -> str:
    if cell.ours is None:
        return ""
    parts = []
    if cell.ours.low is not None:
        parts.append(f"{format_metric(metric, cell.ours.low)} to {format_metric(metric, cell.ours.high)}")
    if cell.test is not None:
        parts.append(escape_latex(format_p(cell.test.corrected)))
    return f"{{\\scriptsize {', '.join(parts)}}}" if parts else ""


def _line(cells: list[str]) -> str:
    first = "{}" * cells[0].startswith("[")  # after a row's end a bracket would begin a length
    return first + " & ".join(cells) + r" \\"
