"""Compare random with grouped splits: the gain in Dice by data leakage, and the share of test images that leak into train."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from tmunet.data.json_object import read_json_object
from tmunet.errors import InputError
from tmunet_lab.experiments.build_tables import ResultTable, TableBlock, TableRow
from tmunet_lab.experiments.markdown import escape, link, markdown_table
from tmunet_lab.experiments.number_format import DASH, format_metric

RANDOM, GROUPED = "random", "grouped"

MEANING = (
    "A random split puts frames of one video, or images of one patient, into both train and test: "
    "the test images are near-duplicates of "
    "training images, and Dice overestimates how well a network generalizes (data leakage). A grouped split keeps groups and "
    "near-duplicates in one subset: its Dice is what to expect of a new patient. The test images of the two splits differ, and a "
    "test set has few groups: part of a difference is that between easy and hard groups."
)

SHARES = (
    '"Group in train": share of the test images whose group (video sequence, patient, slide) has training images; 0 % where '
    'groups are unknown. "Near-duplicate in train": share of the test images with a training image of the same scene, by the '
    "correlation of small gray copies above the limit of `tmunet split`. Both from `provenance.json` of the run that is named."
)


def leak_section(table: ResultTable, folder: Path) -> str:
    """Write the section: Dice under both splits, their difference, and the share of test images that leak.

    Args:
        table: of a plan with the splits random and grouped.
        folder: of the page.

    Raises:
        InputError: the provenance of a run cannot be read.
    """
    head = ("network", "data set", "protocol", "Dice, random", "Dice, grouped", "random - grouped")
    rows = [cells for pair in _pairs(table) for cells in _compared(*pair)]
    shares = list(_share_rows(table, folder))
    parts = ["## Random and grouped splits", MEANING, markdown_table(head, rows)]
    if shares:
        parts += [
            SHARES,
            markdown_table(
                ("data set", "split", "test images", "group in train", "near-duplicate in train", "from"), shares
            ),
        ]
    return "\n\n".join(parts)


def _pairs(table: ResultTable) -> Iterator[tuple[TableBlock, TableBlock]]:
    """Pair random and grouped blocks of the same data set and protocol."""
    blocks = {(block.protocol, block.data, block.split): block for block in table.blocks}
    for (protocol, data, split), block in blocks.items():
        if split == RANDOM and (protocol, data, GROUPED) in blocks:
            yield block, blocks[protocol, data, GROUPED]


def _compared(random: TableBlock, grouped: TableBlock) -> Iterator[list[str]]:
    for left, right in zip(random.rows, grouped.rows, strict=True):
        names = [escape(left.network), escape(random.data), random.protocol]
        yield [*names, _dice(left), _dice(right), _difference(left, right)]


def _dice(row: TableRow) -> str:
    ours = row.cells["dice"].ours
    if ours is None:
        return DASH
    spread = "" if ours.sd is None else f" ± {format_metric('dice', ours.sd)}"
    return f"{format_metric('dice', ours.mean)}{spread}"


def _difference(left: TableRow, right: TableRow) -> str:
    """Mean and SD over the seeds of both."""
    grouped = {result.seed: result.mean("dice") for result in right.results}
    gaps = [
        random - other
        for result in left.results
        if (random := result.mean("dice")) is not None and (other := grouped.get(result.seed)) is not None
    ]
    if not gaps:
        return DASH
    spread = f" ± {format_metric('dice', stdev(gaps))}" if len(gaps) > 1 else ""
    return f"{100 * fmean(gaps):+.2f}{spread}"


def _share_rows(table: ResultTable, folder: Path) -> Iterator[list[str]]:
    """One line per data set and split; all runs of a split have the same shares."""
    listed = set()
    for block in table.blocks:
        if block.results and (block.data, block.split) not in listed:
            listed.add((block.data, block.split))
            run = block.results[0].run
            leaks = _leaks(run / "provenance.json")
            shares = [_share(leaks[kind], leaks["images"]) for kind in ("same_group", "same_scene")]
            yield [escape(block.data), block.split, str(leaks["images"]), *shares, link(run.name, run, folder)]


def _leaks(path: Path) -> Mapping[str, Any]:
    found = read_json_object(path).get("leaks", {}).get("test in train")
    if not found:
        raise InputError(f"{path}: expected the counts of `leaks` between test and train, but found none; train again.")
    return dict(found)


def _share(count: int, images: int) -> str:
    return f"{count / images:.0%}" if images else DASH
