"""Figure 1: Dice against MACs, a panel per data set and split; the area of a bubble is the number of images per second."""

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tmunet.files import write_text
from tmunet_lab.experiments.build_tables import ResultTable, TableBlock, TableRow
from tmunet_lab.experiments.captions import block_title, interval_units, missing_notes
from tmunet_lab.experiments.markdown import bullet_list, table_page
from tmunet_lab.experiments.number_format import format_seeds, scale_metric
from tmunet_lab.experiments.paper_values import MACHINE, PROTOCOL
from tmunet_lab.plots import save, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 2
WIDTH, HEIGHT = 4.6, 3.4  # inches of a panel
LARGEST, UNTIMED = 900.0, 12.0  # square points: area of the fastest network, and of those without a time


@dataclass(frozen=True)
class EfficiencyPoint:
    """A network in a panel.

    Attributes:
        label: of the network, or of the paper's row if there is no result of ours for it.
        row: the paper's row of the network.
        gmacs: for a 3 x 512 x 512 image.
        dice: in percent.
        images_per_second: None if not measured.
        interval: of the Dice, in percent; None for the paper's.
        ours: False for the paper's figures.
    """

    label: str
    row: str
    gmacs: float
    dice: float
    images_per_second: float | None
    interval: tuple[float, float] | None
    ours: bool


def write_figure1(table: ResultTable, out: Path, command: str) -> list[Path]:
    """Write `figure1.svg`, `figure1.pdf` and their page.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    with style():
        files = save(efficiency_plot(table), out / "figure1")
    page = out / "figure1.md"
    picture = "![Dice against MACs; the area of a bubble is the number of images per second](figure1.svg)"
    write_text(page, table_page(table, out, command, [picture, bullet_list(figure_notes(table))]))
    return [*files, page]


def efficiency_plot(table: ResultTable) -> "Figure":
    """Plot the blocks of the protocol `paper`, or of the first protocol of a plan without it."""
    from matplotlib.figure import Figure

    blocks = [block for block in table.blocks if block.protocol == shown_protocol(table)]
    panels = [list(efficiency_points(table, block)) for block in blocks]
    points = [point for panel in panels for point in panel]
    columns = min(COLUMNS, len(blocks))
    rows = math.ceil(len(blocks) / columns)
    figure = Figure(figsize=(columns * WIDTH, rows * HEIGHT), layout="constrained")
    figure.suptitle(table.plan.title)
    fastest = max((point.images_per_second or 0 for point in points), default=0)
    labels = list(dict.fromkeys(point.label for panel in panels for point in panel if point.label))
    colors = {label: f"C{index % 10}" for index, label in enumerate(labels)}
    axes = figure.subplots(rows, columns, squeeze=False).flat
    for block, panel, axis in zip(blocks, panels, axes, strict=False):
        axis.set_title(block_title(block))
        if panel:
            _panel(axis, panel, colors, fastest)
            axis.set_xlim(min(one.gmacs for one in points) / 1.5, max(one.gmacs for one in points) * 1.5)
        else:
            reason = " ".join(missing_notes(block)) or "Empty: the cost of the networks is unknown."
            axis.text(0.5, 0.5, textwrap.fill(reason, 44), ha="center", va="center", transform=axis.transAxes)
            axis.set_axis_off()
    for axis in list(axes)[len(blocks) :]:
        axis.set_axis_off()
    if labels:
        handles = [axes[0].scatter([], [], color=colors[label], label=label) for label in labels]
        figure.legend(handles=handles, loc="outside lower center", ncols=2 * columns)
    return figure


def shown_protocol(table: ResultTable) -> str:
    """Name the protocol of the figure."""
    return PROTOCOL if PROTOCOL in table.plan.protocols else table.plan.protocols[0]


def efficiency_points(table: ResultTable, block: TableBlock) -> Iterator[EfficiencyPoint]:
    """Give the points of a panel: one of the paper for each of its rows, then ours where scores and cost are known."""
    ours = [point for row in block.rows if (point := _our_point(table, row)) is not None]
    drawn: set[str] = set()
    for row in block.rows:
        printed, dice, name = table.printed[row.network], row.cells["dice"].paper, row.planned.row
        if printed is None or dice is None or name in drawn:
            continue
        drawn.add(name)
        label = next((point.label for point in reversed(ours) if point.row == name), f"{name} (paper)")
        yield EfficiencyPoint(label, name, printed.flops, dice, printed.fps, None, False)
    yield from ours


def _our_point(table: ResultTable, row: TableRow) -> EfficiencyPoint | None:
    estimate, cost = row.cells["dice"].ours, table.costs.get(row.network)
    if estimate is None or cost is None:
        return None
    low, high = estimate.low, estimate.high
    interval = None if low is None or high is None else (scale_metric("dice", low), scale_metric("dice", high))
    dice = scale_metric("dice", estimate.mean)
    return EfficiencyPoint(
        row.network, row.planned.row, cost.macs / 1e9, dice, cost.images_per_second, interval, ours=True
    )


def _panel(axis: "Axes", points: Sequence[EfficiencyPoint], colors: Mapping[str, str], fastest: float) -> None:
    papers = {point.row: point for point in points if not point.ours}
    for point in points:
        color = colors[point.label]
        area = bubble_area(point.images_per_second, fastest)
        face, alpha = (color, 0.55) if point.ours else ("none", 1.0)
        axis.scatter(point.gmacs, point.dice, area, facecolors=face, edgecolors=color, alpha=alpha, zorder=3)
        if point.interval:
            axis.vlines(point.gmacs, *point.interval, colors=color, linewidth=0.8)
        if point.ours and (paper := papers.get(point.row)):
            axis.plot([paper.gmacs, point.gmacs], [paper.dice, point.dice], color=color, linestyle=":", linewidth=0.8)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set_xlabel("GMACs of a 3 x 512 x 512 image")
    axis.set_ylabel("Dice, %")


def bubble_area(images_per_second: float | None, fastest: float) -> float:
    """Area of a bubble in square points."""
    return max(UNTIMED, LARGEST * images_per_second / fastest) if images_per_second else UNTIMED


def figure_notes(table: ResultTable) -> list[str]:
    """Explain the figure: plain sentences."""
    rows = [row for block in table.blocks for row in block.rows]
    timed = {cost.machine for cost in table.costs.values() if cost.images_per_second is not None}
    untimed = any(
        cost.images_per_second is None and any(row.network == label and row.results for row in rows)
        for label, cost in table.costs.items()
    )
    no_cost = sorted({row.network for row in rows} - set(table.costs))
    notes = [
        f"Filled: ours, mean Dice of {format_seeds(table.plan.seeds)}, protocol {shown_protocol(table)}, recipe "
        f"{table.plan.recipe}; vertical lines: 95 % bootstrap interval over {interval_units(table)}; MACs of all operations; "
        f"images per second at batch size 1 on: {'; '.join(sorted(timed)) or 'no machine yet'}."
    ]
    if any(block.printed for block in table.blocks):
        notes.append(
            f"Hollow: the paper's figures, FLOPs as thop counts them, images per second on an {MACHINE}; dotted lines join them "
            "to ours."
        )
    if untimed:
        notes.append("The smallest dots were not timed.")
    if no_cost:
        notes.append(f"Not drawn, since the cost is unknown: {', '.join(no_cost)}.")
    return notes
