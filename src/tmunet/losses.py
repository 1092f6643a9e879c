"""The joint segmentation loss: lambda_1 cross-entropy + lambda_2 Dice. TM-UNet section 2.4, Eq. 9."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmunet.labels import IGNORE_LABEL

SMOOTH = 1.0  # added to both sides of the Dice quotient, in pixels: an image without foreground has a gradient too


class DiceCELoss(nn.Module):
    """L_seg = lambda_1 L_CE + lambda_2 L_Dice for each image, from logits.

    Binary (one output): sigmoid, binary cross-entropy. K classes: softmax, cross-entropy. The Dice loss is
    1 - (2 sum p g + 1) / (sum p + sum g + 1) over the pixels of an image, averaged over the classes without the background.
    Pixels labeled 255 count in neither, and an image without others costs 0: `mean_loss` leaves it out of the mean. Labels
    beyond the classes are not looked for: what reads masks refuses them.

    Args:
        cross_entropy: lambda_1; the paper takes 2.
        dice: lambda_2; the paper takes 1.
    """

    def __init__(self, cross_entropy: float = 2.0, dice: float = 1.0) -> None:
        super().__init__()
        self.cross_entropy, self.dice = cross_entropy, dice

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, 1 or K, H, W) and labels (B, H, W) -> losses (B,), in float32."""
        logits, valid = logits.float(), target != IGNORE_LABEL
        labels = torch.where(valid, target, 0).long()
        if logits.shape[1] == 1:
            truth = labels.unsqueeze(1).to(logits.dtype)  # (B, 1, H, W)
            ce = F.binary_cross_entropy_with_logits(logits, truth, reduction="none").squeeze(1)
            probability = torch.sigmoid(logits)
        else:
            truth = F.one_hot(labels, logits.shape[1]).permute(0, 3, 1, 2)[:, 1:].to(logits.dtype)  # (B, K - 1, H, W)
            ce = F.cross_entropy(logits, labels, reduction="none")
            probability = torch.softmax(logits, dim=1)[:, 1:]
        mean_ce = (ce * valid).sum((1, 2)) / valid.sum((1, 2)).clamp(min=1)
        return self.cross_entropy * mean_ce + self.dice * dice_loss(probability, truth, valid)


class DeepSupervisionLoss(nn.Module):
    """sum_k w_k L(logits_k) for each image, over the resolutions of a network that has logits at several.

    The labels of a coarser resolution are those of the nearest pixels. A resolution of weight 0 is not computed.

    Args:
        loss: L, of logits (B, 1 or K, h, w) and labels (B, h, w).
        weights: w_k, finest resolution first.
    """

    def __init__(self, loss: nn.Module, weights: Sequence[float]) -> None:
        super().__init__()
        self.loss, self.weights = loss, tuple(weights)

    def forward(self, outputs: Sequence[Tensor], target: Tensor) -> Tensor:
        """Logits (B, 1 or K, h, w) of each resolution and labels (B, H, W) -> losses (B,)."""
        total = outputs[0].new_zeros(len(target), dtype=torch.float32)
        for weight, logits in zip(self.weights, outputs, strict=True):
            if weight:
                labels = F.interpolate(target[:, None].float(), logits.shape[2:], mode="nearest-exact")[:, 0]
                total = total + weight * self.loss(logits, labels.to(target.dtype))
        return total


def counts(target: Tensor) -> Tensor:
    """Which images of labels (B, H, W) have a pixel that counts, (B,)."""
    return (target != IGNORE_LABEL).flatten(1).any(1)


def mean_loss(losses: Tensor, target: Tensor) -> Tensor:
    """Mean of the losses (B,) of the images that have a pixel that counts in their labels (B, H, W); 0 if none has."""
    return losses.sum() / counts(target).sum().clamp(min=1)  # the others are 0


def loss_from_config(network: nn.Module, cross_entropy: float, dice: float) -> nn.Module:
    """The loss that a network is trained with: at several resolutions if it has `supervision_weights`."""
    plain = DiceCELoss(cross_entropy, dice)
    weights: Sequence[float] | None = getattr(network, "supervision_weights", None)
    return plain if weights is None else DeepSupervisionLoss(plain, weights)


def dice_loss(probability: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Soft Dice loss of each image, (B, C, H, W) twice and the valid pixels (B, H, W) -> (B,)."""
    p, g = (x * valid.unsqueeze(1) for x in (probability, truth))
    overlap = 2 * (p * g).sum((2, 3)) + SMOOTH  # (B, C)
    return (1 - overlap / (p.sum((2, 3)) + g.sum((2, 3)) + SMOOTH)).mean(1)
