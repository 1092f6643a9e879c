"""Colors of labels, and conversion of images to 8-bit RGB for display."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Okabe and Ito's colorblind-safe palette; further classes repeat it in other shades
COLORS = (
    (0, 0, 0),
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
GOLDEN = (5**0.5 - 1) / 2


def color(label: int) -> tuple[int, int, int]:
    """Return the color of a label, RGB in 0..255; the background is black."""
    if label == 0:
        return COLORS[0]
    turn, index = divmod(label - 1, len(COLORS) - 1)
    shade = 1 - 0.8 * (turn * GOLDEN % 1)  # steps of the golden ratio keep any number of shades apart
    red, green, blue = (round(value * shade) for value in COLORS[index + 1])
    return red, green, blue


def to_rgb8(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Convert an image (H, W, C) to 8-bit RGB (H, W, 3), for display only.

    16-bit images are stretched between their 0.5 and 99.5 percentiles, since most use a small part of their range. Of more than
    three channels the first three are shown, of two the first.
    """
    if image.dtype == np.uint16:
        low, high = np.percentile(image, (0.5, 99.5))
        image = np.clip((image - low) / max(high - low, 1) * 255, 0, 255).astype(np.uint8)
    shown = image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2)
    return np.ascontiguousarray(shown, dtype=np.uint8)
