"""Preprocess images: channels, resize, scale to [0, 1], normalize. The same in training, evaluation and prediction."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from tmunet.data.data_config import Normalization, Preprocess
from tmunet.data.io.images import to_channels

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_SD = (0.229, 0.224, 0.225)
EFFICIENTNET_LITE_MEAN, EFFICIENTNET_LITE_SD = 127 / 255, 128 / 255  # of every channel
FLOOR = 1e-3 / 257  # of a standard deviation: a quarter of a gray level of 16 bits; an empty image stays empty


def prepare(image: NDArray[Any], preprocess: Preprocess) -> NDArray[Any]:
    """Convert channels and resize: (H, W, C) of 8 or 16 bits -> (size, size, channels) of the same dtype."""
    return resize_image(to_channels(image, preprocess.channels), (preprocess.size, preprocess.size))


def resize_image(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Resize bilinearly with anti-aliasing, channel by channel: (H, W, C) of 8 or 16 bits -> (*size, C) of the same dtype."""
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
    """Resize labels by nearest neighbor, so that no label is invented: (H, W) -> size."""
    return np.array(Image.fromarray(mask).resize(size[::-1], Image.Resampling.NEAREST))


def unit(images: Tensor) -> Tensor:
    """Scale 8- or 16-bit images (B, C, H, W) to float32 in [0, 1]."""
    return images.to(torch.float32) / torch.iinfo(images.dtype).max


def normalize(images: Tensor, by: Normalization) -> Tensor:
    """Normalize images (B, C, H, W) in [0, 1]: to mean 0 and standard deviation 1, or by constants; see `Preprocess`."""
    if by == "image":
        sd, mean = torch.std_mean(images, dim=(1, 2, 3), keepdim=True)
        return (images - mean) / sd.clamp(min=FLOOR)
    mean, sd = (images.new_tensor(values).reshape(1, -1, 1, 1) for values in constants(by, images.shape[1]))
    return (images - mean) / sd


def constants(by: Normalization, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What to subtract from images in [0, 1] and to divide by, one value for all channels or one for each.

    >>> constants("imagenet", 1)
    ((0.449,), (0.226,))
    """
    if by == "efficientnet_lite":
        return (EFFICIENTNET_LITE_MEAN,), (EFFICIENTNET_LITE_SD,)
    if channels == 3:
        return IMAGENET_MEAN, IMAGENET_SD
    return (sum(IMAGENET_MEAN) / 3,), (sum(IMAGENET_SD) / 3,)
