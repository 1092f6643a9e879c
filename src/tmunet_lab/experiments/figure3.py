"""Figure 3: test images that a rule has chosen, with the outlines of the reference and of each network's prediction."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tmunet.data.dataset import Dataset
from tmunet_lab.experiments.captions import block_title, conditions, missing_notes
from tmunet_lab.experiments.case_grid import Drawn, GridRow, draw_grid, outlined
from tmunet_lab.experiments.case_selection import RULE, Chosen, choose_cases, first_seed, shown_blocks, shown_protocol
from tmunet_lab.experiments.markdown import escaped, grid, link, listed, made_by, run_section, void_note
from tmunet_lab.experiments.number_format import DASH, shown
from tmunet_lab.experiments.run_result import Result
from tmunet_lab.experiments.table import Block, Table
from tmunet_lab.experiments.verify import Again, load_scored, open_scored

WARNING = "Do not publish pictures of research-only sets: look at the license of each set before you show this page to others."


@dataclass(frozen=True)
class Part:
    """What the figure shows of one data set.

    Attributes:
        block: the results.
        shown: of the first seed, by network; none where there is nothing to show.
        chosen: the images.
        license: of the data set, as its `dataset.json` states it.
        reason: why the data set is not drawn, or nothing.
    """

    block: Block
    shown: Sequence[Result]
    chosen: Sequence[Chosen]
    license: str
    reason: str


def figure3(table: Table, folder: Path, command: str, data_root: Path) -> tuple[bytes | None, str]:
    """Make the picture and its page.

    Args:
        table: the results.
        folder: in which the page will lie.
        command: that made it.
        data_root: holds the data sets by name.

    Returns:
        The picture as PNG, None if nothing can be drawn; and the page as Markdown.

    Raises:
        InputError: a prediction has another Dice than in the evaluation, or a split is another one.
        DataError: all faults of a data set.
        ModelError: the model of a run cannot be loaded.
    """
    parts: list[Part] = []
    rows: list[GridRow] = []
    for block in shown_blocks(table).values():
        found = first_seed(block, table.plan)
        if not found:
            parts.append(Part(block, (), (), "", " ".join(missing_notes(block))))
        elif not (data_root / block.data).is_dir():
            parts.append(
                Part(block, (), (), "", f"Not drawn: there is no folder {block.data} with its images any more.")
            )
        else:
            dataset = open_scored(found[0], data_root)
            chosen = choose_cases(found)
            reason = "" if chosen else "Not drawn: no test image has a Dice of every network."
            part = Part(block, found, chosen, str(dataset.info.information.get("license", "")), reason)
            rows += _rows(part, dataset)
            parts.append(part)
    picture = _png(draw_grid(["reference", *table.plan.networks], rows)) if rows else None
    return picture, _page(table, parts, folder, command)


def _rows(part: Part, dataset: Dataset) -> Iterator[GridRow]:
    """One row for each chosen image; networks without a result show why."""
    protocol = part.block.protocol
    loaded = {chosen.case: load_scored(dataset, chosen.case, protocol) for chosen in part.chosen}
    columns: list[list[Drawn]] = []
    by_network = {result.network: result for result in part.shown}
    for row in part.block.rows:
        if row.network not in by_network:
            columns.append([Drawn(None, "; ".join(row.reasons) or "no run of the first seed")] * len(part.chosen))
            continue
        again = Again.of(by_network[row.network])  # one model in memory at a time
        columns.append(
            [
                Drawn(
                    outlined(loaded[one.case].image, loaded[one.case].mask, again.predict(one.case, loaded[one.case])),
                    f"Dice {shown('dice', one.dice[row.network])} %",
                )
                for one in part.chosen
            ]
        )
    for index, one in enumerate(part.chosen):
        alone = Drawn(outlined(loaded[one.case].image, loaded[one.case].mask), "")
        words = (part.block.data, one.case, f"{one.percentile}th percentile")
        yield GridRow(words, [alone, *(column[index] for column in columns)])


def _png(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def _page(table: Table, parts: Sequence[Part], folder: Path, command: str) -> str:
    protocol = shown_protocol(table.plan)
    drawn = any(part.chosen for part in parts)
    sections = [
        f"# {escaped(table.plan.title)}: cases",
        *void_note(table.plan),
        WARNING,
        *(["![Test images with outlines of reference and predictions](figure3.png)"] if drawn else []),
        f"{RULE} That seed is {table.plan.seeds[0]}. Yellow: outline of the reference; blue: of the prediction; green: both. "
        f"Dice in percent, protocol {protocol}; each prediction was made anew and has the Dice that the evaluation of its run "
        "has for the image.",
        listed(conditions(table.plan)),
    ]
    for part in parts:
        sections.append(f"## {escaped(block_title(part.block))}")
        if part.chosen:
            sections += [_case_table(table, part, folder)]
            license = part.license or "not stated in its dataset.json"
            sections.append(f"License of {escaped(part.block.data)}: {escaped(license)}.")
        if part.reason:
            sections.append(escaped(part.reason))
    results = [result for part in parts for result in part.shown]
    return "\n\n".join([*sections, "## Runs", run_section(results, folder), made_by(command)]) + "\n"


def _case_table(table: Table, part: Part, folder: Path) -> str:
    runs = {result.network: result.run for result in part.shown}
    heads = [link(label, runs[label], folder) if label in runs else escaped(label) for label in table.plan.networks]
    rows = []
    for one in part.chosen:
        dice = [shown("dice", one.dice[label]) if label in one.dice else DASH for label in table.plan.networks]
        rows.append([escaped(one.case), str(one.percentile), shown("dice", one.median), *dice])
    return grid(["image", "percentile", "median Dice", *heads], rows)
