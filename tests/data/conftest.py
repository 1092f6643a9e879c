"""Builders of real image files."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def encode_png(width: int, height: int, depth: int, color: int, rows: bytes, palette: bytes = b"") -> bytes:
    """A PNG by its specification, without Pillow: `rows` holds a filter byte before each row."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    colors = chunk(b"PLTE", palette) if palette else b""
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + colors + pixels + chunk(b"IEND", b"")


@pytest.fixture
def png() -> Callable[..., bytes]:
    return encode_png


@pytest.fixture
def png16() -> Callable[[np.ndarray, int], bytes]:
    def encode(values: np.ndarray, color: int) -> bytes:
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
        return encode_png(values.shape[1], values.shape[0], 16, color, rows)

    return encode


@pytest.fixture
def random_values() -> Callable[..., np.ndarray]:
    generator = np.random.default_rng(0)

    def draw(*shape: int, dtype: type = np.uint8) -> np.ndarray:
        return generator.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)

    return draw


@pytest.fixture
def make_set(tmp_path: Path) -> Callable[..., Path]:
    """A small sound data set: RGB images of 8 x 6 pixels and 1-bit masks."""

    def make(*names: str) -> Path:
        generator = np.random.default_rng(1)
        (tmp_path / "images").mkdir()
        (tmp_path / "masks").mkdir()
        for name in names:
            Image.fromarray(generator.integers(0, 256, (6, 8, 3), dtype=np.uint8)).save(
                tmp_path / "images" / f"{name}.jpg"
            )
            Image.fromarray(generator.random((6, 8)) > 0.5).save(tmp_path / "masks" / f"{name}.png")
        return tmp_path

    return make
