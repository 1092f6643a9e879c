"""Write masks and overlays as PNG files, and probabilities as NumPy archives."""

import io
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from scipy import ndimage

from tmunet.files import write_bytes
from tmunet.visualize import color, to_rgb8

SOURCE = "source_sha256"


def write_mask(path: Path, mask: NDArray[np.uint8], classes: Sequence[str], source_sha256: str | None = None) -> None:
    """Write labels (H, W) as PNG: two classes as 0 and 255, more as a palette whose index is the label.

    Args:
        path: the file.
        mask: labels 0..K-1.
        classes: names of the labels.
        source_sha256: hash of the image file, saved in the PNG for `source_of`.
    """
    write_bytes(path, encode_mask(mask, classes, source_sha256))


def encode_mask(mask: NDArray[np.uint8], classes: Sequence[str], source_sha256: str | None = None) -> bytes:
    """Encode labels (H, W) as the PNG file that `write_mask` writes."""
    if len(classes) == 2:
        picture = Image.fromarray((mask * 255).astype(np.uint8))
    else:
        picture = Image.fromarray(mask, mode="P")
        picture.putpalette([value for label in range(256) for value in color(label)])
    return _encode_png(picture, {} if source_sha256 is None else {SOURCE: source_sha256})


def source_of(path: Path) -> str | None:
    """Read the hash of the image from a mask file; None without a file or a hash in it."""
    try:
        with Image.open(path) as picture:
            return picture.info.get(SOURCE)
    except OSError:
        return None


def overlay(image: NDArray[Any], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw the outline of every label (H, W) in its color into an image (H, W, C): RGB (H, W, 3)."""
    picture = to_rgb8(image).copy()
    width = max(1, round(min(mask.shape) / 300))  # pixels: visible in a large image, thin in a small one
    for label in np.unique(mask[mask > 0]):
        region = mask == label
        picture[region & ~ndimage.binary_erosion(region, iterations=width)] = color(int(label))
    return picture


def write_overlay(path: Path, image: NDArray[Any], mask: NDArray[np.uint8]) -> None:
    """Write the overlay of an image and its mask as PNG."""
    write_bytes(path, _encode_png(Image.fromarray(overlay(image, mask)), {}))


def write_probabilities(path: Path, probability: NDArray[np.float32], classes: Sequence[str]) -> None:
    """Write probabilities (K, H, W) as a compressed NumPy archive: "probabilities", as nnU-Net names it, and "classes"."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, probabilities=probability, classes=np.array(classes))
    write_bytes(path, buffer.getvalue())


def _encode_png(picture: Image.Image, text: Mapping[str, str]) -> bytes:
    chunks = PngInfo()
    for key, value in text.items():
        chunks.add_text(key, value)
    buffer = io.BytesIO()
    # a tenth of the time of `optimize`, in hardly more bytes (benchmarks/commands.md)
    picture.save(buffer, format="PNG", compress_type=zlib.Z_RLE, pnginfo=chunks)
    return buffer.getvalue()
