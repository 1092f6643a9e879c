"""PNG, JPEG and BMP (and the TIFF compressions that tifffile leaves out), decoded by Pillow.

The file classes are called directly: ``Image.open`` would warn, or refuse, by the size limit of Pillow, and
silencing a warning is not safe in threads. Here `check_size` is the limit.
"""

from pathlib import Path
from typing import IO, Literal

import numpy as np
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ExifTags import Base as ExifTag
from PIL.ImageFile import ImageFile
from PIL.ImagePalette import raw
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from tmunet.data.io.decoded import DecodedImage, check_size
from tmunet.errors import InputError

PillowFormat = Literal["PNG", "JPEG", "BMP", "TIFF"]

_FILES: dict[PillowFormat, type[ImageFile]] = {
    "PNG": PngImageFile,
    "JPEG": JpegImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
}


def decode_with_pillow(path: Path, kind: PillowFormat) -> DecodedImage:
    """Decode a file of a known format.

    Args:
        path: the file.
        kind: its format, found by its first bytes.

    Raises:
        InputError: the picture is too large, animated, or of a pixel kind that has no 8- or 16-bit meaning.
        Exception: whatever Pillow raises for a damaged file; `decode_image` translates it.
    """
    with path.open("rb") as file, _FILES[kind](file) as picture:
        check_size(path, *picture.size)
        frames = getattr(picture, "n_frames", 1)
        if frames > 1:
            raise InputError(f"{path}: expected one picture, but it holds {frames} frames; save the one you need.")
        rawmode = str(picture.tile[0].args) if kind == "PNG" and picture.tile else ""
        if kind == "BMP":
            _keep_palette(file, picture)
        picture.load()
        # The tag can stand behind the pixels. Pillow turns a TIFF itself, and removes the tag.
        orientation = picture.getexif().get(ExifTag.Orientation)
        raster = _deep_raster(file, rawmode, picture) if rawmode in _DEEP else _raster(path, picture)
    return raster.upright(orientation)


def _raster(path: Path, picture: ImageFile) -> DecodedImage:
    mode = picture.mode
    if mode in ("CMYK", "YCbCr"):
        return DecodedImage(np.asarray(picture.convert("RGB")))
    if mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "RGBa", "RGBX") and not mode.startswith("I;16"):
        raise InputError(
            f"{path}: its pixels are of the kind {mode!r}; expected gray, RGB or palette of 8 or 16 bits. "
            "Convert it first."
        )
    stored = np.asarray(picture)
    planes = stored.reshape(*stored.shape[:2], -1).astype(stored.dtype.newbyteorder("="), copy=False)
    if mode == "P":
        return DecodedImage(planes, palette=np.array(picture.getpalette("RGB"), np.uint8).reshape(-1, 3))
    if mode in ("LA", "RGBA", "RGBa"):
        return DecodedImage(planes[:, :, :-1], alpha=planes[:, :, -1])
    return DecodedImage(planes)


def _keep_palette(file: IO[bytes], picture: ImageFile) -> None:
    """Pillow drops a palette of black and white, or of a ramp of grays, and takes the pixels for 1 or 8 bits; they may have 4."""
    file.seek(14)
    header = file.read(16)
    place = 10 if header[:4] == b"\x0c\0\0\0" else 14  # of OS/2, and of Windows
    bits = int.from_bytes(header[place : place + 2], "little")
    (tile,) = picture.tile
    mode, *layout = tile.args if isinstance(tile.args, tuple) else ()
    if (bits, mode) in ((4, "1"), (4, "L"), (8, "1")):
        levels = [0, 255] if mode == "1" else range(1 << bits)
        picture._mode = "P"
        picture.palette = raw("RGB", bytes(level for level in levels for _ in range(3)))
        picture.tile = [tile._replace(args=("P;4" if bits == 4 else "P", *layout))]


_DEEP = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L", "LA;16B": "RGBA"}
"""Raw modes of 16-bit color PNG, and the mode that reads the bytes which Pillow leaves out."""


def _deep_raster(file: IO[bytes], rawmode: str, picture: ImageFile) -> DecodedImage:
    """Pillow keeps only the upper byte of 16-bit color, so the file is decoded again for the lower ones."""
    file.seek(0)
    with PngImageFile(file) as again:
        again.tile = [again.tile[0]._replace(args=_DEEP[rawmode])]
        other = np.array(again, np.uint8)
    if rawmode == "LA;16B":  # 4 bytes a pixel, read as if they were R, G, B, A
        gray_alpha = other.view(">u2").astype(np.uint16)
        return DecodedImage(gray_alpha[:, :, :1], alpha=gray_alpha[:, :, 1])
    pixels = (np.asarray(picture).astype(np.uint16) << np.uint16(8)) | other
    return DecodedImage(pixels[:, :, :3], alpha=pixels[:, :, 3] if rawmode == "RGBA;16B" else None)
