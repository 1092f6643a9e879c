"""Segmentation losses: Dice + cross-entropy (TM-UNet section 2.4, Eq. 9), and deep supervision."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmunet.labels import IGNORE_LABEL

SMOOTH = 1.0  # added to both sides of the Dice quotient, in pixels: an image without foreground has a gradient too


class DiceCELoss(nn.Module):
    """L_seg = lambda_ce L_CE + lambda_dice L_Dice, from logits.

    Binary (one output): sigmoid, binary cross-entropy. K classes: softmax, cross-entropy. The Dice loss is
    1 - (2 sum p g + 1) / (sum p + sum g + 1) over the pixels of an image, averaged over the classes without the background.
    Pixels labeled 255 are ignored. Labels beyond the classes are not checked here: readers of masks refuse them.

    Args:
        lambda_ce: lambda_1; the paper takes 2.
        lambda_dice: lambda_2; the paper takes 1.
        reduction: "mean" over the images that have a pixel that is not ignored (0 if none has), "sum" over the images, or
            "none": a loss for each image, 0 where all pixels are ignored.

    >>> logits, target = torch.zeros(2, 1, 8, 8), torch.zeros(2, 8, 8)
    >>> DiceCELoss()(logits, target).shape, DiceCELoss(reduction="none")(logits, target).shape
    (torch.Size([]), torch.Size([2]))
    """

    def __init__(
        self, lambda_ce: float = 2.0, lambda_dice: float = 1.0, reduction: Literal["mean", "sum", "none"] = "mean"
    ) -> None:
        super().__init__()
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(f"Expected `reduction` to be mean, sum or none, but got {reduction!r}.")
        self.lambda_ce, self.lambda_dice, self.reduction = lambda_ce, lambda_dice, reduction

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, 1 or K, H, W) and labels (B, H, W) -> loss, or losses (B,), in float32."""
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
        losses = self.lambda_ce * mean_ce + self.lambda_dice * dice_loss(probability, truth, valid)  # Eq. 9, (B,)
        if self.reduction == "mean":
            return mean_loss(losses, target)
        return losses.sum() if self.reduction == "sum" else losses


class DeepSupervisionLoss(nn.Module):
    """Deep supervision: sum_k w_k L(logits_k) for each image, over the resolutions of a network with several outputs.

    Labels are resized to a coarser resolution by nearest neighbor. A resolution of weight 0 is not computed.

    Args:
        loss: L, of logits (B, 1 or K, h, w) and labels (B, h, w), with reduction "none".
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
    """Test which images of labels (B, H, W) have a pixel that is not ignored, (B,)."""
    return (target != IGNORE_LABEL).flatten(1).any(1)


def mean_loss(losses: Tensor, target: Tensor) -> Tensor:
    """Mean of the losses (B,) over the images with a pixel that is not ignored in their labels (B, H, W); 0 if none has."""
    return losses.sum() / counts(target).sum().clamp(min=1)  # the losses of the others are 0


def loss_from_config(network: nn.Module, lambda_ce: float, lambda_dice: float) -> nn.Module:
    """The training loss of a network, (B,): with deep supervision if it has `supervision_weights`."""
    loss = DiceCELoss(lambda_ce, lambda_dice, reduction="none")
    weights: Sequence[float] | None = getattr(network, "supervision_weights", None)
    return loss if weights is None else DeepSupervisionLoss(loss, weights)


def dice_loss(probability: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Soft Dice loss of each image: probabilities and truth (B, C, H, W), and which pixels are not ignored (B, H, W) -> (B,)."""
    p, g = (x * valid.unsqueeze(1) for x in (probability, truth))
    overlap = 2 * (p * g).sum((2, 3)) + SMOOTH  # (B, C)
    return (1 - overlap / (p.sum((2, 3)) + g.sum((2, 3)) + SMOOTH)).mean(1)
