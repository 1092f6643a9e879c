"""Images as people look at them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_picture(image: NDArray[Any]) -> NDArray[np.uint8]:
    """8-bit RGB of an image (H, W, C) -> (H, W, 3); for eyes only, never for a network.

    16-bit images are stretched between their darkest and brightest 0.5 %, since most use a small part of their range. Of more
    than three channels the first three are shown, of two the first.
    """
    if image.dtype == np.uint16:
        low, high = np.percentile(image, (0.5, 99.5))
        image = np.clip((image - low) / max(high - low, 1) * 255, 0, 255).astype(np.uint8)
    shown = image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2)
    return np.ascontiguousarray(shown, dtype=np.uint8)
