"""Panels of one case for the report: image, reference contour, predicted contour, error map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from tmunet.errors import InputError
from tmunet.labels import IGNORE_LABEL
from tmunet.report.drawing import contour, reduce_lines, shrink
from tmunet.report.page_assets import data_uri

LONGEST_SIDE = 480  # pixels of a picture on the page
BOLD_FROM = 280  # the page shows a larger picture reduced: its outlines are drawn bolder
Color = tuple[int, int, int]


class Pixel(IntEnum):
    """Kind of a pixel in the error map: true positive (hit), false negative (missed), false positive (false), wrong class."""

    BACKGROUND = 0
    HIT = 1
    MISSED = 2
    FALSE = 3
    CONFUSED = 4
    IGNORED = 5


# Distinct in lightness as well as in hue, for color-blind readers; correct is dull, wrong is bright.
COLORS: Mapping[Pixel, Color] = {
    Pixel.BACKGROUND: (20, 24, 28),
    Pixel.HIT: (112, 121, 130),
    Pixel.MISSED: (255, 166, 0),
    Pixel.FALSE: (64, 176, 255),
    Pixel.CONFUSED: (240, 130, 200),
    Pixel.IGNORED: (56, 64, 74),
}


@dataclass(frozen=True)
class ReportCase:
    """Test image at native size with its masks and scores.

    Args:
        name: the case, as in the table of scores.
        image: ``(H, W, 3)`` uint8.
        truth: ``(H, W)`` uint8, labels 0..K-1; 255 marks ignored pixels.
        prediction: ``(H, W)`` uint8, labels 0..K-1.
        scores: values by metric, at least ``"dice"`` and ``"hd95"`` (pixels); None where one does not exist.

    Raises:
        InputError: an array of another shape or dtype, or a score that is not there.
    """

    name: str
    image: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    prediction: NDArray[np.uint8]
    scores: Mapping[str, float | None]

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.size == 0:
            raise InputError(f"Case {self.name!r}: expected `image` to be (H, W, 3), but got {self.image.shape}.")
        for field in ("image", "truth", "prediction"):
            array = getattr(self, field)
            if array.dtype != np.uint8:
                raise InputError(f"Case {self.name!r}: expected `{field}` to be uint8, but got {array.dtype}.")
            if array.shape[:2] != self.image.shape[:2] or (field != "image" and array.ndim != 2):
                raise InputError(
                    f"Case {self.name!r}: expected `{field}` to be (H, W) = {self.image.shape[:2]} like the "
                    f"image, but got {array.shape}. Show masks at the image's native size."
                )
        if missing := {"dice", "hd95"} - set(self.scores):
            raise InputError(
                f"Case {self.name!r}: expected `scores` to hold {sorted(missing)}, "
                f"but got {sorted(self.scores)}. Give None where a score does not exist."
            )


@dataclass(frozen=True)
class Panel:
    """Picture on the page.

    Args:
        heading: caption.
        alt: alternative text.
        uri: the picture as a data URI.
        size: ``(width, height)`` in pixels.
        over_image: whether it is a transparent overlay of the image.
    """

    heading: str
    alt: str
    uri: str
    size: tuple[int, int]
    over_image: bool = False


def error_map(truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Compute the error map.

    Args:
        truth: ``(H, W)`` labels, 255 = ignored.
        prediction: ``(H, W)`` labels.

    Returns:
        ``(H, W)`` uint8 of ``Pixel`` values.
    """
    expected, predicted = truth > 0, prediction > 0
    return np.select(
        [truth == IGNORE_LABEL, expected & (truth == prediction), expected & predicted, expected, predicted],
        [Pixel.IGNORED, Pixel.HIT, Pixel.CONFUSED, Pixel.MISSED, Pixel.FALSE],
        default=Pixel.BACKGROUND,
    ).astype(np.uint8)


def panels(case: ReportCase) -> Sequence[Panel]:
    """Draw the panels of a case, each at most 480 pixels on its longest side.

    Contours keep a visible width at every scale; the error map is averaged over area.
    """
    photo = shrink(Image.fromarray(case.image), LONGEST_SIDE)
    errors = error_map(case.truth, case.prediction)
    counts = ((kind, int(np.count_nonzero(errors == kind))) for kind in Pixel if kind is not Pixel.BACKGROUND)
    found = ", ".join(f"{count:,} {kind.name.lower()}" for kind, count in counts if count)
    colors = np.array([COLORS[kind] for kind in Pixel], dtype=np.uint8)
    chart = shrink(Image.fromarray(colors[errors]), LONGEST_SIDE, Image.Resampling.BOX).quantize(32)
    return (
        Panel("Image", f"{case.name}: the image", data_uri(photo, "JPEG", quality=85), photo.size),
        _outline("Reference", case.name, case.truth, photo.size, Pixel.MISSED),
        _outline("Prediction", case.name, case.prediction, photo.size, Pixel.FALSE),
        Panel(
            "Errors",
            f"{case.name}: map of the errors; pixels: {found or 'background only'}",
            data_uri(chart, "PNG", optimize=True),
            chart.size,
        ),
    )


def _outline(heading: str, name: str, labels: NDArray[np.uint8], size: tuple[int, int], kind: Pixel) -> Panel:
    lines = reduce_lines(contour(labels), size)
    if max(size) > BOLD_FROM:
        lines = ndimage.binary_dilation(lines)
    casing = ndimage.binary_dilation(lines)  # a dark edge, so that the line is visible on any tissue
    picture = Image.fromarray(np.where(lines, 2, casing).astype(np.uint8))
    picture.putpalette([0, 0, 0, 0, 0, 0, *COLORS[kind]])
    uri = data_uri(picture, "PNG", optimize=True, transparency=bytes([0, 128, 255]))
    return Panel(heading, f"{name}: outline of the {heading.lower()}", uri, size, over_image=True)
