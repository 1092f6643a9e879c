"""Contact sheet of a data set: one picture with thumbnails of its cases."""

import io
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tmunet.data.reader import load_case
from tmunet.errors import DataError
from tmunet.files import write_bytes
from tmunet.report.drawing import thumbnail
from tmunet.report.overview import CaseOverview, DatasetOverview
from tmunet.report.report_text import percent
from tmunet.report.text_layout import ellipsize, fits_width, short_fault, to_ascii, wrap
from tmunet.visualize import color

THUMBNAIL = 240  # pixels of the longest side
NARROWEST, LOWEST = 176, 120  # pixels of a cell's picture: room for its words
MARGIN, GAP = 28, 18
ASPECT = 1.5  # width to height of a sheet
LEAST_COLUMNS = 3  # the head needs their width
INK, QUIET, RULE, PAPER = (28, 33, 38), (86, 96, 106), (205, 211, 217), (255, 255, 255)
ALARM, ALARM_PAPER = (160, 28, 28), (252, 236, 236)
TAGS = {"train": (86, 96, 106), "val": (11, 93, 138), "test": (146, 70, 0)}

_NAME, _SMALL, _TAG, _TITLE, _TEXT = (ImageFont.load_default(size) for size in (15, 13, 12, 28, 16))


@dataclass(frozen=True)
class SheetCell:
    """Cell of the sheet: its thumbnail, or the fault for which there is none."""

    case: CaseOverview
    picture: Image.Image | None
    fault: str | None


def draw_cells(dataset: DatasetOverview, cases: Sequence[CaseOverview]) -> list[SheetCell]:
    """Decode cases and draw their thumbnails in threads."""

    def draw(case: CaseOverview) -> SheetCell:
        if case.fault is not None:
            return SheetCell(case, None, case.fault)
        try:
            loaded = load_case(case.case, dataset.info)
        except DataError as error:
            return SheetCell(case, None, error.faults[0])
        return SheetCell(case, thumbnail(loaded.image, loaded.mask, THUMBNAIL), None)

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(draw, cases))


def draw_sheet(dataset: DatasetOverview, cells: Sequence[SheetCell], total: int, title: str) -> Image.Image:
    """Lay out the thumbnails in rows under a header with the legend.

    Args:
        dataset: the data set of the cells.
        cells: at least one.
        total: number of cases from which they were chosen.
        title: name of the data set, with the subset if only one is shown.

    Returns:
        An RGB picture; all cells have the size of the largest thumbnail.
    """
    pictures = [cell.picture for cell in cells if cell.picture is not None]
    width = max([NARROWEST, *(picture.width for picture in pictures)])
    height = max([LOWEST, *(picture.height for picture in pictures)])
    words = 46 + 18 * any(case.case.group is not None for case in dataset.cases)
    across, down = width + GAP, height + words + GAP
    columns = _columns(len(cells), ASPECT * down / across)
    rows = math.ceil(len(cells) / columns)
    page = 2 * MARGIN - GAP + max(columns, LEAST_COLUMNS) * across
    head = _Head(dataset, cells, total, title, page - 2 * MARGIN)
    sheet = Image.new("RGB", (page, head.height + rows * down + MARGIN), PAPER)
    pen = ImageDraw.Draw(sheet)
    head.draw(pen)
    sides = {} if dataset.split is None else {n: side for side, names in dataset.split.to_dict().items() for n in names}
    for index, cell in enumerate(cells):
        left, top = MARGIN + index % columns * across, head.height + index // columns * down
        if cell.picture is None:
            _draw_fault(pen, cell.fault or "", (left, top, left + width - 1, top + height - 1))
        else:  # stands on the words below it
            corner = left, top + height - cell.picture.height
            sheet.paste(cell.picture, corner)
            pen.rectangle((*corner, corner[0] + cell.picture.width - 1, top + height - 1), outline=RULE)
        _draw_words(pen, cell.case, sides.get(cell.case.case.name), (left, top + height + 6), width)
    return sheet


def _columns(count: int, ratio: float) -> int:
    """Number of columns: about `ratio` times the rows, with few empty cells in the last row."""
    ideal = math.sqrt(count * ratio)
    least = min(count, max(LEAST_COLUMNS, math.floor(0.8 * ideal)))
    near = range(least, max(least, min(count, math.ceil(1.25 * ideal))) + 1)
    return min(near, key=lambda columns: (-count % columns, abs(columns - ideal)))


