"""What a decoded mask holds, in a few numbers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from tmunet.check.tiny_components import Specks, find_specks
from tmunet.data.cases import DatasetInfo
from tmunet.data.fingerprint import pixels_sha256
from tmunet.data.io.decoders import DecodedImage
from tmunet.data.io.images import Pixels, to_image
from tmunet.data.io.masks import class_fractions, histogram, stored_values, to_labels
from tmunet.data.io.palettes import Legend, find_ambiguity, legend
from tmunet.errors import InputError
from tmunet.labels import IGNORE_LABEL

_KEPT_VALUES = 256
_SHOWN_COLORS = 6

Refusal = Literal["inverted", "transparent", "colors", "palette", "values"]
"""Why `tmunet.data.io.masks.read_mask` does not take a mask that could be decoded."""


@dataclass(frozen=True)
class MaskFacts:
    """A decoded mask.

    Attributes:
        refusal: why it cannot be read as labels, or None.
        found: the values or colors with their numbers of pixels, or what is unclear of the palette, in words.
        values: what is stored, the first 256 of them.
        shares: share of each class but the background in the pixels that count; empty if none counts, None if the classes are
            not known.
        ignored: whether no pixel counts.
        sha256: of the labels; None if there are none.
        specks: if there are any.
        is_image: whether it holds the very pixels of its image.
        legend: how a palette shows its labels; None if there is none or the labels are not known.
    """

    refusal: Refusal | None
    found: str
    values: tuple[int, ...] = ()
    shares: dict[str, float] | None = None
    ignored: bool = False
    sha256: str | None = None
    specks: Specks | None = None
    is_image: bool = False
    legend: Legend | None = None


def mask_facts(path: Path, raster: DecodedImage, info: DatasetInfo | None, image: Pixels | None) -> MaskFacts:
    """Look at a decoded mask.

    Args:
        path: of the mask, for what is raised inside.
        raster: the mask.
        info: the classes; None if they are not known, and then labels are not judged.
        image: (H, W, C), the image of the case, if it could be decoded.
    """
    is_image = image is not None and _shows(path, raster, image)
    try:
        stored = stored_values(path, raster)
    except InputError:
        return MaskFacts(_refusal_of_planes(raster), _colors(raster), is_image=is_image)
    counts = np.bincount(stored.ravel())
    found, values = histogram(counts), tuple(np.flatnonzero(counts)[:_KEPT_VALUES].tolist())
    if info is None:
        return MaskFacts(None, found, values, is_image=is_image)
    if reason := find_ambiguity(raster, info.classes, info.ignore_label):
        return MaskFacts("palette", reason, values, is_image=is_image)
    try:
        labels = to_labels(path, raster, info.classes, info.ignore_label)
    except InputError:
        return MaskFacts("values", found, values, is_image=is_image)
    shares = class_fractions(labels, info.classes)
    present = tuple(label for label, share in enumerate(shares.values(), 1) if share)
    return MaskFacts(
        None,
        found,
        values,
        shares,
        ignored=info.ignore_label is not None and bool((labels == IGNORE_LABEL).all()),
        sha256=pixels_sha256(labels),
        specks=find_specks(labels, present),
        is_image=is_image,
        legend=legend(raster, labels),
    )


def _shows(path: Path, raster: DecodedImage, image: Pixels) -> bool:
    """Whether a mask holds the very pixels of its image, which are not all the same."""
    try:
        mask = to_image(path, raster)
    except InputError:  # its palette lacks colors
        return False
    if mask.shape[:2] != image.shape[:2] or not (
        mask.shape[2] == image.shape[2] or 1 in (mask.shape[2], image.shape[2])
    ):
        return False
    few = mask[::16, ::16] == image[::16, ::16]
    return bool(few.all() and (mask == image).all() and (image != image[0, 0]).any())


def _refusal_of_planes(raster: DecodedImage) -> Refusal:
    if raster.inverted:
        return "inverted"
    return "colors" if (raster.pixels != raster.pixels[:, :, :1]).any() else "transparent"


def _colors(raster: DecodedImage) -> str:
    """The most frequent colors, by their first three channels: ``"(255, 0, 0): 123 pixels"``."""
    planes = raster.pixels[:, :, :3].astype(np.int64)
    codes, counts = np.unique(planes @ (65536 ** np.arange(planes.shape[2])[::-1]), return_counts=True)
    shown = [
        f"{tuple(int(code) >> shift & 65535 for shift in range(16 * (planes.shape[2] - 1), -1, -16))}: {count:,} pixels"
        for code, count in sorted(zip(codes, counts, strict=True), key=lambda pair: -pair[1])[:_SHOWN_COLORS]
    ]
    more = len(codes) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")
