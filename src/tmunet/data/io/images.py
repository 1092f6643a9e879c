"""Read PNG, JPEG, BMP and TIFF images into arrays: format by content, upright, values unchanged."""

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tmunet.data.io.decoders import MAX_PIXELS, DecodedImage, decode_tiff, decode_with_pillow
from tmunet.data.io.dicom import dicom_reader, has_preamble
from tmunet.errors import InputError
from tmunet.text import pluralize

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "ImageFormat",
    "Pixels",
    "decode_image",
    "image_format",
    "read_image",
    "to_channels",
    "to_image",
]

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".dcm"})
"""Suffixes, in lower case, by which image files are found in a folder; compare with ``suffix.lower()``."""

Pixels = NDArray[np.uint8 | np.uint16]

ImageFormat = Literal["PNG", "JPEG", "BMP", "TIFF", "DICOM"]

_FIRST_BYTES: dict[bytes, ImageFormat] = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",  # BigTIFF
    b"MM\0+": "TIFF",
}


def read_image(path: Path) -> Pixels:
    """Read a PNG, JPEG, BMP or TIFF image; the content decides the format, not the suffix.

    The image is turned upright by its orientation tag. 1-bit images become 0 and 255. A palette becomes RGB,
    or gray if all its colors are gray. CMYK becomes RGB. An alpha plane is left out, without blending.

    Args:
        path: the file; a TIFF must hold one page.

    Returns:
        (H, W, C) values as stored, 8 or 16 bits; C is 1 for gray, 3 for RGB, or the channels of the TIFF.

    Raises:
        InputError: the file is missing, damaged, of another format, of more than `MAX_PIXELS` pixels, of several pages, or
            of float, signed or odd-bit values.
    """
    return to_image(path, decode_image(path))


def to_image(path: Path, decoded: DecodedImage) -> Pixels:
    """Convert a decoded file to an image, as `read_image` does; raises an `InputError` if the palette lacks a color."""
    if decoded.palette is not None:
        return _colored(path, decoded.pixels, decoded.palette)
    if decoded.pixels.dtype == np.bool_:
        return decoded.pixels.astype(np.uint8) * np.uint8(255)
    return decoded.pixels  # type: ignore[return-value]  # bool is ruled out above


def _colored(path: Path, indices: NDArray[np.generic], palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    index = indices[:, :, 0].astype(np.intp)
    if index.max() >= len(palette):
        raise InputError(
            f"{path}: the palette has {len(palette)} colors, but a pixel asks for number {index.max()}; "
            "the file is damaged: save it anew.",
            code="palette",
            path=path,
        )
    gray = bool((palette == palette[:, :1]).all())
    return palette[:, :1][index] if gray else palette[index]


def to_channels(image: Pixels, channels: int) -> Pixels:
    """Convert an image between gray and RGB.

    Args:
        image: (H, W, C) values.
        channels: 1 or 3, or C to leave the image as it is.

    Returns:
        (H, W, channels) of the same dtype. Gray is repeated into RGB; RGB becomes the luma of ITU-R BT.601,
        ``Y = 0.299 R + 0.587 G + 0.114 B``, rounded.

    Raises:
        InputError: another change of the number of channels; its meaning is not known.

    >>> to_channels(np.array([[[255, 0, 0]]], np.uint8), 1).tolist()
    [[[76]]]
    """
    if image.ndim != 3:
        raise InputError(f"Expected `image` to have the shape (H, W, C), but got {image.shape}.", code="shape")
    found = image.shape[2]
    if found == channels:
        return image
    if (found, channels) == (1, 3):
        return np.repeat(image, 3, axis=2)
    if (found, channels) == (3, 1):
        thousandfold = image.astype(np.uint32) @ np.array([[299], [587], [114]], np.uint32)
        luma: Pixels = ((thousandfold + 500) // 1000).astype(image.dtype)
        return luma
    raise InputError(
        f"Expected an image of {pluralize(channels, 'channel')}, but got {found}: only gray "
        "and RGB are turned into each other. Choose the channels yourself and save them.",
        code="channels",
    )


def decode_image(path: Path) -> DecodedImage:
    """Decode an image file into stored values; raises an `InputError` as `read_image` does, and no other exception."""
    kind = image_format(path)
    if kind == "DICOM":
        decoded: DecodedImage = dicom_reader().decode_dicom(path)
        return decoded
    try:
        return decode_tiff(path) if kind == "TIFF" else decode_with_pillow(path, kind)
    except InputError:
        raise
    except Exception as error:  # decoders raise whatever a damaged file leads them to
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(
            f"{path}: cannot be decoded as {kind} ({reason}). The file is cut short or damaged: copy it "
            "again from its source, or open it in an image program and save it anew.",
            code="damaged",
            path=path,
        ) from error


def image_format(path: Path) -> ImageFormat:
    """Detect the format of a file by its first bytes; raises an `InputError` if it is none of the formats."""
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be opened: {error.strerror}. Check the path and its permissions.",
            code="unreadable",
            path=path,
        ) from error
    if not start:
        raise InputError(
            f"{path}: the file is empty (0 bytes); copy it again from its source.", code="empty", path=path
        )
    if has_preamble(start):
        return "DICOM"
    for magic, kind in _FIRST_BYTES.items():
        if start.startswith(magic):
            return kind
    raise InputError(
        f"{path}: expected a PNG, JPEG, BMP or TIFF image, but the file begins with {start[:8]!r}; "
        "convert it to one of these formats.",
        code="format",
        path=path,
    )
