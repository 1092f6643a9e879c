"""Masks of two classes, drawn from gray files by a stated threshold."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from tmunet.data.cases import natural_key
from tmunet.data.io.decoders import DecodedImage
from tmunet.data.io.images import decode_image, read_image
from tmunet.datasets._build.import_plan import Draw, Labels, PlannedCase
from tmunet.datasets._build.pairing import Files
from tmunet.datasets._build.source import Source
from tmunet.errors import InputError
from tmunet.text import pluralize

_LUMA = np.array([299, 587, 114], np.uint32)  # thousandths of ITU-R BT.601


def union_above(source: Source, masks: Sequence[PurePosixPath], threshold: int = 127) -> Draw:
    """Mark every pixel that any of the mask files marks.

    Args:
        source: where the files are.
        masks: keys of gray or RGB images of 8 bits or 1 bit; none of them gives an empty mask. Of RGB the luma counts.
        threshold: a pixel is marked if its value is greater; 0 to 254.

    Returns:
        A function from (H, W) to labels (H, W), 0 and 1. It raises `InputError` if a file cannot be read, has another
        size or more than 8 bits, is partly transparent, declares that 0 is white, or stores 0 and 1 instead of gray
        values, of which the threshold would leave nothing.
    """

    def draw(size: tuple[int, int]) -> Labels:
        marked = np.zeros(size, np.bool_)
        for key in masks:
            marked |= _gray(source.files[key], size) > threshold
        return marked.astype(np.uint8)

    return draw


def binary_cases(
    source: Source, images: Files, masks: Files, groups: Mapping[str, str] = MappingProxyType({})
) -> tuple[PlannedCase, ...]:
    """Plan a case for each image, in natural order, whose mask is what lies above 127 in its one mask file.

    Args:
        source: where the files are.
        images: by name of the case.
        masks: by name of the case.
        groups: by name of the case, where they are known.
    """
    return tuple(
        PlannedCase(name, images[name], (masks[name],), union_above(source, [masks[name]]), groups.get(name))
        for name in sorted(images, key=natural_key)
    )


def _gray(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    raster = decode_image(path)
    if raster.pixels.shape[:2] != size:
        raise InputError(
            f"{path}: expected the mask to have the {size[1]} x {size[0]} pixels (width x height) of its image, but it "
            f"has {raster.pixels.shape[1]} x {raster.pixels.shape[0]}; download the file again, or leave out the case."
        )
    if unclear := _unclear(raster):
        raise InputError(
            f"{path}: expected a gray mask of 8 bits, but {unclear}; save it as a gray PNG, or download it again."
        )
    stored = read_image(path) if raster.palette is not None else raster.pixels
    if stored.dtype == np.bool_:
        return stored[:, :, 0].astype(np.uint8) * np.uint8(255)
    gray = stored[:, :, 0] if stored.shape[2] == 1 else (stored @ _LUMA + 500) // 1000
    if gray.max() == 1:
        raise InputError(
            f"{path}: expected gray values from 0 to 255, but it holds 0 and 1 only, as if somebody had turned the mask "
            "into labels; take the original file, or import the two folders as plain folders."
        )
    return gray.astype(np.uint8)


def _unclear(raster: DecodedImage) -> str:
    """Say why it is not clear which pixels of a mask are bright; nothing if it is."""
    if raster.inverted:
        return "it declares that 0 is white (MinIsWhite), about which programs disagree"
    if raster.alpha is not None and raster.alpha.min() < np.iinfo(raster.alpha.dtype).max:
        return "it has transparent pixels"
    if raster.pixels.dtype == np.uint16:
        return "it has 16 bits"
    if raster.pixels.shape[2] not in (1, 3):
        return f"it has {pluralize(raster.pixels.shape[2], 'channel')}"
    return ""
