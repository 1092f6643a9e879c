"""Convert logits to probabilities and label masks. Needs torch only: training uses it too."""

import torch
from torch import Tensor

THRESHOLD = 0.5
"""Foreground probability above which a pixel of a binary mask is foreground."""


def probabilities(logits: Tensor) -> Tensor:
    """Convert logits (B, 1 or K, H, W) to probabilities (B, K, H, W), background first; one channel means two classes."""
    logits = logits.float()
    if logits.shape[1] > 1:
        return torch.softmax(logits, dim=1)
    foreground = torch.sigmoid(logits)
    return torch.cat([1 - foreground, foreground], dim=1)


def labels(probability: Tensor) -> Tensor:
    """Convert probabilities (B, K, H, W) to labels (B, H, W), uint8: argmax, or `THRESHOLD` for two classes."""
    if probability.shape[1] == 2:
        return (probability[:, 1] > THRESHOLD).to(torch.uint8)
    return probability.argmax(1).to(torch.uint8)


def decide(logits: Tensor) -> Tensor:
    """Convert logits (B, 1 or K, H, W) to labels (B, H, W), uint8."""
    return labels(probabilities(logits))
