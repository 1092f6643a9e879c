"""The scale of the numbers a network sees."""

from typing import Literal

import torch
from torch import Tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_SD = (0.229, 0.224, 0.225)
FLOOR = 1e-3 / 257  # of a standard deviation: a quarter of a gray level of 16 bits; an empty image stays empty


def unit(images: Tensor) -> Tensor:
    """8- or 16-bit images (B, C, H, W) -> float32 in [0, 1]."""
    return images.to(torch.float32) / torch.iinfo(images.dtype).max


def normalize(images: Tensor, by: Literal["imagenet", "image"]) -> Tensor:
    """Images (B, C, H, W) in [0, 1] -> mean about 0 and standard deviation about 1, by `by` of `Preprocess.normalize`."""
    if by == "image":
        sd, mean = torch.std_mean(images, dim=(1, 2, 3), keepdim=True)
        return (images - mean) / sd.clamp(min=FLOOR)
    C = images.shape[1]
    mean, sd = (images.new_tensor(values).reshape(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_SD))
    return (images - mean) / sd if C == 3 else (images - mean.mean()) / sd.mean()
