"""The picture of a figure of cases: a row for each image, a column for each network, outlines of reference and prediction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tmunet.report.drawing import contour, reduce_lines, shrink
from tmunet.report.text_layout import ellipsize, fits_width, to_ascii, wrap
from tmunet.visualize import COLORS, to_rgb8

LONGEST = 200  # pixels of a picture
MARGIN, GAP, WORDS = 24, 12, 22
ASIDE = 150  # room for the words before a row
REFERENCE, PREDICTION, BOTH = COLORS[4], COLORS[2], COLORS[3]  # yellow, sky blue, and the green between them
INK, QUIET, PAPER, BLANK = (28, 33, 38), (86, 96, 106), (255, 255, 255), (242, 244, 246)
_NAME, _TEXT = (ImageFont.load_default(size) for size in (15, 13))


@dataclass(frozen=True)
class Drawn:
    """One picture, with the words under it; or the reason why there is none."""

    picture: Image.Image | None
    words: str


@dataclass(frozen=True)
class GridRow:
    """The pictures of one image, with lines of words before them."""

    words: Sequence[str]
    pictures: Sequence[Drawn]


def outlined(
    image: NDArray[Any], reference: NDArray[np.uint8], prediction: NDArray[np.uint8] | None = None
) -> Image.Image:
    """Draw outlines into an image: reference yellow, prediction blue, green where both run.

    Args:
        image: (H, W, C) of 8 or 16 bits.
        reference: (H, W) labels; pixels to ignore have no outline.
        prediction: (H, W) labels, or None to draw the reference alone.
    """
    photo = shrink(Image.fromarray(to_rgb8(image)), LONGEST)
    pixels = np.array(photo)
    truth = reduce_lines(contour(reference), photo.size)
    found = np.zeros_like(truth) if prediction is None else reduce_lines(contour(prediction), photo.size)
    for lines, color in ((truth, REFERENCE), (found, PREDICTION), (truth & found, BOTH)):
        pixels[lines] = color
    return Image.fromarray(pixels)


def draw_grid(heads: Sequence[str], rows: Sequence[GridRow]) -> Image.Image:
    """Lay pictures out under the names of their columns, with a legend at the top.

    Args:
        heads: of the columns.
        rows: at least one, each with a picture for each column.
    """
    tallest = [max((one.picture.height for one in row.pictures if one.picture), default=LONGEST // 2) for row in rows]
    width = 2 * MARGIN + ASIDE + len(heads) * (LONGEST + GAP) - GAP
    top = MARGIN + 2 * WORDS + 14
    height = top + sum(tall + WORDS + GAP for tall in tallest) + MARGIN - GAP
    page = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(page)
    _legend(pen)
    for column, head in enumerate(heads):
        place = MARGIN + ASIDE + column * (LONGEST + GAP), top - WORDS - 2
        pen.text(place, ellipsize(to_ascii(head), fits_width(_NAME, LONGEST)), INK, _NAME)
    for row, tall in zip(rows, tallest, strict=True):
        for index, words in enumerate(row.words):
            font, ink = (_NAME, INK) if index == 0 else (_TEXT, QUIET)
            pen.text((MARGIN, top + 18 * index), ellipsize(to_ascii(words), fits_width(font, ASIDE - 12)), ink, font)
        for column, drawn in enumerate(row.pictures):
            _cell(page, pen, drawn, (MARGIN + ASIDE + column * (LONGEST + GAP), top), tall)
        top += tall + WORDS + GAP
    return page


def _legend(pen: ImageDraw.ImageDraw) -> None:
    left = MARGIN
    for words, color in (("reference", REFERENCE), ("prediction", PREDICTION), ("both", BOTH)):
        pen.rectangle((left, MARGIN + 2, left + 14, MARGIN + 16), fill=color, outline=INK)
        pen.text((left + 21, MARGIN), words, INK, _NAME)
        left += 21 + int(_NAME.getlength(words)) + 24


def _cell(page: Image.Image, pen: ImageDraw.ImageDraw, drawn: Drawn, corner: tuple[int, int], tall: int) -> None:
    left, top = corner
    if drawn.picture is None:
        pen.rectangle((left, top, left + LONGEST - 1, top + tall - 1), fill=BLANK)
        for index, words in enumerate(wrap(to_ascii(drawn.words), fits_width(_TEXT, LONGEST - 16), (tall - 8) // 17)):
            pen.text((left + 8, top + 6 + 17 * index), words, QUIET, _TEXT)
        return
    page.paste(drawn.picture, corner)
    pen.text((left, top + drawn.picture.height + 3), to_ascii(drawn.words), INK, _TEXT)
