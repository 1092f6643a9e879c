"""Figure 3: selected test images with the outlines of the reference and of each network's prediction."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tmunet.data.dataset import Dataset
from tmunet.files import write_text
from tmunet.report.drawing import contour, reduce_lines, shrink
from tmunet.visualize import COLORS, to_rgb8
from tmunet_lab.experiments.build_tables import ResultTable, TableBlock
from tmunet_lab.experiments.captions import block_title, missing_notes, training_conditions
from tmunet_lab.experiments.case_selection import (
    RULE,
    SelectedCase,
    case_blocks,
    case_protocol,
    first_seed_results,
    select_cases,
)
from tmunet_lab.experiments.markdown import (
    bullet_list,
    escape,
    link,
    made_by,
    markdown_table,
    run_section,
    void_note,
)
from tmunet_lab.experiments.number_format import DASH, format_metric
from tmunet_lab.experiments.results import RunResult
from tmunet_lab.experiments.verify import RerunPredictor, load_scored, open_scored
from tmunet_lab.plots import save, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WARNING = "Do not publish pictures of research-only sets: look at the license of each set before you show this page to others."
LONGEST = 200  # pixels of a panel
CELL = 1.8  # inches of a panel
REFERENCE, PREDICTION, BOTH = COLORS[4], COLORS[2], COLORS[3]  # yellow, sky blue, green


@dataclass(frozen=True)
class CasePanel:
    """A picture with its caption; None with the reason if there is none."""

    picture: NDArray[np.uint8] | None
    caption: str


@dataclass(frozen=True)
class CaseRow:
    """The panels of one test image: the reference alone, then one per network."""

    title: str
    panels: Sequence[CasePanel]


@dataclass(frozen=True)
class DatasetCases:
    """The selected images of one data set.

    Attributes:
        block: the results.
        shown: those of the first seed.
        selected: the images.
        license: of the data set, as in its `dataset.json`.
        reason: why none are drawn, or "".
    """

    block: TableBlock
    shown: Sequence[RunResult] = ()
    selected: Sequence[SelectedCase] = ()
    license: str = ""
    reason: str = ""


def write_figure3(table: ResultTable, out: Path, command: str, data_root: Path) -> list[Path]:
    """Write `figure3.svg`, `figure3.pdf` if any image can be drawn, and their page.

    Args:
        table: the results.
        out: folder of the page.
        command: that made it.
        data_root: folder of the data sets.

    Raises:
        InputError: a prediction or a split is not that of the evaluation.
        DataError: all faults of a data set.
        ModelError: the model of a run cannot be loaded.
        MissingExtraError: matplotlib is not installed.
    """
    parts: list[DatasetCases] = []
    rows: list[CaseRow] = []
    for block in case_blocks(table).values():
        shown = first_seed_results(block, table.plan)
        if not shown:
            parts.append(DatasetCases(block, reason=" ".join(missing_notes(block))))
        elif not (data_root / block.data).is_dir():
            reason = f"Not drawn: there is no folder {block.data} with its images any more."
            parts.append(DatasetCases(block, reason=reason))
        else:
            dataset = open_scored(shown[0], data_root)
            selected = select_cases(shown)
            reason = "" if selected else "Not drawn: no test image has a Dice of every network."
            license = str(dataset.info.information.get("license", ""))
            parts.append(DatasetCases(block, shown, selected, license, reason))
            rows += _rows(parts[-1], dataset)
    page, picture = out / "figure3.md", out / "figure3"
    files = []
    if rows:
        with style():
            files = save(case_figure(["reference", *table.plan.networks], rows), picture)
    else:  # older ones would be of other runs
        for suffix in (".svg", ".pdf"):
            picture.with_suffix(suffix).unlink(missing_ok=True)
    write_text(page, _page(table, parts, out, command))
    return [*files, page]


def case_figure(heads: Sequence[str], rows: Sequence[CaseRow]) -> "Figure":
    """Plot a row per image and a column per network.

    Args:
        heads: titles of the columns.
        rows: at least one, each with a panel per column.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    figure = Figure(figsize=(CELL * len(heads), (CELL + 0.3) * len(rows) + 0.5), layout="constrained")
    axes = figure.subplots(len(rows), len(heads), squeeze=False)
    for row, line in zip(rows, axes, strict=True):
        line[0].set_ylabel(textwrap.fill(row.title, 24), fontsize=7)
        for panel, axis in zip(row.panels, line, strict=True):
            axis.set(xticks=[], yticks=[])
            axis.grid(visible=False)
            for spine in axis.spines.values():
                spine.set_visible(False)
            if panel.picture is None:
                reason = textwrap.fill(panel.caption, 26)
                axis.text(0.5, 0.5, reason, ha="center", va="center", fontsize=6, transform=axis.transAxes)
            else:
                axis.imshow(panel.picture, interpolation="none")
                axis.set_xlabel(panel.caption, fontsize=7)
    for head, axis in zip(heads, axes[0], strict=True):
        axis.set_title(textwrap.fill(head, 24), fontsize=8)
    colors = {"reference": REFERENCE, "prediction": PREDICTION, "both": BOTH}
    handles = [Patch(facecolor=(rgb[0] / 255, rgb[1] / 255, rgb[2] / 255), label=name) for name, rgb in colors.items()]
    figure.legend(handles=handles, loc="outside upper left", ncols=3)
    return figure


