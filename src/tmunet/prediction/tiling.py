"""A window that slides over a large image, by MONAI."""

from collections.abc import Callable

import torch
from torch import Tensor

from tmunet.extras import require

OVERLAP = 0.25  # share of the side that neighboring windows have in common
BATCH = 4  # windows in one call of the network


def sliding_window(x: Tensor, side: int, predict: Callable[[Tensor], Tensor]) -> Tensor:
    """Predict windows of `side` x `side` pixels and blend their overlaps with Gaussian weights.

    Args:
        x: images (B, C, H, W); smaller ones are padded with their border and cut back.
        side: of the window, in pixels.
        predict: (B, C, side, side) -> (B, K, side, side).

    Returns:
        (B, K, H, W), float32.
    """
    inferer = require("monai.inferers", extra="monai")
    blended: Tensor = inferer.sliding_window_inference(
        x, (side, side), BATCH, lambda window: predict(window).float().clone(), overlap=OVERLAP, mode="gaussian",
        padding_mode="replicate",
    )  # fmt: skip
    return torch.as_tensor(blended)
