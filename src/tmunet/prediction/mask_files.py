"""Write masks and overlays as PNG files, and probabilities as NumPy archives."""

import io
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo
from scipy import ndimage

from tmunet.files import write_bytes
from tmunet.prediction.confidence import Confidence
from tmunet.visualize import color, to_rgb8

SOURCE, CONFIDENCE = "source_sha256", "confidence"
FLAGGED = (255, 80, 0)  # orange, the border of a flagged overlay


def write_mask(
    path: Path,
    mask: NDArray[np.uint8],
    classes: Sequence[str],
    source_sha256: str | None = None,
    confidence: Mapping[str, Any] | None = None,
) -> None:
    """Write labels (H, W) as PNG: two classes as 0 and 255, more as a palette whose index is the label.

    Args:
        path: the file.
        mask: labels 0..K-1.
        classes: names of the labels.
        source_sha256: hash of the image file, saved in the PNG for `source_of`.
        confidence: `Confidence.to_dict()`, saved in the PNG for `confidence_in`.
    """
    write_bytes(path, encode_mask(mask, classes, source_sha256, confidence))


def encode_mask(
    mask: NDArray[np.uint8],
    classes: Sequence[str],
    source_sha256: str | None = None,
    confidence: Mapping[str, Any] | None = None,
) -> bytes:
    """Encode labels (H, W) as the PNG file that `write_mask` writes."""
    if len(classes) == 2:
        picture = Image.fromarray((mask * 255).astype(np.uint8))
    else:
        picture = Image.fromarray(mask, mode="P")
        picture.putpalette([value for label in range(256) for value in color(label)])
    text = {} if source_sha256 is None else {SOURCE: source_sha256}
    return _encode_png(picture, text if confidence is None else {**text, CONFIDENCE: json.dumps(confidence)})


def source_of(path: Path) -> str | None:
    """Read the hash of the image from a mask file; None without a file or a hash in it."""
    try:
        with Image.open(path) as picture:
            return picture.info.get(SOURCE)
    except OSError:
        return None


def confidence_in(path: Path) -> dict[str, Any]:
    """Read the confidence from a mask file; empty without one in it, as in masks of tmunet 0.1.0."""
    try:
        with Image.open(path) as picture:
            found = json.loads(picture.info.get(CONFIDENCE, "{}"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def overlay(image: NDArray[Any], mask: NDArray[np.uint8], confidence: Confidence | None = None) -> NDArray[np.uint8]:
    """Draw the outline of every label (H, W) in its color into an image (H, W, C): RGB (H, W, 3).

    A mask with flags gets a border, and the reasons for its review in words.
    """
    picture = to_rgb8(image).copy()
    width = max(1, round(min(mask.shape) / 300))  # pixels: visible in a large image, thin in a small one
    for label in np.unique(mask[mask > 0]):
        region = mask == label
        picture[region & ~ndimage.binary_erosion(region, iterations=width)] = color(int(label))
    return picture if confidence is None or not confidence.flags else _draw_flags(picture, confidence)


def write_overlay(
    path: Path, image: NDArray[Any], mask: NDArray[np.uint8], confidence: Confidence | None = None
) -> None:
    """Write the overlay of an image and its mask as PNG."""
    write_bytes(path, _encode_png(Image.fromarray(overlay(image, mask, confidence)), {}))


def _draw_flags(pixels: NDArray[np.uint8], confidence: Confidence) -> NDArray[np.uint8]:
    picture = Image.fromarray(pixels)
    draw, side = ImageDraw.Draw(picture), min(picture.size)
    draw.rectangle((0, 0, picture.width - 1, picture.height - 1), outline=FLAGGED, width=max(2, side // 64))
    expected = "" if confidence.expected_dice is None else f"expected Dice {confidence.expected_dice:.2f}\n"
    words, font = expected + "\n".join(confidence.flags), ImageFont.load_default(max(10, side // 20))
    place = (max(4, side // 32),) * 2
    draw.rectangle(draw.multiline_textbbox(place, words, font=font), fill=(0, 0, 0))
    draw.multiline_text(place, words, fill=FLAGGED, font=font)
    return np.array(picture)


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