def write_sheet(path: Path, sheet: Image.Image) -> None:
    """Write a sheet as PNG, atomically."""
    content = io.BytesIO()
    sheet.save(content, "PNG")
    write_bytes(path, content.getvalue())


def _draw_fault(pen: ImageDraw.ImageDraw, fault: str, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    pen.rectangle(box, fill=ALARM_PAPER, outline=ALARM)
    lines = wrap(to_ascii(short_fault(fault)), fits_width(_SMALL, right - left - 20), (bottom - top - 20) // 18)
    for row, line in enumerate(lines):
        pen.text((left + 10, top + 10 + 18 * row), line, ALARM, _SMALL)


def _draw_words(
    pen: ImageDraw.ImageDraw, case: CaseOverview, side: str | None, corner: tuple[int, int], width: int
) -> None:
    left, top = corner
    pen.text(corner, ellipsize(to_ascii(case.case.name), fits_width(_NAME, width)), INK, _NAME)
    share = case.foreground
    pen.text((left, top + 21), "no valid mask" if share is None else percent(share), QUIET, _SMALL)
    if side is not None:
        start = left + width - pen.textlength(side, _TAG) - 12
        pen.rounded_rectangle((start, top + 19, left + width - 1, top + 36), 4, TAGS[side])
        pen.text((start + 6, top + 27.5), side, PAPER, _TAG, anchor="lm")
    if case.case.group is not None:
        pen.text((left, top + 39), ellipsize(to_ascii(case.case.group), fits_width(_SMALL, width)), QUIET, _SMALL)


class _Head:
    """Header of the sheet: name, numbers, faults and legend, wrapped to the width."""

    def __init__(
        self, dataset: DatasetOverview, cells: Sequence[SheetCell], total: int, title: str, width: int
    ) -> None:
        every = len(cells) == total
        chosen = f"all {total:,} cases" if every else f"{len(cells):,} of {total:,} cases, chosen evenly"
        split = {} if dataset.split is None else dataset.split.to_dict()
        sides = ", ".join(f"{side} {len(names):,}" for side, names in split.items()) or "none"
        faulty = len(dataset.faults) + sum(cell.fault is not None and cell.case.fault is None for cell in cells)
        fits = fits_width(_TEXT, width)
        self.title = ellipsize(to_ascii(title), fits_width(_TITLE, width))
        order = "by foreground fraction, ascending"
        self.facts = wrap(f"{chosen}, {order} · split: {sides}", fits, 4)
        self.alarm = wrap(f"Faults found: {faulty:,}; run tmunet check for the full list.", fits, 2) if faulty else []
        self.legend = _legend(dataset, width)
        self.height = MARGIN + 44 + 22 * (len(self.facts) + len(self.alarm) + len(self.legend)) + 26

    def draw(self, pen: ImageDraw.ImageDraw) -> None:
        pen.text((MARGIN, MARGIN - 6), self.title, INK, _TITLE)
        top = MARGIN + 36
        for line, ink in [*((line, QUIET) for line in self.facts), *((line, ALARM) for line in self.alarm)]:
            pen.text((MARGIN, top), line, ink, _TEXT)
            top += 22
        for entries in self.legend:
            top += 6 * (entries is self.legend[0])
            for left, label, text in entries:
                box = (MARGIN + left, top + 3, MARGIN + left + 14, top + 17)
                pen.rectangle(box, fill=color(label), outline=INK)
                pen.text((MARGIN + left + 22, top), text, INK, _TEXT)
            top += 22


def _legend(dataset: DatasetOverview, width: int) -> list[list[tuple[int, int, str]]]:
    """Lines of (pixels from the left, label, text) that name every class but the background."""
    valid = [case.shares for case in dataset.cases if case.shares]
    lines: list[list[tuple[int, int, str]]] = [[]]
    left = 0
    for label, name in enumerate(dataset.info.classes[1:], start=1):
        mean = f": {percent(sum(shares[name] for shares in valid) / len(valid))} on average" if valid else ""
        text = ellipsize(to_ascii(name), fits_width(_TEXT, width / 2)) + mean
        end = left + 22 + math.ceil(_TEXT.getlength(text))
        if end > width and left:
            lines.append([])
            left, end = 0, end - left
        lines[-1].append((left, label, text))
        left = end + 24
    return lines
