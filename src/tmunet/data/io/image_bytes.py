"""Read an image from memory, such as the body of a request: by the same decoders as a file, and never by way of the disk."""

import io
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

from tmunet.data.io.decoders import declared_size
from tmunet.data.io.images import Pixels, decode_image, image_format, to_image
from tmunet.errors import InputError
from tmunet.file_limits import MAX_PIXELS


@dataclass(frozen=True)
class _FileInMemory(os.PathLike[str]):
    """What the decoders use of a path: they open it, and name it in their errors."""

    data: bytes

    def open(self, mode: Literal["rb"]) -> IO[bytes]:
        assert mode == "rb"
        return io.BytesIO(self.data)

    def __fspath__(self) -> str:
        return "image"

    def __str__(self) -> str:
        return "image"


def read_image_bytes(data: bytes, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Read a PNG, JPEG, BMP, TIFF, GIF or PPM image from the bytes of its file, as `read_image` does from a file.

    Args:
        data: content of the file.
        max_pixels: most pixels (of up to four channels) that its header may declare; more are refused before decoding.

    Returns:
        (H, W, C) values as stored, 8 or 16 bits.

    Raises:
        InputError: as for `read_image`; the code is "too-large" for too many pixels, and "format" for another format.
    """
    path = cast(Path, _FileInMemory(data))  # the decoders call `open` and `str` only
    kind = image_format(path)
    if kind == "DICOM":  # whose reader takes files
        raise InputError(f"Expected a PNG, JPEG, BMP, TIFF, GIF or PPM image, but got {kind}.", code="format")
    width = height = channels = 0
    with suppress(Exception):  # of a damaged header; `decode_image` raises it again, in words
        width, height, channels = map(int, declared_size(path, kind))  # a damaged TIFF may have several of each
    if width * height * max(channels, 4) > 4 * max_pixels:
        raise InputError(
            f"Expected an image of at most {max_pixels:,} pixels (of up to 4 channels), but its header declares "
            f"{width:,} x {height:,} of {channels}; cut it into tiles or scale it down first.",
            code="too-large",
        )
    return to_image(path, decode_image(path))
