"""Write tables as Markdown: a page with costs, a section per protocol, and the runs behind every number."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tmunet.metrics import get_protocol
from tmunet_lab.experiments.build_tables import METRICS, MetricCell, ResultTable, TableBlock, TableRow
from tmunet_lab.experiments.captions import block_notes, block_title, how_to_read, training_conditions
from tmunet_lab.experiments.costs import NetworkCost
from tmunet_lab.experiments.number_format import (
    DASH,
    HEADINGS,
    format_metric,
    format_number,
    format_p,
    join_numbers,
)
from tmunet_lab.experiments.paper_values import MACHINE, PaperRow
from tmunet_lab.experiments.plan import ExperimentPlan
from tmunet_lab.experiments.results import RunResult


def table_page(table: ResultTable, folder: Path, command: str, before: Sequence[str] = ()) -> str:
    """Write the page of a table.

    Args:
        table: the table.
        folder: of the page; links to run folders are relative to it.
        command: that made it.
        before: sections before the tables.
    """
    parts = [f"# {escape(table.plan.title)}", *void_note(table.plan)]
    parts += [bullet_list(training_conditions(table.plan)), *before, "## Cost", cost_section(table)]
    parts += ["## Scores", bullet_list(how_to_read(table, "bold", "in italics"))]
    for protocol in table.plan.protocols:
        parts += [f"## Protocol {protocol}", escape(get_protocol(protocol).description)]
        for block in table.blocks:
            if block.protocol == protocol:
                parts += _block(table, block, folder)
    parts += ["## Runs", run_section(table.results, folder), made_by(command)]
    return "\n\n".join(parts) + "\n"


def void_note(plan: ExperimentPlan) -> list[str]:
    """First paragraph of the pages of a plan whose numbers are not valid; none for other plans."""
    return [f"**Void.** {escape(plan.void)}"] if plan.void else []


def cost_section(table: ResultTable) -> str:
    """Table of parameters, MACs and images per second, ours beside the paper's."""
    head = ("network", "parameters", "FLOPs in the paper, G", "GMACs by thop", "GMACs", "FPS in the paper")
    words = (
        "One 3 x 512 x 512 image, 1 class. The paper's FLOPs are multiply-accumulates (MACs) as thop counts them: by hooks on "
        f"modules, which miss matrix products. Its FPS are on an {MACHINE}, ours at batch size 1 on the machine that is named."
    )
    rows = [_cost(label, table.printed[label], table.costs.get(label)) for label in table.plan.networks]
    return f"{words}\n\n{markdown_table((*head, 'images per second', 'machine'), rows)}"


def run_section(results: Sequence[RunResult], folder: Path) -> str:
    """Table with one line per run: folder, seed, hashes, epochs and per-image scores under all protocols."""
    if not results:
        return "There are none yet."
    by_run: dict[Path, list[RunResult]] = {}
    for result in results:
        by_run.setdefault(result.run, []).append(result)
    rows = []
    for first, *others in by_run.values():
        files = (
            link(one.protocol, one.run / "evaluation" / one.protocol / "per_image.csv", folder)
            for one in (first, *others)
        )
        hashes = f"`{first.split_sha256[:12]}`", f"`{first.weights_sha256[:12]}`"
        names = escape(first.network), escape(first.data), escape(first.split), str(first.seed)
        rows.append((link(first.run.name, first.run, folder), *names, *hashes, _epochs(first), ", ".join(files)))
    words = (
        "Each folder has the settings (`config.yaml`), the split, the training history (`metrics.csv`) and the scores of every "
        "image; where it was trained also the weights (`model/`) and, beside it, the log."
    )
    head = ("run", "network", "data set", "split", "seed", "split SHA-256", "weights SHA-256", "epochs", "per image")
    return f"{words}\n\n{markdown_table(head, rows)}"


def made_by(command: str) -> str:
    """Last line of a page."""
    return f"Made by `{command}`."


def link(words: str, path: Path, folder: Path) -> str:
    """Link from a page in a folder to a path."""
    return f"[{escape(words)}]({quote(relative_path(path, folder))})"


def relative_path(path: Path, folder: Path) -> str:
    """Path relative to a folder, with forward slashes."""
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def escape(text: str) -> str:
    r"""Escape Markdown, but for parts in backticks.

    >>> print(escape("a_b | c `d_e`"))
    a\_b \| c `d_e`
    """
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(
        part if index % 2 else re.sub(r"([\\|*_<>\[\]#~])", r"\\\1", part) for index, part in enumerate(parts)
    )


def bullet_list(sentences: Iterable[str]) -> str:
    """Bullet list of plain sentences."""
    return "\n".join(f"- {escape(sentence)}" for sentence in sentences)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown table of cells that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _epochs(result: RunResult) -> str:
    """Trained epochs and the one that was kept, as far as the evaluation names them."""
    trained: dict[str, Any] = result.scores["facts"].get("trained", {})
    kept = f", kept {trained['kept_epoch']}" if "kept_epoch" in trained else ""
    return f"{trained['epochs']}{kept}" if "epochs" in trained else DASH


def _cost(label: str, printed: PaperRow | None, cost: NetworkCost | None) -> list[str]:
    flops, fps = (DASH, DASH) if printed is None else (f"{printed.flops:.2f}", f"{printed.fps:.2f}")
    if cost is None:
        return [escape(label), DASH, flops, DASH, DASH, fps, DASH, DASH]
    machine = f"[{escape(cost.machine)}]({cost.bench})" if cost.bench else escape(cost.machine)
    speed = format_number(cost.images_per_second, 2), DASH if cost.images_per_second is None else machine
    macs = f"{cost.macs_thop / 1e9:.3f}", f"{cost.macs / 1e9:.3f}"
    return [escape(label), f"{cost.parameters:,}", flops, *macs, fps, *speed]


def _block(table: ResultTable, block: TableBlock, folder: Path) -> Iterator[str]:
    yield f"### {escape(block_title(block))}"
    if block.results or block.printed:
        names = [(f"{HEADINGS[metric]}, paper",) * block.printed + (HEADINGS[metric],) for metric in METRICS]
        head = ["network", *(name for pair in names for name in pair)]
        head += ["left out of HD, by seed"] * block.left_out + ["runs, by seed"]
        yield markdown_table(head, [_row(row, block, folder) for row in block.rows])
    yield from (escape(note) for note in block_notes(table, block))


def _row(row: TableRow, block: TableBlock, folder: Path) -> list[str]:
    cells = [escape(row.network)]
    for metric in METRICS:
        cells += [format_number(row.cells[metric].paper, 2)] * block.printed + [_ours(row.cells[metric], metric)]
    cells += [join_numbers(row.left_out) or DASH] * block.left_out
    return [*cells, ", ".join(link(str(result.seed), result.run, folder) for result in row.results) or DASH]


def _ours(cell: MetricCell, metric: str) -> str:
    if cell.ours is None:
        return DASH
    mark = {1: "**", 2: "*"}.get(cell.rank, "")
    lines = [f"{mark}{format_metric(metric, cell.ours.mean)}{mark}"]
    if cell.ours.sd is not None:
        lines[0] += f" ± {format_metric(metric, cell.ours.sd)}"
    if cell.ours.low is not None:
        lines.append(f"{format_metric(metric, cell.ours.low)} to {format_metric(metric, cell.ours.high)}")
    if cell.test is not None:
        lines.append(format_p(cell.test.corrected).replace("<", "&lt;"))
    return "<br>".join(lines)
