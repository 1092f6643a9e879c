"""Augment images and masks: flips, rotations, zoom, shift, brightness, contrast, gamma, color.

The parameters of an image depend on seed, epoch and case alone, not on its batch, the number of processes or an
interruption; they are applied to a whole batch on its device.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from tmunet.data.data_config import AugmentConfig


@dataclass(frozen=True)
class Draw:
    """Augmentation parameters of one image in one epoch."""

    horizontal_flip: bool
    vertical_flip: bool
    quarter_turns: int
    zoom: float
    shift: tuple[float, float]
    brightness: float
    contrast: float
    gamma: float
    color: tuple[float, ...]


def draw(config: AugmentConfig, channels: int, seed: int, epoch: int, case: int) -> Draw:
    """Draw the augmentation parameters of case number `case`; reproducible by seed, epoch and case."""
    random = np.random.Generator(np.random.Philox(key=[seed, epoch << 32 | case]))
    zoom = math.exp(random.uniform(-1, 1) * math.log(config.zoom))
    slack = max(0.0, 1 - 1 / zoom)  # how far an enlarged image can be shifted without showing its border
    return Draw(
        horizontal_flip=bool(random.random() < config.horizontal_flip),
        vertical_flip=bool(random.random() < config.vertical_flip),
        quarter_turns=int(random.integers(4)) if config.quarter_turns else 0,
        zoom=zoom,
        shift=(slack * random.uniform(-1, 1), slack * random.uniform(-1, 1)),
        brightness=config.brightness * random.uniform(-1, 1),
        contrast=1 + config.contrast * random.uniform(-1, 1),
        gamma=math.exp(config.gamma * random.uniform(-1, 1)),
        color=tuple(1 + config.color * random.uniform(-1, 1) for _ in range(channels)),
    )


def augment(images: Tensor, masks: Tensor, draws: Sequence[Draw]) -> tuple[Tensor, Tensor]:
    """Augment a batch, one draw for each image.

    Args:
        images: (B, C, S, S) in [0, 1].
        masks: (B, S, S) labels; moved with their images by nearest neighbor.
        draws: B of them.

    Returns:
        New images in [0, 1] and new masks, of the same shapes.
    """
    images, masks = _turn(images, masks, draws)
    images, masks = _zoom(images, masks, draws)
    return _recolor(images, draws), masks


def _turn(images: Tensor, masks: Tensor, draws: Sequence[Draw]) -> tuple[Tensor, Tensor]:
    images, masks = images.clone(), masks.clone()
    for b, d in enumerate(draws):
        axes = [axis for axis, flip in ((-1, d.horizontal_flip), (-2, d.vertical_flip)) if flip]
        images[b] = images[b].flip(axes).rot90(d.quarter_turns, (-2, -1))
        masks[b] = masks[b].flip(axes).rot90(d.quarter_turns, (-2, -1))
    return images, masks


def _zoom(images: Tensor, masks: Tensor, draws: Sequence[Draw]) -> tuple[Tensor, Tensor]:
    if all(d.zoom == 1 for d in draws):
        return images, masks
    theta = images.new_tensor([[[1 / d.zoom, 0, d.shift[0]], [0, 1 / d.zoom, d.shift[1]]] for d in draws])
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    images = F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    labels = masks.unsqueeze(1).to(images.dtype)
    labels = F.grid_sample(labels, grid, mode="nearest", padding_mode="reflection", align_corners=False)
    return images, labels.squeeze(1).to(masks.dtype)


def _recolor(images: Tensor, draws: Sequence[Draw]) -> Tensor:
    def per_image(values: Sequence[float | tuple[float, ...]]) -> Tensor:
        return images.new_tensor(values).reshape(len(draws), -1, 1, 1)

    mean = images.mean((1, 2, 3), keepdim=True)
    changed = (images - mean) * per_image([d.contrast for d in draws]) + mean
    changed = changed * per_image([d.color for d in draws]) + per_image([d.brightness for d in draws])
    return changed.clamp(0, 1) ** per_image([d.gamma for d in draws])