def draw_outlines(
    image: NDArray[Any], reference: NDArray[np.uint8], prediction: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Draw outlines into an image: reference yellow, prediction blue, both green.

    Args:
        image: (H, W, C) of 8 or 16 bits.
        reference: (H, W) labels; ignored pixels have no outline.
        prediction: (H, W) labels, or None for the reference alone.

    Returns:
        (h, w, 3), at most `LONGEST` pixels high and wide.
    """
    photo = shrink(Image.fromarray(to_rgb8(image)), LONGEST)
    pixels = np.array(photo)
    truth = reduce_lines(contour(reference), photo.size)
    predicted = np.zeros_like(truth) if prediction is None else reduce_lines(contour(prediction), photo.size)
    for lines, color in ((truth, REFERENCE), (predicted, PREDICTION), (truth & predicted, BOTH)):
        pixels[lines] = color
    return pixels


def _rows(part: DatasetCases, dataset: Dataset) -> Iterator[CaseRow]:
    """One row per selected image; networks without a result show the reason."""
    protocol = part.block.protocol
    loaded = {one.case: load_scored(dataset, one.case, protocol) for one in part.selected}
    columns: list[list[CasePanel]] = []
    by_network = {result.network: result for result in part.shown}
    for row in part.block.rows:
        if row.network not in by_network:
            reason = "; ".join(row.reasons) or "no run of the first seed"
            columns.append([CasePanel(None, reason)] * len(part.selected))
            continue
        predictor = RerunPredictor.from_result(by_network[row.network])  # one model in memory at a time
        columns.append(
            [
                CasePanel(
                    draw_outlines(case.image, case.mask, predictor.predict(one.case, case)),
                    f"Dice {format_metric('dice', one.dice[row.network])} %",
                )
                for one in part.selected
                for case in [loaded[one.case]]
            ]
        )
    for index, one in enumerate(part.selected):
        alone = CasePanel(draw_outlines(loaded[one.case].image, loaded[one.case].mask), "")
        title = f"{part.block.data} {one.case}, {one.percentile}th percentile"
        yield CaseRow(title, [alone, *(column[index] for column in columns)])


def _page(table: ResultTable, parts: Sequence[DatasetCases], folder: Path, command: str) -> str:
    drawn = any(part.selected for part in parts)
    sections = [
        f"# {escape(table.plan.title)}: cases",
        *void_note(table.plan),
        WARNING,
        *(["![Test images with outlines of reference and predictions](figure3.svg)"] if drawn else []),
        f"{RULE} That seed is {table.plan.seeds[0]}. Yellow: outline of the reference; blue: of the prediction; green: both. "
        f"Dice in percent, protocol {case_protocol(table.plan)}. Every prediction was made again and has the Dice of the "
        "evaluation.",
        bullet_list(training_conditions(table.plan)),
    ]
    for part in parts:
        sections.append(f"## {escape(block_title(part.block))}")
        if part.selected:
            sections += [_case_table(table, part, folder)]
            license = part.license or "not stated in its dataset.json"
            sections.append(f"License of {escape(part.block.data)}: {escape(license)}.")
        if part.reason:
            sections.append(escape(part.reason))
    results = [result for part in parts for result in part.shown]
    return "\n\n".join([*sections, "## Runs", run_section(results, folder), made_by(command)]) + "\n"


def _case_table(table: ResultTable, part: DatasetCases, folder: Path) -> str:
    runs = {result.network: result.run for result in part.shown}
    heads = [link(label, runs[label], folder) if label in runs else escape(label) for label in table.plan.networks]
    rows = []
    for one in part.selected:
        dice = [format_metric("dice", one.dice[label]) if label in one.dice else DASH for label in table.plan.networks]
        rows.append([escape(one.case), str(one.percentile), format_metric("dice", one.median), *dice])
    return markdown_table(["image", "percentile", "median Dice", *heads], rows)
