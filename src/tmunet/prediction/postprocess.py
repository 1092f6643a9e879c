"""From logits to probabilities and labels."""

import torch
from torch import Tensor

THRESHOLD = 0.5


def probabilities(logits: Tensor) -> Tensor:
    """Logits (B, 1 or K, H, W) -> probabilities (B, K, H, W), background first; one output means two classes."""
    logits = logits.float()
    if logits.shape[1] > 1:
        return torch.softmax(logits, dim=1)
    foreground = torch.sigmoid(logits)
    return torch.cat([1 - foreground, foreground], dim=1)


def labels(probability: Tensor) -> Tensor:
    """Probabilities (B, K, H, W) -> labels (B, H, W), uint8: the likeliest; of two classes, the second above 0.5."""
    if probability.shape[1] == 2:
        return (probability[:, 1] > THRESHOLD).to(torch.uint8)
    return probability.argmax(1).to(torch.uint8)


def decide(logits: Tensor) -> Tensor:
    """Logits (B, 1 or K, H, W) -> labels (B, H, W), uint8."""
    return labels(probabilities(logits))
