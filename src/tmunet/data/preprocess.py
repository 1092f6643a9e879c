"""From an image as read to what a network sees: channels, size, scale. The same steps in training, evaluation and prediction."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tmunet.data.read import to_channels

MIN_SIZE = 32


@dataclass(frozen=True)
class Preprocess:
    """How images are prepared; saved with every model."""

    size: int = 512
    """Images are resized to this many pixels in height and width (paper, section 3.1)."""
    channels: int = 3
    """Channels: 1 is grey, 3 is RGB; images with one are brought to the other."""
    normalise: Literal["imagenet", "image"] = "imagenet"
    """Subtract and divide by: mean and standard deviation of ImageNet, or of the image itself."""

    def __post_init__(self) -> None:
        if self.size < MIN_SIZE:
            raise ValueError(f"Expected `size` to be at least {MIN_SIZE} pixels, but got {self.size}.")
        if self.channels < 1:
            raise ValueError(f"Expected `channels` to be at least 1, but got {self.channels}.")
        if self.normalise == "imagenet" and self.channels not in (1, 3):
            raise ValueError(f"Expected `normalise` to be 'image' for {self.channels} channels: ImageNet has 3.")

    def __call__(self, image: NDArray[Any]) -> NDArray[Any]:
        """(H, W, C) of 8 or 16 bits -> (size, size, channels) of the same type."""
        return resize_image(to_channels(image, self.channels), (self.size, self.size))


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
    """Nearest neighbour, so that no label is invented: (H, W) -> size."""
    return np.array(Image.fromarray(mask).resize(size[::-1], Image.Resampling.NEAREST))
