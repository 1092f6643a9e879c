#!/usr/bin/env bash
# Pillow 13.0.0 reads an 8-bit BMP whose palette is exactly (black, white) as a picture of 1 bit a pixel: the mask comes out
# empty, and nothing is raised. A 4-bit BMP whose palette is the ramp 0, 1, ... 15 fails with "codec configuration error".
# OpenCV 5 and the file's own bytes agree on what is in both. The same pixels with the palette (white, black) or (black, red)
# are read correctly by Pillow, so a set of masks can be half right.
#
# Why: BmpImagePlugin takes a palette that is a gray ramp for a sign that the pixels can be read without it, and chooses the mode
# by the number of colors ("1" for 2, "L" for others) while the rows keep the file's 8 or 4 bits a pixel.
#
# Seen with Pillow 13.0.0 and opencv-python-headless 5.0.0.93:
#   8 bits, black and white: Pillow mode 1, 0 pixels of foreground; OpenCV 8
#   8 bits, white and black: Pillow mode P, 8 pixels of foreground; OpenCV 8
#   4 bits, ramp 0..15:      Pillow OSError; OpenCV 0 to 15
# For us: BMP rows are decoded from the file's bits where the palette is gray (tests/data, "bmp").
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 opencv-python-headless==5.0.0.93 numpy==2.4.6
"$dir/venv/bin/python" - <<'PYTHON'
import io
import struct

import cv2
import numpy as np
from PIL import Image


def bmp(indices, palette, bits):
    """An uncompressed BMP with a BITMAPINFOHEADER, of palette indices (H, W)."""
    height, width = indices.shape
    body = b""
    for line in indices[::-1].tolist():
        row = bytes(line) if bits == 8 else bytes(a << 4 | b for a, b in zip(line[::2], line[1::2], strict=True))
        body += row.ljust(-(-width * bits // 32) * 4, b"\0")
    table = b"".join(bytes((b, g, r, 0)) for r, g, b in palette)
    offset = 14 + 40 + len(table)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 0, len(body), 2835, 2835, len(palette), 0)
    return b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + info + table + body


def by_pillow(file):
    image = Image.open(io.BytesIO(file))
    return image.mode, np.asarray(image.convert("RGB"))[..., 0]


def by_opencv(file):
    return cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)[..., 2]


mask = np.zeros((4, 8), np.uint8)
mask[1:3, 2:6] = 1
black, white = (0, 0, 0), (255, 255, 255)

file = bmp(mask, [black, white], 8)
mode, found = by_pillow(file)
print("8 bits, black and white: Pillow mode", mode, "foreground", int((found > 0).sum()), "OpenCV", int((by_opencv(file) > 0).sum()))
assert np.array_equal(by_opencv(file), mask * 255)
assert mode == "1" and not found.any()

file = bmp(1 - mask, [white, black], 8)
mode, found = by_pillow(file)
print("8 bits, white and black: Pillow mode", mode, "foreground", int((found > 0).sum()), "OpenCV", int((by_opencv(file) > 0).sum()))
assert np.array_equal(by_opencv(file), mask * 255)
assert mode == "P" and np.array_equal(found, mask * 255)

ramp = np.arange(16, dtype=np.uint8).reshape(2, 8)
file = bmp(ramp, [(value, value, value) for value in range(16)], 4)
assert np.array_equal(by_opencv(file), ramp)
try:
    by_pillow(file)
except OSError as error:
    print("4 bits, ramp: Pillow", error)
else:
    raise AssertionError("Pillow reads the ramp now")
PYTHON
