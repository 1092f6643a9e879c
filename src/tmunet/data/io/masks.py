"""Read a label mask: exact values only, or an error that shows the values found."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tmunet.data.io.decoded import DecodedImage, Planes
from tmunet.data.io.images import decode_image
from tmunet.data.io.palettes import Legend, gray_levels, legend, unclear
from tmunet.errors import InputError, UsageError
from tmunet.labels import IGNORE_LABEL
from tmunet.text import pluralize

FEW_VALUES = 8  # that many may be labels; more are gray
_SHOWN_VALUES = 8
UNCLEAR = (
    "Look at it, and save it as a gray PNG; or say what each value is: `tmunet import folders SOURCE --values ...`, where the "
    "values of a palette of grays are its gray levels, and those of any other its indices."
)
"""What to do about a mask whose palette can be read in two ways."""


def read_mask(path: Path, classes: Sequence[str], ignore_label: int | None = None) -> NDArray[np.uint8]:
    """Read a mask file as class labels; nothing is thresholded, rounded or guessed.

    Of a palette image the index is the label, unless all colors of the palette are gray: then its gray levels
    are the values (`tmunet.data.io.palettes` says why). Of a 1-bit image black is 0 and white is 1. An RGB image is
    taken if its channels are equal, and an alpha plane if it is opaque. The mask is turned upright by its
    orientation tag, as an image is. A TIFF with 0 = white is refused, since programs disagree about it.

    Args:
        path: a PNG, JPEG, BMP or TIFF file.
        classes: 2 to 255 class names; the index of a name is its label.
        ignore_label: 255 if the data set declares that 255 marks pixels to ignore.

    Returns:
        (H, W) labels 0 to K - 1, and 255 where ignored. Two classes without `ignore_label` may be stored as
        {0, 1}, {0, 255} or, in 16 bits, {0, 65535}; one of the two values alone is an empty or a full mask.

    Raises:
        InputError: the file cannot be read, or holds other values; the message counts the first of them.
        UsageError: `classes` or `ignore_label` does not fit.
    """
    return read_mask_and_legend(path, classes, ignore_label)[0]


def read_mask_and_legend(
    path: Path, classes: Sequence[str], ignore_label: int | None = None
) -> tuple[NDArray[np.uint8], Legend | None]:
    """As `read_mask`, with how a palette shows the labels, so that the masks of a set can be compared; None without one."""
    if not 2 <= len(classes) <= 255:
        raise UsageError(f"Expected `classes` to be 2 to 255 names, but got {len(classes)}.")
    if ignore_label not in (None, IGNORE_LABEL):
        raise UsageError(f"Expected `ignore_label` to be {IGNORE_LABEL} or None, but got {ignore_label!r}.")
    raster = decode_image(path)
    labels = to_labels(path, raster, classes, ignore_label)
    return labels, legend(raster, labels)


def to_labels(
    path: Path, raster: DecodedImage, classes: Sequence[str], ignore_label: int | None = None
) -> NDArray[np.uint8]:
    """Give a decoded file its meaning as a mask; `read_mask` says what that is.

    Raises:
        InputError: the values are not those of the classes, or its palette can be read in two ways; `path` is named.
    """
    stored = stored_values(path, raster)
    if reason := unclear(raster, classes, ignore_label):
        raise InputError(f"{path}: {reason}. {UNCLEAR}")
    counts = np.bincount(stored.ravel())
    values = np.flatnonzero(counts)
    if len(classes) == 2 and ignore_label is None:
        for foreground in (1, 255, 65535):
            if np.isin(values, (0, foreground)).all():
                return np.not_equal(stored, 0).astype(np.uint8)
    elif np.all((values < len(classes)) | (values == ignore_label)):
        return stored.astype(np.uint8)
    mend = advice(values.tolist(), classes, ignore_label)
    raise InputError(f"{path}: {_expected(classes, ignore_label)}, but found {histogram(counts)}. {mend}")


def stored_values(path: Path, raster: DecodedImage) -> Planes:
    """Give the one value of each pixel of a decoded mask, (H, W), whatever the values mean: of a palette of grays the gray level.

    Raises:
        InputError: the mask is inverted or partly transparent, or its color channels differ; `path` is named.
    """
    pixels, alpha = raster.pixels, raster.alpha
    if raster.inverted:
        raise InputError(
            f"{path}: this TIFF declares that 0 is white (MinIsWhite), and some programs write that without "
            "turning the values round, so it is unclear which pixels are foreground; save the mask as PNG."
        )
    if alpha is not None and alpha.min() < np.iinfo(alpha.dtype).max:
        raise InputError(
            f"{path}: the mask has transparent pixels, so its labels may lie in the colors or in the alpha "
            "plane; save it as a gray image without alpha."
        )
    if (pixels != pixels[:, :, :1]).any():
        different = int((pixels != pixels[:, :, :1]).any(axis=2).sum())
        raise InputError(
            f"{path}: expected one label for each pixel, but the {pixels.shape[2]} color channels differ in "
            f"{different:,} pixels; map the colors to labels yourself and save a gray or palette PNG."
        )
    levels = gray_levels(raster)
    return pixels[:, :, 0] if levels is None else levels


def _expected(classes: Sequence[str], ignore_label: int | None) -> str:
    if len(classes) == 2 and ignore_label is None:
        return f"expected a mask of {classes[0]} and {classes[1]} with the values {{0, 1}} or {{0, 255}} only"
    ignored = f" or {ignore_label} (ignore)" if ignore_label is not None else ""
    return f"expected labels 0 to {len(classes) - 1}{ignored} for the {len(classes)} classes"


def histogram(counts: NDArray[np.intp]) -> str:
    """Say which values were found, given the number of pixels of each value: ``"0 (990 pixels), 7 (34 pixels)"``."""
    values = np.flatnonzero(counts)
    shown = [f"{value} ({pluralize(int(counts[value]), 'pixel')})" for value in values[:_SHOWN_VALUES]]
    more = len(values) - len(shown)
    return ", ".join(shown) + (f" and {more} more {'values' if more > 1 else 'value'}" if more else "")


def advice(values: Sequence[int], classes: Sequence[str], ignore_label: int | None = None) -> str:
    """Say what to do about a mask with other values than those of its classes; never to threshold what may be labels.

    Args:
        values: that it holds, ascending.
        classes: that were expected.
        ignore_label: 255 if the data set declares it.
    """
    if len(classes) == 2 and len(values) > FEW_VALUES:
        return (
            "JPEG and smooth scaling make such values. Threshold the original masks where you can say at which value, often "
            "127: `tmunet import folders SOURCE --threshold 127 ...`; tmunet does not guess."
        )
    ignore = ', with "ignore_label": 255 if that is what 255 means' * (IGNORE_LABEL in values and ignore_label is None)
    several = f"name all classes in dataset.json{ignore}"
    if len(classes) == 2 and len(values) == 2:
        meant = f"{values[0]}={classes[0]},{values[1]}={classes[1]}"
        return (
            f"If they are these two classes, say so: `tmunet import folders SOURCE --values {meant} ...`. If there are more, "
            f"{several}; tmunet does not guess."
        )
    return (
        f"If they are labels of several classes, {several}, or map them: `tmunet import folders SOURCE --values ...`; "
        "tmunet does not guess."
    )
