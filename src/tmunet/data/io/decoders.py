"""Decode PNG, JPEG, BMP, GIF and PPM with Pillow, TIFF with tifffile, into stored values that are neither image nor mask yet."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ExifTags import Base as ExifTag
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.ImagePalette import raw
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC, TiffFile, TiffPage

from tmunet.errors import InputError
from tmunet.file_limits import MAX_PIXELS

StoredValues = NDArray[np.bool_ | np.uint8 | np.uint16]
"""Stored values: ``bool`` for 1 bit, ``uint8`` for 8 bits, ``uint16`` for 16 bits."""

AnyValues = NDArray[np.bool_ | np.integer | np.floating]
"""Stored values of any number type; a TIFF may hold signed or 32-bit integers and floats."""

_Value = TypeVar("_Value", bound=np.generic)


@dataclass(frozen=True)
class DecodedImage:
    """Stored values of an image file, upright.

    Attributes:
        pixels: (H, W, C) values without the alpha plane; (H, W, 1) indices if there is a palette. Other types than those of
            `StoredValues` have no known range: `tmunet.data.io.images` and `tmunet.data.io.masks` say what they mean.
        palette: (N, 3) RGB color of each index, or None if the values are not indices.
        alpha: (H, W) opacity, or None.
        inverted: the file stores 0 for white; `pixels` have 0 for black.
        orientation: EXIF or TIFF tag that was applied, 2 to 8; 1 if the file stores them upright.
    """

    pixels: AnyValues
    palette: NDArray[np.uint8] | None = None
    alpha: NDArray[np.uint8 | np.uint16] | None = None
    inverted: bool = False
    orientation: int = 1

    @property
    def has_known_range(self) -> bool:
        """Whether the values reach from black to white by their type: 1, 8 or 16 unsigned bits."""
        return self.pixels.dtype in (np.bool_, np.uint8, np.uint16)

    def upright(self, orientation: object) -> "DecodedImage":
        """Apply an EXIF or TIFF orientation tag (1 to 8); other values mean upright."""
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
    """Refuse an empty or huge image by its header, before memory is allocated.

    Raises:
        InputError: there is no pixel, more than `MAX_PIXELS`, or more values than four channels of that.
    """
    if width < 1 or height < 1 or channels < 1:
        raise InputError(
            f"{path}: declares {width} x {height} pixels of {channels} channels; it holds no image.",
            code="no-pixels",
            path=path,
        )
    if width * height > MAX_PIXELS or width * height * channels > 4 * MAX_PIXELS:
        raise InputError(
            f"{path}: expected at most {MAX_PIXELS:,} pixels (of up to 4 channels), but its header declares "
            f"{width:,} x {height:,} of {channels}; cut it into tiles or scale it down first.",
            code="too-large",
            path=path,
        )


def declared_size(path: Path, kind: "PillowFormat") -> tuple[int, int, int]:
    """Read width, height and channels from the header of a file of a known format; nothing is decoded.

    Raises:
        Exception: whatever Pillow or tifffile raises for a damaged header.
    """
    with path.open("rb") as file:
        if kind == "TIFF":
            with TiffFile(file) as tiff:
                page = _choose_page(tiff)
                return page.imagewidth, page.imagelength, page.samplesperpixel
        with _FILES[kind](file) as image:
            return *image.size, len(image.getbands())


PillowFormat = Literal["PNG", "JPEG", "BMP", "TIFF", "GIF", "PPM"]

_FILES: dict[PillowFormat, type[ImageFile]] = {
    "PNG": PngImageFile,
    "JPEG": JpegImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "GIF": GifImageFile,
    "PPM": PpmImageFile,
}


def decode_with_pillow(path: Path, kind: PillowFormat) -> DecodedImage:
    """Decode a file of a known format with Pillow.

    The file classes are called directly: ``Image.open`` would warn, or refuse, by the size limit of Pillow, and silencing a
    warning is not thread-safe. `check_size` is the limit here.

    Args:
        path: the file.
        kind: its format.

    Raises:
        InputError: the image is too large, animated, or of a pixel kind that has no 8- or 16-bit meaning.
        Exception: whatever Pillow raises for a damaged file; `decode_image` translates it.
    """
    with path.open("rb") as file, _FILES[kind](file) as image:
        check_size(path, *image.size)
        frames = getattr(image, "n_frames", 1)
        if frames > 1:
            raise InputError(
                f"{path}: expected one image, but it holds {frames} frames; save the one you need.",
                code="several-images",
                path=path,
            )
        rawmode = str(image.tile[0].args) if kind == "PNG" and image.tile else ""
        if kind == "BMP":
            _keep_palette(file, image)
        image.load()
        # The tag can stand behind the pixels. Pillow turns a TIFF itself, and removes the tag.
        orientation = image.getexif().get(ExifTag.Orientation)
        decoded = _decode_16_bit(file, rawmode, image) if rawmode in _DEEP else _from_pillow(path, image)
    return decoded.upright(orientation)


def _from_pillow(path: Path, image: ImageFile) -> DecodedImage:
    mode = image.mode
    if mode in ("CMYK", "YCbCr"):
        return DecodedImage(np.asarray(image.convert("RGB")))
    if mode == "I" and image.format == "PPM":  # more than 8 bits, at most 16
        return DecodedImage(np.asarray(image).astype(np.uint16)[:, :, None])
    if mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "RGBa", "RGBX") and not mode.startswith("I;16"):
        raise InputError(
            f"{path}: its pixels are of the kind {mode!r}; expected gray, RGB or palette of 8 or 16 bits. "
            "Convert it first.",
            code="color-model",
            path=path,
        )
    stored = np.asarray(image)
    planes = stored.reshape(*stored.shape[:2], -1).astype(stored.dtype.newbyteorder("="), copy=False)
    if mode == "P":
        return DecodedImage(planes, palette=np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3))
    if mode in ("LA", "RGBA", "RGBa"):
        return DecodedImage(planes[:, :, :-1], alpha=planes[:, :, -1])
    return DecodedImage(planes)


def _keep_palette(file: IO[bytes], image: ImageFile) -> None:
    """Restore a palette of black and white or of a gray ramp, which Pillow drops, reading 4 bits as 1 or 8."""
    file.seek(14)
    header = file.read(16)
    place = 10 if header[:4] == b"\x0c\0\0\0" else 14  # of OS/2, and of Windows
    bits = int.from_bytes(header[place : place + 2], "little")
    (tile,) = image.tile
    mode, *layout = tile.args if isinstance(tile.args, tuple) else ()
    if (bits, mode) in ((4, "1"), (4, "L"), (8, "1")):
        levels = [0, 255] if mode == "1" else range(1 << bits)
        image._mode = "P"
        image.palette = raw("RGB", bytes(level for level in levels for _ in range(3)))
        image.tile = [tile._replace(args=("P;4" if bits == 4 else "P", *layout))]


_DEEP = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L", "LA;16B": "RGBA"}
"""Raw modes of 16-bit color PNG, with the mode that reads the lower bytes."""


def _decode_16_bit(file: IO[bytes], rawmode: str, image: ImageFile) -> DecodedImage:
    """Decode 16-bit color; Pillow keeps only the upper byte, so the file is decoded again for the lower ones."""
    file.seek(0)
    with PngImageFile(file) as again:
        again.tile = [again.tile[0]._replace(args=_DEEP[rawmode])]
        other = np.array(again, np.uint8)
    if rawmode == "LA;16B":  # 4 bytes a pixel, read as if they were R, G, B, A
        gray_alpha = other.view(">u2").astype(np.uint16)
        return DecodedImage(gray_alpha[:, :, :1], alpha=gray_alpha[:, :, 1])
    pixels = (np.asarray(image).astype(np.uint16) << np.uint16(8)) | other
    return DecodedImage(pixels[:, :, :3], alpha=pixels[:, :, 3] if rawmode == "RGBA;16B" else None)


_PHOTOMETRIC, _ORIENTATION = 262, 274
_AS_STORED = (PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.RGB, PHOTOMETRIC.PALETTE)
_BY_PILLOW = (PHOTOMETRIC.SEPARATED, PHOTOMETRIC.YCBCR)
_MAX_LEVELS = 32  # of a pyramid
_INSTALL = "install the decoders with: pip install imagecodecs"


def decode_tiff(path: Path) -> DecodedImage:
    """Decode a TIFF file of one page with tifffile; an image with 0 = white is inverted, so that 0 is black.

    Raises:
        InputError: a stack, a pixel kind other than 1, 8 or 16 unsigned bits, an unknown color model, pixels
            that the file declares but does not hold, or a compression that needs imagecodecs.
        Exception: whatever tifffile raises for a damaged file; `decode_image` translates it.
    """
    with path.open("rb") as stream, TiffFile(stream) as file:
        page = _choose_page(file)
        check_size(path, page.imagewidth, page.imagelength, page.samplesperpixel)
        _check_one_picture(path, file, page)
        _check_samples(path, page)
        _check_stored(path, page, file.filehandle.size)
        if page.photometric in _BY_PILLOW:
            return _tiff_with_pillow(path, page)
        try:
            stored = page.asarray(maxworkers=1)
        except Exception as error:
            # tifffile has no exception of its own for a decoder that is not installed.
            if not isinstance(error, ImportError) and "imagecodecs" not in str(error):
                raise
            return _tiff_with_pillow(path, page)
        decoded = _from_tiff(page, stored if page.axes != "SYX" else np.moveaxis(stored, 0, 2))
        return decoded.upright(page.tags[_ORIENTATION].value if _ORIENTATION in page.tags else 1)


def _choose_page(file: TiffFile) -> TiffPage:
    """The largest page, if all others are smaller copies: a thumbnail, or the levels of a pyramid; else the first."""
    if len(file.pages) == 1:  # nearly all files
        return file.pages.first
    pages = [file.pages[index].aspage() for index in range(min(len(file.pages), _MAX_LEVELS))]
    largest = max(pages, key=lambda page: page.imagewidth * page.imagelength)
    smaller = all(page is largest or _is_smaller(page, largest) for page in pages)
    return largest if smaller and len(pages) == len(file.pages) else pages[0]


def _is_smaller(page: TiffPage, other: TiffPage) -> bool:
    return page.imagewidth < other.imagewidth and page.imagelength < other.imagelength


def _check_one_picture(path: Path, file: TiffFile, page: TiffPage) -> None:
    levels = range(len(file.pages)) if 1 < len(file.pages) <= _MAX_LEVELS else ()
    smaller = sum(_is_smaller(file.pages[index].aspage(), page) for index in levels)
    # ImageJ may describe a stack by one page and a number in its metadata.
    count = max(len(file.pages) - smaller, int((file.imagej_metadata or {}).get("images", 1)), page.imagedepth)
    if count > 1:
        raise InputError(
            f"{path}: expected one image, but it is a stack of {count} pages; save each page as a file.",
            code="several-images",
            path=path,
        )


def _check_samples(path: Path, page: TiffPage) -> None:
    kind, bits = page.dtype, page.bitspersample
    expected = (8, 16, 32, 64) if page.samplesperpixel > 1 else (1, 8, 16, 32, 64)
    if bits not in expected or kind is None or kind.kind not in "buif":
        found = kind.name if kind is not None and kind.kind not in "buif" else f"{bits} bits a sample"
        raise InputError(
            f"{path}: expected integers of 8, 16 or 32 bits, 1 bit, or floats, but found {found}; save the values unchanged as "
            "one of these.",
            code="value-type",
            path=path,
        )
    if page.photometric not in _AS_STORED and (page.photometric not in _BY_PILLOW or bits != 8):
        raise InputError(
            f"{path}: its color model (photometric interpretation {int(page.photometric)}, {bits} bits) is "
            "not gray, RGB, palette, or CMYK or YCbCr of 8 bits; convert it to RGB first.",
            code="color-model",
            path=path,
        )


def _check_stored(path: Path, page: TiffPage, size: int) -> None:
    """Refuse a file with missing strips or tiles, which tifffile would fill with zeros."""
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    outside = [segment for segment in segments if segment[0] < 1 or segment[1] < 1 or sum(segment) > size]
    missing = len(segments) < (1 if page.is_contiguous else math.prod(page.chunked))
    bits = page.size * int(page.bitspersample) if page.compression == COMPRESSION.NONE else 0
    if outside or missing or sum(page.databytecounts) * 8 < bits:
        raise InputError(
            f"{path}: the file is cut short or damaged: it does not hold all the pixels that its header "
            "declares; copy it again from its source.",
            code="damaged",
            path=path,
        )


def _tiff_with_pillow(path: Path, page: TiffPage) -> DecodedImage:
    compression = getattr(page.compression, "name", page.compression)
    # Pillow reduces 16-bit color to 8 bits, and does not invert 16-bit gray.
    if page.bitspersample == 16 and (page.samplesperpixel > 1 or _is_inverted(page)):
        raise InputError(
            f"{path}: 16-bit TIFF with the compression {compression} cannot be decoded; {_INSTALL}.",
            code="compression",
            path=path,
        )
    try:
        return replace(decode_with_pillow(path, "TIFF"), inverted=_is_inverted(page))
    except InputError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path}: TIFF with the compression {compression} cannot be decoded ({reason}). If the file is "
            f"sound, {_INSTALL}.",
            code="compression",
            path=path,
        ) from error


def _from_tiff(page: TiffPage, stored: NDArray[Any]) -> DecodedImage:
    planes: NDArray[Any] = stored.reshape(*stored.shape[:2], -1)
    if _is_inverted(page):
        planes = -planes if planes.dtype.kind == "f" else ~planes
    colors = planes.shape[2] - len(page.extrasamples)
    alphas = [  # of 8 or 16 bits: an opacity of another type has no known range
        colors + place
        for place, kind in enumerate(page.extrasamples)
        if kind in (EXTRASAMPLE.ASSOCALPHA, EXTRASAMPLE.UNASSALPHA) and stored.dtype in (np.uint8, np.uint16)
    ]
    return DecodedImage(
        np.delete(planes, alphas, axis=2) if alphas else planes,
        palette=_colormap(page) if page.photometric == PHOTOMETRIC.PALETTE else None,
        alpha=np.asarray(planes[:, :, alphas[0]], stored.dtype) if alphas else None,
        inverted=_is_inverted(page),
    )


def _is_inverted(page: TiffPage) -> bool:
    # Without the tag, tifffile reports 0 = white; then the values stand for themselves. So do colors with that tag.
    gray = page.samplesperpixel - len(page.extrasamples) == 1
    return gray and page.photometric == PHOTOMETRIC.MINISWHITE and _PHOTOMETRIC in page.tags


def _colormap(page: TiffPage) -> NDArray[np.uint8]:
    colors = np.asarray(page.colormap, np.uint16).reshape(3, -1).T
    # Some writers store 8-bit colors in the 16-bit table; libtiff tells them apart in the same way.
    return (colors >> 8 if colors.max() > 255 else colors).astype(np.uint8)
