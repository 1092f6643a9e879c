"""Decode one frame of DICOM pixel data: native, RLE, JPEG of 8 to 16 bits and lossless, JPEG-LS, JPEG 2000, HTJ2K.

pydicom unpacks native pixels; imagecodecs decodes the compressed ones, of every transfer syntax, under permissive licenses.
"""

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tmunet.errors import InputError
from tmunet.extras import require
from tmunet.formats.dicom_file import EXTRA, frame_count

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom import Dataset

_NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2")
_RLE = "1.2.840.10008.1.2.5"
_JPEG = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70))
_JPEG_LS = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (80, 81))
_JPEG_2000 = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (90, 91))
_HTJ2K = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (201, 202, 203))
_VIDEO = "1.2.840.10008.1.2.4.10"  # MPEG-2, MPEG-4 AVC and HEVC: 100 to 108

_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
_J2K_START = b"\xff\x4f\xff\x51"  # SOC and SIZ


@dataclass(frozen=True)
class Stream:
    """What a compressed frame says of itself: size in pixels, samples, bits a sample, and marks of its color model."""

    height: int
    width: int
    samples: int
    bits: int
    signed: bool = False
    rgb_ids: bool = False
    jfif: bool = False


def decode_frame(path: "Path", dataset: "Dataset", index: int) -> NDArray[Any]:
    """Decode a frame.

    Args:
        path: of the file, for messages.
        dataset: of the file, whose frames were checked by `check_frames`.
        index: of the frame, from 0.

    Returns:
        (H, W) or (H, W, 3) stored values, signed where the file says so; color as RGB. Palette indices stay indices.

    Raises:
        InputError: a transfer syntax that is not read, or a frame of another size than the header states.
        Exception: whatever pydicom and imagecodecs raise for a damaged frame; `tmunet.formats.dicom_file.named` translates it.
    """
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    if syntax in _NATIVE:
        pixels = require("pydicom.pixels", EXTRA)
        native: NDArray[Any] = pixels.get_decoder(syntax).as_array(dataset, index=index)[0]
        return native
    if syntax not in (_RLE, *_JPEG, *_JPEG_LS, *_JPEG_2000, *_HTJ2K):
        video = " Take its frames out with ffmpeg, as PNG." if syntax.startswith(_VIDEO) else ""
        raise InputError(
            f"{path}: its transfer syntax {dataset.file_meta.TransferSyntaxUID.name} is not read.{video} Expected uncompressed, "
            "RLE, JPEG, JPEG-LS or JPEG 2000.",
            code="compression",
            path=path,
        )
    encaps = require("pydicom.encaps", EXTRA)
    offsets = (dataset.get("ExtendedOffsetTable"), dataset.get("ExtendedOffsetTableLengths"))
    data: bytes = encaps.get_frame(
        dataset.PixelData,
        index,
        number_of_frames=frame_count(dataset),
        extended_offsets=offsets if None not in offsets else None,
    )
    codecs = require("imagecodecs", EXTRA)
    if syntax == _RLE:
        return _rle(dataset, codecs, data)
    stream = read_stream(data)
    expected = (int(dataset.Rows), int(dataset.Columns), int(dataset.get("SamplesPerPixel", 1)))
    if (stream.height, stream.width, stream.samples) != expected or not 1 <= stream.bits <= 16:
        raise InputError(
            f"{path}: expected frames of {expected[1]} x {expected[0]} pixels (width x height) of {expected[2]} samples by the "
            f"header, but frame {index + 1} holds {stream.width} x {stream.height} of {stream.samples} samples of {stream.bits} "
            "bits; export it again.",
            code="damaged",
            path=path,
        )
    if syntax in _JPEG:
        return _signed(dataset, _jpeg(dataset, codecs, data, stream), stream.bits)
    if syntax in _JPEG_LS:
        decoded = codecs.jpegls_decode(data)
        return _to_rgb(dataset, _signed(dataset, _channels_last(decoded, expected), stream.bits))
    decoded = codecs.jpeg2k_decode(data, numthreads=1) if syntax in _JPEG_2000 else codecs.htj2k_decode(data)
    return _to_rgb(dataset, _signed(dataset, _channels_last(decoded, expected), stream.bits))


