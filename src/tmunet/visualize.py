"""Images and classes as people look at them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Okabe and Ito's colors, which the color-blind can tell apart; more classes take them again in other shades
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
    """The color of a label, RGB in 0..255; the background is black."""
    if label == 0:
        return COLORS[0]
    turn, index = divmod(label - 1, len(COLORS) - 1)
    shade = 1 - 0.8 * (turn * GOLDEN % 1)  # steps of the golden ratio keep any number of shades apart
    red, green, blue = (round(value * shade) for value in COLORS[index + 1])
    return red, green, blue


def to_rgb8(image: NDArray[Any]) -> NDArray[np.uint8]:
    """8-bit RGB of an image (H, W, C) -> (H, W, 3); for eyes only, never for a network.

    16-bit images are stretched between their darkest and brightest 0.5 %, since most use a small part of their range. Of more
    than three channels the first three are shown, of two the first.
    """
    if image.dtype == np.uint16:
        low, high = np.percentile(image, (0.5, 99.5))
        image = np.clip((image - low) / max(high - low, 1) * 255, 0, 255).astype(np.uint8)
    shown = image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2)
    return np.ascontiguousarray(shown, dtype=np.uint8)
