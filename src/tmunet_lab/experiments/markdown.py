"""Tables as Markdown: a page with the cost, a section for each protocol, and the runs that every number comes from."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from tmunet.metrics import get_protocol
from tmunet_lab.experiments.captions import block_notes, block_title, conditions, how_to_read
from tmunet_lab.experiments.costs import Cost
from tmunet_lab.experiments.number_format import DASH, HEADINGS, numbers, p_value, plain, shown
from tmunet_lab.experiments.paper_values import MACHINE, PaperRow
from tmunet_lab.experiments.plan import Plan
from tmunet_lab.experiments.run_list import per_image_csv, relative, run_entries
from tmunet_lab.experiments.run_result import Result
from tmunet_lab.experiments.table import METRICS, Block, Cell, Row, Table


def table_page(table: Table, folder: Path, command: str, before: Sequence[str] = ()) -> str:
    """The page of a table.

    Args:
        table: what is printed.
        folder: in which the page will lie; links to run folders start there.
        command: that made it.
        before: sections that stand before the tables.
    """
    parts = [f"# {escaped(table.plan.title)}", *void_note(table.plan), listed(conditions(table.plan)), *before]
    parts += ["## Cost", cost_section(table), "## Scores", escaped(how_to_read(table, "bold", "in italics"))]
    for protocol in table.plan.protocols:
        parts += [f"## Protocol {protocol}", escaped(get_protocol(protocol).description)]
        for block in table.blocks:
            if block.protocol == protocol:
                parts += _block(table, block, folder)
    parts += ["## Runs", run_section(table.results, folder), made_by(command)]
    return "\n\n".join(parts) + "\n"


def void_note(plan: Plan) -> list[str]:
    """What stands first on the pages of a plan whose numbers do not hold; nothing for other plans."""
    return [f"**Void.** {escaped(plan.void)}"] if plan.void else []


def cost_section(table: Table) -> str:
    """Parameters, multiply-accumulates and speed, ours beside the paper's."""
    head = ("network", "parameters", "FLOPs in the paper, G", "by hooks, GMAC", "in full, GMAC", "FPS in the paper")
    words = (
        "Of one 3 x 512 x 512 image, 1 class. The paper's FLOPs are multiply-accumulates (MAC), counted by hooks on modules, "
        f"which do not see matrix products; its FPS were measured on an {MACHINE}, ours at batch 1 on the machine that is named."
    )
    rows = [_cost(label, table.printed[label], table.costs.get(label)) for label in table.plan.networks]
    return f"{words}\n\n{grid((*head, 'images a second', 'on'), rows)}"


def run_section(results: Sequence[Result], folder: Path) -> str:
    """One line for each run: its folder, seed, hashes, epochs and per-image tables."""
    if not results:
        return "There are none yet."
    head = ("run", "network", "data set", "split", "seed", "split SHA-256", "weights SHA-256", "epochs", "per image")
    rows = []
    for entry in run_entries(results):
        first = entry.first
        files = ", ".join(link(one.protocol, per_image_csv(one), folder) for one in entry.results)
        hashes = f"`{first.split_sha256[:12]}`", f"`{first.weights_sha256[:12]}`"
        names = escaped(first.network), escaped(first.data), escaped(first.split), str(first.seed)
        rows.append((link(first.run.name, first.run, folder), *names, *hashes, entry.epochs, files))
    holds = (
        "Each folder holds the settings (`config.yaml`), the split, the course of training (`metrics.csv`) and the scores of "
        "every image; where it was trained also the weights (`model/`) and, beside it, the log."
    )
    return f"{holds}\n\n{grid(head, rows)}"


def made_by(command: str) -> str:
    """The last line of a page."""
    return f"Made by `{command}`."


def link(words: str, path: Path, folder: Path) -> str:
    """A link from a page in a folder."""
    return f"[{escaped(words)}]({quote(relative(path, folder))})"


def escaped(text: str) -> str:
    r"""Text in which no sign is markup, but for what stands in backticks.

    >>> print(escaped("a_b | c `d_e`"))
    a\_b \| c `d_e`
    """
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(
        part if index % 2 else re.sub(r"([\\|*_<>\[\]#~])", r"\\\1", part) for index, part in enumerate(parts)
    )


def listed(sentences: Iterable[str]) -> str:
    """A list with a point for each sentence."""
    return "\n".join(f"- {escaped(sentence)}" for sentence in sentences)


def _cost(label: str, printed: PaperRow | None, cost: Cost | None) -> list[str]:
    ours = (
        (DASH,) * 5
        if cost is None
        else (
            f"{cost.parameters:,}",
            plain(cost.macs_thop / 1e9, 3),
            plain(cost.macs / 1e9, 3),
            plain(cost.images_per_second, 2),
            DASH if cost.images_per_second is None else _linked(cost.machine, cost.bench),
        )
    )
    flops, fps = (DASH, DASH) if printed is None else (plain(printed.flops, 2), plain(printed.fps, 2))
    parameters, by_hooks, in_full, speed, machine = ours
    return [escaped(label), parameters, flops, by_hooks, in_full, fps, speed, machine]


def _linked(text: str, target: str) -> str:
    return f"[{escaped(text)}]({target})" if target else escaped(text)


def _block(table: Table, block: Block, folder: Path) -> Iterator[str]:
    yield f"### {escaped(block_title(block))}"
    if block.results or block.printed:
        names = [(f"{HEADINGS[metric]}, paper",) * block.printed + (HEADINGS[metric],) for metric in METRICS]
        head = ["network", *(name for pair in names for name in pair)]
        head += ["left out of HD, by seed"] * block.left_out + ["runs, by seed"]
        yield grid(head, [_row(row, block, folder) for row in block.rows])
    yield from (escaped(note) for note in block_notes(table, block))


def _row(row: Row, block: Block, folder: Path) -> list[str]:
    cells = [escaped(row.network)]
    for metric in METRICS:
        cells += [plain(row.cells[metric].paper, 2)] * block.printed + [_ours(row.cells[metric], metric)]
    cells += [numbers(row.left_out) or DASH] * block.left_out
    return [*cells, ", ".join(link(str(result.seed), result.run, folder) for result in row.results) or DASH]


def _ours(cell: Cell, metric: str) -> str:
    if cell.ours is None:
        return DASH
    mark = {1: "**", 2: "*"}.get(cell.rank, "")
    lines = [f"{mark}{shown(metric, cell.ours.mean)}{mark}"]
    if cell.ours.sd is not None:
        lines[0] += f" ± {shown(metric, cell.ours.sd)}"
    if cell.ours.low is not None:
        lines.append(f"{shown(metric, cell.ours.low)} to {shown(metric, cell.ours.high)}")
    if cell.test is not None:
        lines.append(p_value(cell.test.corrected).replace("<", "&lt;"))
    return "<br>".join(lines)


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
