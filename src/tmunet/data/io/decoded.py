"""A decoded picture as its file stores it, before anybody calls it an image or a mask."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tmunet.errors import InputError

MAX_PIXELS = 400_000_000
"""The largest picture that is decoded: pixels, of up to four channels. It is refused from its header."""

Planes = NDArray[np.bool_ | np.uint8 | np.uint16]
"""Stored values: ``bool`` for 1 bit, ``uint8`` for 8 bits, ``uint16`` for 16 bits."""

_Value = TypeVar("_Value", bound=np.generic)


@dataclass(frozen=True)
class DecodedImage:
    """Stored values of a picture, upright.

    Attributes:
        pixels: (H, W, C) values without the alpha plane; (H, W, 1) indices if there is a palette.
        palette: (N, 3) RGB color of each index, or None if the values are not indices.
        alpha: (H, W) opacity, or None.
        inverted: the file stores 0 for white; `pixels` have 0 for black.
        orientation: the tag by which they were turned, 2 to 8; 1 if the file stores them upright.
    """

    pixels: Planes
    palette: NDArray[np.uint8] | None = None
    alpha: NDArray[np.uint8 | np.uint16] | None = None
    inverted: bool = False
    orientation: int = 1

    def upright(self, orientation: object) -> "DecodedImage":
        """Turn the picture as its EXIF or TIFF orientation tag (1 to 8) asks; other values mean upright."""
        if not isinstance(orientation, int) or orientation not in range(2, 9):
            return self
        alpha = None if self.alpha is None else _turn(self.alpha, orientation)
        return replace(self, pixels=_turn(self.pixels, orientation), alpha=alpha, orientation=int(orientation))


def _turn(planes: NDArray[_Value], orientation: int) -> NDArray[_Value]:
    if orientation in (5, 6, 7, 8):
        planes = planes.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        planes = planes[:, ::-1]
    if orientation in (3, 4, 7, 8):
        planes = planes[::-1]
    return np.ascontiguousarray(planes)


def check_size(path: Path, width: int, height: int, channels: int = 1) -> None:
    """Refuse an empty or a huge picture by what its header declares, before memory is taken for it.

    Raises:
        InputError: there is no pixel, more than `MAX_PIXELS`, or more values than four channels of that.
    """
    if width < 1 or height < 1 or channels < 1:
        raise InputError(f"{path}: declares {width} x {height} pixels of {channels} channels; it holds no picture.")
    if width * height > MAX_PIXELS or width * height * channels > 4 * MAX_PIXELS:
        raise InputError(
            f"{path}: expected at most {MAX_PIXELS:,} pixels (of up to 4 channels), but its header declares "
            f"{width:,} x {height:,} of {channels}; cut it into tiles or scale it down first."
        )
