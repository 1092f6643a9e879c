"""From an image as read to what a network sees: channels and size. The same in training, evaluation and prediction."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tmunet.data.config import Preprocess
from tmunet.data.io.images import to_channels


def prepare(image: NDArray[Any], preprocess: Preprocess) -> NDArray[Any]:
    """(H, W, C) of 8 or 16 bits -> (size, size, channels) of the same type."""
    return resize_image(to_channels(image, preprocess.channels), (preprocess.size, preprocess.size))


def resize_image(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Bilinear with anti-aliasing, each channel by itself: (H, W, C) of 8 or 16 bits -> (*size, C) of the same type."""
    if image.shape[:2] == size:
        return image
    planes = []
    for channel in range(image.shape[2]):
        plane = image[..., channel]
        exact = plane if plane.dtype == np.uint8 else plane.astype(np.float32)
        resized = np.asarray(Image.fromarray(exact).resize(size[::-1], Image.Resampling.BILINEAR))
        planes.append(resized if plane.dtype == np.uint8 else np.rint(resized).astype(plane.dtype))
    return np.stack(planes, axis=-1)


def resize_mask(mask: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Nearest neighbor, so that no label is invented: (H, W) -> size."""
    return np.array(Image.fromarray(mask).resize(size[::-1], Image.Resampling.NEAREST))
