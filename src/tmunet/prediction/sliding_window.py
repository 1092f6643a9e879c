"""Sliding-window inference for large images, at the scale of the training images."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from tmunet.data.preprocess import resize_image
from tmunet.data.training_stats import Scale
from tmunet.errors import InputError, TMUNetWarning
from tmunet.extras import require
from tmunet.file_limits import MAX_PIXELS

OVERLAP = 0.25  # of neighboring tiles, as a share of the tile size
BATCH = 4  # tiles in one call of the network

Size = tuple[int, int]
"""Height and width in pixels."""


def sliding_window(x: Tensor, tile_size: int, predict: Callable[[Tensor], Tensor]) -> Tensor:
    """Run sliding-window inference: predict tiles and blend their overlaps with Gaussian weights, by MONAI.

    Args:
        x: images (B, C, H, W); those smaller than a tile are padded by their border and cropped again.
        tile_size: side of a square tile in pixels.
        predict: (B, C, tile_size, tile_size) -> (B, K, tile_size, tile_size).

    Returns:
        (B, K, H, W), float32.
    """
    inferer = require("monai.inferers", extra="monai")
    blended: Tensor = inferer.sliding_window_inference(
        x, (tile_size, tile_size), BATCH, lambda tiles: predict(tiles).float().clone(), overlap=OVERLAP, mode="gaussian",
        padding_mode="replicate",
    )  # fmt: skip
    return torch.as_tensor(blended)


def scaled_size(size: Size, scale: Scale) -> Size:
    """Compute the height and width of an image at the scale of the training images."""
    return max(1, round(size[0] * scale.height.median)), max(1, round(size[1] * scale.width.median))


def check_scaled_size(size: Size, scale: Scale) -> None:
    """Check that an image at the scale of the training images has no more than `MAX_PIXELS` pixels.

    Raises:
        InputError: it has more.
    """
    height, width = scaled_size(size, scale)
    if height * width > MAX_PIXELS:
        raise InputError(
            f"Expected at most {MAX_PIXELS:,} pixels, but at the scale of training the image has {height:,} x {width:,}; "
            "cut it into tiles, or predict it without a sliding window.",
            code="too-large",
        )


def resample_to_training_scale(image: NDArray[Any], original_size: Size, scale: Scale | None) -> NDArray[Any]:
    """Resample an image (H, W, C) to the scale of the training images; without a known scale it stays as it is.

    Args:
        image: its pixels.
        original_size: height and width of the image in its file, even if `image` was resized since.
        scale: of the training images.
    """
    return image if scale is None else resize_image(image, scaled_size(original_size, scale))


def warn_unknown_scale(scale: Scale | None) -> None:
    """Warn that the model does not state the scale of its training images, so that tiles have the scale of each image.

    Warns:
        TMUNetWarning: `scale` is None.
    """
    if scale is None:
        warnings.warn(
            "The model does not state the scale of its training images, so the sliding window runs at the scale of each image: "
            "if training images were downscaled, objects look larger here. Train the model again to have its scale saved.",
            TMUNetWarning,
            stacklevel=3,
        )
