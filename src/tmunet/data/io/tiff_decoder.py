"""TIFF, decoded by tifffile, with the meaning of its tags that tifffile leaves to the caller."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC, TiffFile, TiffPage

from tmunet.data.io.decoded import DecodedImage, Planes, check_size
from tmunet.data.io.pillow_decoder import decode_with_pillow
from tmunet.errors import InputError

_PHOTOMETRIC, _ORIENTATION = 262, 274
_AS_STORED = (PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.RGB, PHOTOMETRIC.PALETTE)
_BY_PILLOW = (PHOTOMETRIC.SEPARATED, PHOTOMETRIC.YCBCR)
_INSTALL = "install the decoders with: pip install imagecodecs"


def decode_tiff(path: Path) -> DecodedImage:
    """Decode the one picture of a TIFF file; a picture with 0 = white is inverted, so that 0 is black.

    Raises:
        InputError: a stack, a pixel kind other than 1, 8 or 16 unsigned bits, an unknown color model, pixels
            that the file declares but does not hold, or a compression that needs imagecodecs.
        Exception: whatever tifffile raises for a damaged file; `decode_image` translates it.
    """
    with TiffFile(path) as file:
        page = file.pages.first
        check_size(path, page.imagewidth, page.imagelength, page.samplesperpixel)
        _check_one_picture(path, file, page)
        _check_samples(path, page)
        _check_stored(path, page, file.filehandle.size)
        if page.photometric in _BY_PILLOW:
            return _decode_with_pillow(path, page)
        try:
            stored = page.asarray(maxworkers=1)
        except Exception as error:
            # tifffile has no exception of its own for a decoder that is not installed.
            if not isinstance(error, ImportError) and "imagecodecs" not in str(error):
                raise
            return _decode_with_pillow(path, page)
        raster = _raster(page, stored if page.axes != "SYX" else np.moveaxis(stored, 0, 2))
        return raster.upright(page.tags[_ORIENTATION].value if _ORIENTATION in page.tags else 1)


def _check_one_picture(path: Path, file: TiffFile, page: TiffPage) -> None:
    # ImageJ may describe a stack by one page and a number in its metadata.
    count = max(len(file.pages), int((file.imagej_metadata or {}).get("images", 1)), page.imagedepth)
    if count > 1:
        raise InputError(f"{path}: expected one picture, but it is a stack of {count} pages; save each page as a file.")


def _check_samples(path: Path, page: TiffPage) -> None:
    kind, bits = page.dtype, page.bitspersample
    expected = (8, 16) if page.samplesperpixel > 1 else (1, 8, 16)
    if bits not in expected or kind is None or kind.kind not in "bu":
        found = kind.name if kind is not None and kind.kind not in "bu" else f"{bits} bits a sample"
        raise InputError(
            f"{path}: expected unsigned values of 8 or 16 bits (or 1 bit), but found {found}; scale the "
            "values to 0 to 65535 yourself and save them as uint16: only you know their range."
        )
    if page.photometric not in _AS_STORED and (page.photometric not in _BY_PILLOW or bits != 8):
        raise InputError(
            f"{path}: its color model (photometric interpretation {int(page.photometric)}, {bits} bits) is "
            "not gray, RGB, palette, or CMYK or YCbCr of 8 bits; convert it to RGB first."
        )


def _check_stored(path: Path, page: TiffPage, size: int) -> None:
    """Refuse missing strips and tiles, which tifffile would fill with zeros."""
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    outside = [segment for segment in segments if segment[0] < 1 or segment[1] < 1 or sum(segment) > size]
    missing = len(segments) < (1 if page.is_contiguous else math.prod(page.chunked))
    bits = page.size * int(page.bitspersample) if page.compression == COMPRESSION.NONE else 0
    if outside or missing or sum(page.databytecounts) * 8 < bits:
        raise InputError(
            f"{path}: the file is cut short or damaged: it does not hold all the pixels that its header "
            "declares; copy it again from its source."
        )


def _decode_with_pillow(path: Path, page: TiffPage) -> DecodedImage:
    compression = getattr(page.compression, "name", page.compression)
    # Pillow reduces 16-bit color to 8 bits, and does not invert 16-bit gray.
    if page.bitspersample == 16 and (page.samplesperpixel > 1 or _is_inverted(page)):
        raise InputError(f"{path}: 16-bit TIFF with the compression {compression} cannot be decoded; {_INSTALL}.")
    try:
        return replace(decode_with_pillow(path, "TIFF"), inverted=_is_inverted(page))
    except InputError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path}: TIFF with the compression {compression} cannot be decoded ({reason}). If the file is "
            f"sound, {_INSTALL}."
        ) from error


def _raster(page: TiffPage, stored: NDArray[np.uint8 | np.uint16]) -> DecodedImage:
    planes: Planes = stored.reshape(*stored.shape[:2], -1)
    if _is_inverted(page):
        planes = ~planes
    colors = planes.shape[2] - len(page.extrasamples)
    alphas = [
        colors + place
        for place, kind in enumerate(page.extrasamples)
        if kind in (EXTRASAMPLE.ASSOCALPHA, EXTRASAMPLE.UNASSALPHA)
    ]
    return DecodedImage(
        np.delete(planes, alphas, axis=2) if alphas else planes,
        palette=_palette(page) if page.photometric == PHOTOMETRIC.PALETTE else None,
        alpha=np.asarray(planes[:, :, alphas[0]], stored.dtype) if alphas else None,
        inverted=_is_inverted(page),
    )


def _is_inverted(page: TiffPage) -> bool:
    # Without the tag, tifffile reports 0 = white; then the values stand for themselves. So do colors with that tag.
    gray = page.samplesperpixel - len(page.extrasamples) == 1
    return gray and page.photometric == PHOTOMETRIC.MINISWHITE and _PHOTOMETRIC in page.tags


def _palette(page: TiffPage) -> NDArray[np.uint8]:
    colors = np.asarray(page.colormap, np.uint16).reshape(3, -1).T
    # Some writers store 8-bit colors in the 16-bit table; libtiff tells them apart in the same way.
    return (colors >> 8 if colors.max() > 255 else colors).astype(np.uint8)
