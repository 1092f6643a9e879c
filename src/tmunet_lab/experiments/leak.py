"""What a split by chance hides: the same networks on random and on grouped splits, and how much of the test leaks into train."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from tmunet.data.json_object import read_json_object
from tmunet.errors import InputError
from tmunet_lab.experiments.markdown import escaped, grid, link
from tmunet_lab.experiments.number_format import DASH, shown
from tmunet_lab.experiments.table import Block, Row, Table

RANDOM, GROUPED = "random", "grouped"

MEANING = """\
A random split deals frames of one video, or images of one patient, to both sides: a network is then asked about what it has
nearly seen, and its score says how well it remembers. On a grouped split no group and no near twin lies on two sides: the score
says what to expect of a new patient. The difference is what the random split hides. The two splits have other test images, and
few groups make a test side: part of a difference is that of easy and hard groups."""

SHARES = """\
"Group in train": share of the test images whose group (video sequence, patient, slide) has images among the training images;
0 % too where the data set does not tell groups. "Near twin in train": share with a training image whose small gray copy
correlates above the limit of `tmunet split`. Both from the `provenance.json` of the run that is named."""


def leak_section(table: Table, folder: Path) -> str:
    """Dice under both splits, their difference, and the shares that leak.

    Args:
        table: of a plan with the splits random and grouped.
        folder: in which the page will lie.

    Raises:
        InputError: the provenance of a run cannot be read.
    """
    head = ("network", "data set", "protocol", "Dice, random", "Dice, grouped", "random above grouped")
    rows = [cells for pair in _pairs(table) for cells in _compared(*pair)]
    shares = list(_share_rows(table, folder))
    parts = ["## Random against grouped", MEANING.replace("\n", " "), grid(head, rows)]
    if shares:
        parts += [
            SHARES.replace("\n", " "),
            grid(("data set", "split", "test images", "group in train", "near twin in train", "from"), shares),
        ]
    return "\n\n".join(parts)


def _pairs(table: Table) -> Iterator[tuple[Block, Block]]:
    """Blocks of the same data set and protocol, random and grouped."""
    places = {(block.protocol, block.data, block.split): block for block in table.blocks}
    for (protocol, data, split), block in places.items():
        if split == RANDOM and (protocol, data, GROUPED) in places:
            yield block, places[protocol, data, GROUPED]


def _compared(random: Block, grouped: Block) -> Iterator[list[str]]:
    for left, right in zip(random.rows, grouped.rows, strict=True):
        names = [escaped(left.network), escaped(random.data), random.protocol]
        yield [*names, _dice(left), _dice(right), _difference(left, right)]


def _dice(row: Row) -> str:
    ours = row.cells["dice"].ours
    if ours is None:
        return DASH
    spread = "" if ours.sd is None else f" ± {shown('dice', ours.sd)}"
    return f"{shown('dice', ours.mean)}{spread}"


def _difference(left: Row, right: Row) -> str:
    """Mean and SD over the seeds that both have."""
    grouped = {result.seed: result.mean("dice") for result in right.results}
    gaps = [
        random - other
        for result in left.results
        if (random := result.mean("dice")) is not None and (other := grouped.get(result.seed)) is not None
    ]
    if not gaps:
        return DASH
    spread = f" ± {shown('dice', stdev(gaps))}" if len(gaps) > 1 else ""
    return f"{100 * fmean(gaps):+.2f}{spread}"


def _share_rows(table: Table, folder: Path) -> Iterator[list[str]]:
    """One line for each data set and split that has been run; all runs of a split have the same shares."""
    seen = set()
    for block in table.blocks:
        if block.results and (block.data, block.split) not in seen:
            seen.add((block.data, block.split))
            run = block.results[0].run
            leaks = _leaks(run / "provenance.json")
            shares = [_share(leaks[kind], leaks["images"]) for kind in ("same_group", "same_scene")]
            yield [escaped(block.data), block.split, str(leaks["images"]), *shares, link(run.name, run, folder)]


def _leaks(path: Path) -> Mapping[str, Any]:
    found = read_json_object(path).get("leaks", {}).get("test in train")
    if not found:
        raise InputError(f"{path}: expected the counts of `leaks` between test and train, but found none; train again.")
    return dict(found)


def _share(count: int, images: int) -> str:
    return f"{count / images:.0%}" if images else DASH