def read_stream(data: bytes) -> Stream:
    """Read size and kind from the header of a JPEG, JPEG-LS or JPEG 2000 frame.

    Raises:
        ValueError: no such header.
    """
    place = data.find(_J2K_START, 0, 4096)
    if place >= 0:
        width, height, left, top = struct.unpack_from(">IIII", data, place + 8)
        samples, bits = struct.unpack_from(">HB", data, place + 40)
        return Stream(height - top, width - left, samples, (bits & 0x7F) + 1, bits >= 0x80)
    place, jfif = 2, False
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            raise ValueError("no JPEG marker where one is due")
        marker = data[place + 1]
        if marker in (0xFF, 0x01) or 0xD0 <= marker <= 0xD8:
            place += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", data, place + 2)
        jfif = jfif or (marker == 0xE0 and data[place + 4 : place + 8] == b"JFIF")
        if marker in _SOF:
            bits, height, width, samples = struct.unpack_from(">BHHB", data, place + 4)
            ids = bytes(data[place + 10 : place + 10 + 3 * samples : 3])
            return Stream(height, width, samples, bits, rgb_ids=ids in (b"RGB", b"rgb"), jfif=jfif)
        place += 2 + length
    raise ValueError("the compressed frame has no header")


def _rle(dataset: "Dataset", codecs: Any, data: bytes) -> NDArray[Any]:
    rows, columns, samples = int(dataset.Rows), int(dataset.Columns), int(dataset.get("SamplesPerPixel", 1))
    kind = np.dtype(f"<u{int(dataset.BitsAllocated) // 8}")
    values = np.frombuffer(codecs.dicomrle_decode(data, kind), kind)
    planes = values[: rows * columns * samples].reshape(samples, rows, columns)  # RLE is by plane
    frame = planes[0] if samples == 1 else np.moveaxis(planes, 0, 2)
    return _to_rgb(dataset, _signed(dataset, frame, int(dataset.BitsStored)))


def _jpeg(dataset: "Dataset", codecs: Any, data: bytes, stream: Stream) -> NDArray[Any]:
    if stream.samples == 1:
        gray: NDArray[Any] = codecs.jpeg8_decode(data)
        return gray
    model = str(dataset.PhotometricInterpretation)
    # files that are labeled RGB but hold a JFIF stream are YCbCr, as JFIF allows nothing else
    rgb = stream.rgb_ids or (model == "RGB" and not stream.jfif)
    decoded: NDArray[Any] = codecs.jpeg8_decode(
        data, colorspace="RGB" if rgb else "YCBCR", outcolorspace="RGB" if rgb else "YCBCR"
    )
    return decoded if rgb else _ybr_to_rgb(decoded)


def _channels_last(decoded: NDArray[Any], expected: tuple[int, int, int]) -> NDArray[Any]:
    """Order planes as (H, W, C), whichever way the stream interleaves them."""
    rows, columns, samples = expected
    if samples > 1 and decoded.shape == (samples, rows, columns):
        return np.moveaxis(decoded, 0, 2)
    return decoded.reshape(rows, columns) if samples == 1 else decoded.reshape(rows, columns, samples)


def _signed(dataset: "Dataset", values: NDArray[Any], bits: int) -> NDArray[Any]:
    """Read values of so many bits with the sign that the header states, without the bits above: streams know neither."""
    width = 8 * values.dtype.itemsize
    signed = bool(dataset.get("PixelRepresentation", 0))
    if width > 16:
        return values
    kind = np.dtype(f"{'i' if signed else 'u'}{values.dtype.itemsize}")
    shift = width - min(bits, width)
    extended: NDArray[Any] = np.right_shift(np.left_shift(np.ascontiguousarray(values).view(kind), shift), shift)
    return extended


def _to_rgb(dataset: "Dataset", values: NDArray[Any]) -> NDArray[Any]:
    """Convert YBR_FULL to RGB; JPEG 2000 gives RGB for its own color transforms."""
    model = str(dataset.PhotometricInterpretation)
    return _ybr_to_rgb(values) if values.ndim == 3 and model in ("YBR_FULL", "YBR_FULL_422") else values


def _ybr_to_rgb(values: NDArray[Any]) -> NDArray[Any]:
    """Convert YCbCr to RGB, 8 bits (PS3.3, C.7.6.3.1.2)."""
    luma, blue, red = (values[:, :, plane].astype(np.float32) for plane in range(3))
    blue -= 128
    red -= 128
    rgb = np.stack([luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue], axis=2)
    result: NDArray[Any] = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    return result
