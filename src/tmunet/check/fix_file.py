"""Fix one file: suffix, orientation, or mask values; no value that has a meaning is changed."""

import io
from collections.abc import Set
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from tmunet.check.file_rules import SUFFIXES
from tmunet.data.io.decoders import DecodedImage, StoredValues
from tmunet.data.io.images import Pixels, decode_image, image_format, to_image
from tmunet.data.io.masks import stored_values
from tmunet.data.io.palettes import gray_levels

_VALUES = frozenset({"mask-gray", "mask-values"})
REWRITTEN = _VALUES | {"orientation", "wrong-suffix"}
"""Kinds of findings that `fix_file` fixes."""


def fix_file(path: Path, kinds: Set[str], is_mask: bool) -> tuple[str, bytes | None, str]:
    """Fix the findings about a file.

    Args:
        path: the file; it is only read.
        kinds: of the findings, one or more of `REWRITTEN`.
        is_mask: whether it is a mask.

    Returns:
        The new suffix; the new content, or None if it is unchanged; and a description of the change.

    Raises:
        InputError: the file cannot be read, or is a mask of colors.
    """
    if kinds & _VALUES:
        decoded = decode_image(path)
        stored = stored_values(path, decoded)
        limit = 0 if len(np.unique(stored)) == 2 else 127
        turned = "" if decoded.orientation == 1 else f", turned upright (orientation {decoded.orientation})"
        what = f"written with the values 0 and 255 (255 where it was above {limit}){turned}"
        return ".png", _png(np.where(stored > limit, np.uint8(255), np.uint8(0))), what
    if "orientation" in kinds:
        decoded = decode_image(path)
        suffix, content = _upright_mask(path, decoded) if is_mask else _upright_image(to_image(path, decoded))
        return suffix, content, f"turned upright (orientation {decoded.orientation}) and written without loss"
    suffix = SUFFIXES[image_format(path)][0]
    return suffix, None, f"renamed to {path.stem}{suffix}, since that is what it holds"


def _upright_mask(path: Path, decoded: DecodedImage) -> tuple[str, bytes]:
    return ".png", _png(stored_values(path, decoded), None if gray_levels(decoded) is not None else decoded)


def _upright_image(image: Pixels) -> tuple[str, bytes]:
    """Encode as PNG, or as TIFF where Pillow cannot write the channels as PNG."""
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
    png = Image.fromarray(pixels)
    if palette_of is not None and palette_of.palette is not None:
        png = Image.fromarray(pixels.astype(np.uint8))
        png.putpalette(palette_of.palette.tobytes())
    buffer = io.BytesIO()
    png.save(buffer, format="PNG")
    return buffer.getvalue()
