"""Mend one file: give its content anew, with no value changed that has a meaning."""

import io
from collections.abc import Set
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from tmunet.check.contents import SUFFIXES
from tmunet.data.io.decoders import DecodedImage, StoredValues
from tmunet.data.io.images import Pixels, decode_image, image_format, to_image
from tmunet.data.io.masks import stored_values
from tmunet.data.io.palettes import gray_levels

_VALUES = frozenset({"mask-gray", "mask-values"})


def mend(path: Path, kinds: Set[str], is_mask: bool) -> tuple[str, bytes | None, str]:
    """Mend the fixable findings of a file.

    Args:
        path: the file; it is only read.
        kinds: of the fixable findings about it: one or more of "mask-gray", "mask-values", "orientation", "wrong-suffix".
        is_mask: whether it is a mask.

    Returns:
        The new suffix; the new content, or None if that stays as it is; and what was done, in words.

    Raises:
        InputError: the file cannot be read, or is a mask whose pixels are no single values.
    """
    if kinds & _VALUES:
        raster = decode_image(path)
        stored = stored_values(path, raster)
        limit = 0 if len(np.unique(stored)) == 2 else 127
        turned = "" if raster.orientation == 1 else f", turned upright (orientation {raster.orientation})"
        what = f"written with the values 0 and 255 (255 where it was above {limit}){turned}"
        return ".png", _png(np.where(stored > limit, np.uint8(255), np.uint8(0))), what
    if "orientation" in kinds:
        raster = decode_image(path)
        suffix, content = _upright_mask(path, raster) if is_mask else _upright_image(to_image(path, raster))
        return suffix, content, f"turned upright (orientation {raster.orientation}) and written without loss"
    suffix = SUFFIXES[image_format(path)][0]
    return suffix, None, f"renamed to {path.stem}{suffix}, since that is what it holds"


def _upright_mask(path: Path, raster: DecodedImage) -> tuple[str, bytes]:
    return ".png", _png(stored_values(path, raster), None if gray_levels(raster) is not None else raster)


def _upright_image(image: Pixels) -> tuple[str, bytes]:
    """As PNG, or as TIFF where PNG (as Pillow writes it) has no room for the channels."""
    channels = image.shape[2]
    if channels == 1 or (channels == 3 and image.dtype == np.uint8):
        return ".png", _png(image[:, :, 0] if channels == 1 else image)
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        image,
        photometric="rgb" if channels == 3 else "minisblack",
        planarconfig="contig",
        compression="zlib",
        metadata=None,
    )
    return ".tif", buffer.getvalue()


def _png(pixels: StoredValues, palette_of: DecodedImage | None = None) -> bytes:
    picture = Image.fromarray(pixels)
    if palette_of is not None and palette_of.palette is not None:
        picture = Image.fromarray(pixels.astype(np.uint8))
        picture.putpalette(palette_of.palette.tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
