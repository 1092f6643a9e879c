"""Read PNG, JPEG, BMP, TIFF, GIF and PPM images into arrays: format by content, upright, values unchanged."""

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tmunet.data.io.decoders import AnyValues, DecodedImage, decode_tiff, decode_with_pillow
from tmunet.data.io.dicom import dicom_reader, has_preamble
from tmunet.errors import InputError
from tmunet.text import pluralize

__all__ = [
    "IMAGE_SUFFIXES",
    "ImageFormat",
    "Pixels",
    "check_range",
    "decode_image",
    "image_format",
    "read_image",
    "to_channels",
    "to_image",
]

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".pbm", ".dcm"})
"""Suffixes, in lower case, by which image files are found in a folder; compare with ``suffix.lower()``."""

Pixels = NDArray[np.uint8 | np.uint16]

ImageFormat = Literal["PNG", "JPEG", "BMP", "TIFF", "GIF", "PPM", "DICOM"]

_FIRST_BYTES: dict[bytes, ImageFormat] = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",  # BigTIFF
    b"MM\0+": "TIFF",
    b"GIF8": "GIF",
    **{f"P{kind}{space}".encode(): "PPM" for kind in range(1, 7) for space in "\n\r\t "},
}


def read_image(path: Path) -> Pixels:
    """Read a PNG, JPEG, BMP, TIFF, GIF or PPM image; the content decides the format, not the suffix.

    The image is turned upright by its orientation tag. 1-bit images become 0 and 255. A palette becomes RGB,
    or gray if all its colors are gray. CMYK becomes RGB. An alpha plane is left out, without blending.

    Args:
        path: the file; a TIFF must hold one page.

    Returns:
        (H, W, C) values as stored, 8 or 16 bits; C is 1 for gray, 3 for RGB, or the channels of the TIFF. Signed, 32-bit and
        floating-point numbers of a TIFF are stretched to 16 bits, from the least to the greatest (int16: 32768 is added); only
        normalization by image gives them a meaning, see `check_range`.

    Raises:
        InputError: the file is missing, damaged, of another format, of more than `MAX_PIXELS` pixels, of several pages,
            or of odd-bit, complex, infinite or NaN values.
    """
    return to_image(path, decode_image(path))


def to_image(path: Path, decoded: DecodedImage) -> Pixels:
    """Convert a decoded file to an image, as `read_image` does.

    Raises:
        InputError: the palette lacks a color, or a value is infinite or NaN.
    """
    if decoded.palette is not None:
        return _colored(path, decoded.pixels, decoded.palette)
    if decoded.pixels.dtype == np.bool_:
        return decoded.pixels.astype(np.uint8) * np.uint8(255)
    if not decoded.has_known_range:
        return _stretched(path, decoded.pixels)
    return decoded.pixels  # type: ignore[return-value]  # the others are ruled out above


def _stretched(path: Path, values: AnyValues) -> NDArray[np.uint16]:
    """Map numbers without known range to 16 bits; signed ones of 16 bits keep their differences exactly."""
    if values.dtype == np.int16:
        return (values.astype(np.int32) + 32768).astype(np.uint16)
    if not np.isfinite(values).all():
        count = int((~np.isfinite(values)).sum())
        raise InputError(
            f"{path}: {pluralize(count, 'value')} of its pixels are infinite or not a number (NaN); replace them and save the "
            "image anew.",
            code="not-finite",
            path=path,
        )
    low, high = float(values.min()), float(values.max())
    scale = 65535 / (high - low) if high > low else 0.0
    return np.rint((values.astype(np.float64) - low) * scale).astype(np.uint16)


def check_range(path: object, known: bool, normalize: str) -> None:
    """Refuse an image of numbers without known range for a network that needs one.

    Args:
        path: of the image, for the message.
        known: `DecodedImage.has_known_range`.
        normalize: "image" fits every range, since it subtracts the mean of the image and divides by its standard deviation.

    Raises:
        InputError: code "number-range".
    """
    if not known and normalize != "image":
        raise InputError(
            f"{path}: holds signed, 32-bit or floating-point numbers, so it is unknown which are black and white; train with "
            "--preprocess.normalize image, which needs no range, or scale the values of all images by one rule and save them as "
            "16-bit PNG.",
            code="number-range",
        )


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
        f"and RGB are turned into each other. Train with --preprocess.channels {found}"
        + (" --preprocess.normalize image" if found not in (1, 3) else "")
        + ", or choose channels and save them.",
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
        f"{path}: expected a PNG, JPEG, BMP, TIFF, GIF, PPM or DICOM image, but the file begins with {start[:8]!r}; "
        "convert it to one of these formats.",
        code="format",
        path=path,
    )
