"""Masks as files: what a viewer shows and `read_mask` reads back."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tmunet.files import write_bytes
from tmunet.visualize import color

SOURCE = "source_sha256"


def write_mask(path: Path, mask: NDArray[np.uint8], classes: Sequence[str], source_sha256: str | None = None) -> None:
    """Write labels (H, W) as PNG: two classes as 0 and 255, more as a palette whose index is the label.

    Args:
        path: the file.
        mask: labels 0..K-1.
        classes: names of the labels.
        source_sha256: hash of the image file, kept in the PNG, so that `source_of` finds it again.
    """
    if len(classes) == 2:
        picture = Image.fromarray((mask * 255).astype(np.uint8))
    else:
        picture = Image.fromarray(mask, mode="P")
        picture.putpalette([value for label in range(256) for value in color(label)])
    write_picture(path, picture, {} if source_sha256 is None else {SOURCE: source_sha256})


def source_of(path: Path) -> str | None:
    """The hash that `write_mask` kept in a mask; None if there is no such file or no such hash in it."""
    try:
        with Image.open(path) as picture:
            return picture.info.get(SOURCE)
    except OSError:
        return None


def write_picture(path: Path, picture: Image.Image, notes: Mapping[str, str] | None = None) -> None:
    """Write a PNG file atomically, with notes as its text."""
    text = PngInfo()
    for key, value in (notes or {}).items():
        text.add_text(key, value)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True, pnginfo=text)
    write_bytes(path, buffer.getvalue())
