"""Read label masks: exact values or an error, never a threshold."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tmunet.data.io.decoders import AnyValues, DecodedImage, StoredValues
from tmunet.data.io.images import decode_image
from tmunet.data.io.mask_values import Counts, advice
from tmunet.data.io.palettes import Legend, find_ambiguity, gray_levels, legend
from tmunet.errors import InputError, UsageError
from tmunet.labels import IGNORE_LABEL
from tmunet.text import pluralize

_SHOWN_VALUES = 8
AMBIGUOUS_HINT = (
    "Look at it, and save it as a gray PNG; or say what each value is: `tmunet import folders SOURCE --values ...`, where the "
    "values of a palette of grays are its gray levels, and those of any other its indices."
)
"""Hint for a mask with an ambiguous palette."""


class MaskValueError(InputError):
    """A mask with other values than the labels of its classes.

    Attributes:
        counts: number of pixels of each value.
    """

    code = "mask-values"

    def __init__(self, path: Path, counts: Counts, classes: Sequence[str], ignore_label: int | None) -> None:
        self.counts = counts
        self._arguments = (path, counts, classes, ignore_label)
        expected, hint = expected_values(classes, ignore_label), advice(counts, classes, ignore_label)
        super().__init__(f"{path}: expected {expected}, but found {histogram(counts)}. {hint}", path=path)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._arguments


def read_mask(path: Path, classes: Sequence[str], ignore_label: int | None = None) -> NDArray[np.uint8]:
    """Read a mask file as class labels; nothing is thresholded or rounded.

    Of a palette image the index is the label, unless all colors of the palette are gray: then its gray levels
    are the values (`tmunet.data.io.palettes` says why). Of a 1-bit image black is 0 and white is 1. An RGB image is
    taken if its channels are equal, and an alpha plane if it is opaque. The mask is turned upright by its
    orientation tag, as an image is. A TIFF with 0 = white is refused, since programs disagree about it.

    Args:
        path: a PNG, JPEG, BMP, TIFF, GIF or PPM file, or a DICOM segmentation.
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
    """Read a mask as `read_mask` does, with the legend of its palette, or None without a palette."""
    if not 2 <= len(classes) <= 255:
        raise UsageError(f"Expected `classes` to be 2 to 255 names, but got {len(classes)}.", code="value")
    if ignore_label not in (None, IGNORE_LABEL):
        raise UsageError(
            f"Expected `ignore_label` to be {IGNORE_LABEL} or None, but got {ignore_label!r}.", code="value"
        )
    decoded = decode_image(path)
    labels = to_labels(path, decoded, classes, ignore_label)
    return labels, legend(decoded, labels)


def to_labels(
    path: Path, decoded: DecodedImage, classes: Sequence[str], ignore_label: int | None = None
) -> NDArray[np.uint8]:
    """Convert a decoded file to labels, as `read_mask` does.

    Raises:
        InputError: the values are not those of the classes, or its palette is ambiguous; `path` is named.
    """
    stored = stored_values(path, decoded)
    if reason := find_ambiguity(decoded, classes, ignore_label):
        raise InputError(f"{path}: {reason}. {AMBIGUOUS_HINT}", code="ambiguous", path=path)
    counts = np.bincount(stored.ravel())
    values = np.flatnonzero(counts)
    if len(classes) == 2 and ignore_label is None:
        for foreground in (1, 255, 65535):
            if np.isin(values, (0, foreground)).all():
                return np.not_equal(stored, 0).astype(np.uint8)
    elif np.all((values < len(classes)) | (values == ignore_label)):
        return stored.astype(np.uint8)
    raise MaskValueError(path, counts, classes, ignore_label)


def stored_values(path: Path, decoded: DecodedImage) -> StoredValues:
    """Return the stored value of each pixel of a decoded mask, (H, W); of a palette of grays the gray level.

    Raises:
        InputError: the mask is inverted or partly transparent, or its color channels differ; `path` is named.
    """
    pixels, alpha = decoded.pixels, decoded.alpha
    if decoded.inverted:
        raise InputError(
            f"{path}: this TIFF declares that 0 is white (MinIsWhite), and some programs write that without "
            "turning the values round, so it is unclear which pixels are foreground; save the mask as PNG.",
            code="inverted",
            path=path,
        )
    if alpha is not None and alpha.min() < np.iinfo(alpha.dtype).max:
        raise InputError(
            f"{path}: the mask has transparent pixels, so its labels may be in the colors or in the alpha "
            "plane; save it as a gray image without alpha.",
            code="transparent",
            path=path,
        )
    if pixels.shape[2] > 1 and (pixels != pixels[:, :, :1]).any():
        different = int((pixels != pixels[:, :, :1]).any(axis=2).sum())
        raise InputError(
            f"{path}: expected one label for each pixel, but the {pixels.shape[2]} color channels differ in "
            f"{different:,} pixels; map the colors to labels yourself and save a gray or palette PNG.",
            code="colors",
            path=path,
        )
    levels = gray_levels(decoded)
    return _whole_numbers(path, pixels[:, :, 0]) if levels is None else levels


def _whole_numbers(path: Path, values: AnyValues) -> StoredValues:
    """Labels that were saved as signed, 32-bit or floating-point numbers, without any change of a value."""
    if values.dtype in (np.bool_, np.uint8, np.uint16):
        return values  # type: ignore[return-value]
    if values.dtype == np.float16:
        values = values.astype(np.float32)  # in which 65535 is a number
    whole = np.isfinite(values) & (np.rint(values) == values)
    if whole.all() and values.min() >= 0 and values.max() <= 65535:
        return values.astype(np.uint16)
    wrong = values[~(whole & (values >= 0) & (values <= 65535))]
    raise InputError(
        f"{path}: expected labels, whole numbers from 0 to 65535, but {pluralize(wrong.size, 'pixel')} of this mask of "
        f"{values.dtype} are none, such as {wrong.flat[0]}; save the labels unchanged as 8-bit PNG.",
        code="mask-values",
        path=path,
    )


def expected_values(classes: Sequence[str], ignore_label: int | None) -> str:
    """Describe the values that a mask of these classes may hold."""
    if len(classes) == 2 and ignore_label is None:
        return f"a mask of {classes[0]} and {classes[1]} with the values {{0, 1}} or {{0, 255}} only"
    ignored = f" or {ignore_label} (ignore)" if ignore_label is not None else ""
    return f"labels 0 to {len(classes) - 1}{ignored} for the {len(classes)} classes"


def histogram(counts: NDArray[np.intp]) -> str:
    """Describe the values of a mask by their pixel counts: ``"0 (990 pixels), 7 (34 pixels)"``."""
    values = np.flatnonzero(counts)
    shown = [f"{value} ({pluralize(int(counts[value]), 'pixel')})" for value in values[:_SHOWN_VALUES]]
    more = len(values) - len(shown)
    return ", ".join(shown) + (f" and {more} more {'values' if more > 1 else 'value'}" if more else "")


def class_fractions(mask: NDArray[np.uint8], classes: Sequence[str]) -> dict[str, float]:
    """Compute the fraction of each class but the background in the pixels of a mask (H, W) that are not ignored.

    Empty where every pixel is ignored.

    >>> class_fractions(np.array([[0, 1, 1, 255]], np.uint8), ("background", "polyp"))
    {'polyp': 0.6666666666666666}
    """
    counts = np.bincount(mask.ravel(), minlength=IGNORE_LABEL + 1)[: len(classes)]
    total = int(counts.sum())
    return {name: int(counts[label]) / total for label, name in enumerate(classes) if label > 0 and total}
