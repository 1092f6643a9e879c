"""Validate a backend against PyTorch: compare logits, or masks where int8 makes logits incomparable."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tmunet.errors import BackendError
from tmunet.prediction.backends.sessions import Session
from tmunet.prediction.postprocess import decide

TOLERANCE = 1e-4  # of a logit, relative to the largest where that is above 1
OTHER_SIZES = 1e-3  # the same at sizes far from training, where PyTorch's own float32 is further than 1e-4 from float64
MIN_SAME_LABELS = 0.9999  # share of the pixels
MIN_INT8_DICE = 0.98  # mean of the images: a score on a test set then moves by about 0.02 at most
MIN_INT8_SAME_LABELS = 0.99  # share of the pixels: the Dice of small objects hides false positives in the background


@dataclass(frozen=True)
class Parity:
    """Agreement of the logits of a backend with those of PyTorch.

    Attributes:
        difference: largest absolute difference of a logit, relative to the largest logit where that is above 1.
        same_labels: share of the pixels with the same label.
    """

    difference: float
    same_labels: float


@dataclass(frozen=True)
class Agreement:
    """Agreement of the masks of a backend with those of PyTorch.

    Attributes:
        images: number of images compared.
        same_labels: share of the pixels with the same label.
        dice: mean over the images of their Dice, itself a mean over the classes without the background.
        lowest_dice: of an image.
    """

    images: int
    same_labels: float
    dice: float
    lowest_dice: float


def compare_logits(session: Session, reference: Session, images: Tensor, tolerance: float = TOLERANCE) -> Parity:
    """Compare the logits of two sessions on images (B, C, H, W).

    Raises:
        BackendError: the backend fails or computes something else; some rearrange layers that may not be rearranged.
    """
    expected, where = reference(images), f"on images of the shape {tuple(images.shape)}"
    try:
        found = session(images)
    except BackendError:  # it says itself which images
        raise
    except Exception as error:  # each runtime has other types
        reason = str(error).strip().splitlines()[-1][:200]
        raise BackendError(f"does not run {where}: {reason}", code="not-run") from error
    if found.shape != expected.shape:
        raise BackendError(
            f"gives {tuple(found.shape)} instead of {tuple(expected.shape)} {where}", code="wrong-output"
        )
    difference = float((found - expected).abs().max() / expected.abs().max().clamp(min=1))
    same = (decide(found) == decide(expected)).float().mean().item()
    if not (difference <= tolerance and same >= MIN_SAME_LABELS):  # also true for NaN
        raise BackendError(
            f"does not compute what PyTorch computes: {where} expected logits within {tolerance:g} and {MIN_SAME_LABELS:.2%} "
            f"equal labels, but found {difference:.1e} and {same:.3%}",
            code="wrong-output",
        )
    return Parity(difference, same)


def compare_masks(session: Session, reference: Session, images: Iterable[Tensor]) -> Agreement:
    """Compare the masks of two sessions, image by image (1, C, H, W).

    Raises:
        BackendError: they differ too much, or logits are not finite.
    """
    same, scores = [], []
    for image in images:
        logits, int8 = reference(image), session(image)
        for name, values in (("PyTorch", logits), ("int8", int8)):
            if not bool(values.isfinite().all()):  # NaN would become background
                raise BackendError(f"gives logits in {name} that are not finite", code="not-finite")
        expected, found = decide(logits)[0].numpy(), decide(int8)[0].numpy()
        same.append(float(np.mean(expected == found)))
        scores.append(_mean_dice(expected, found, max(2, logits.shape[1])))
    agreement = Agreement(len(same), fmean(same), fmean(scores), min(scores))
    if agreement.dice < MIN_INT8_DICE or agreement.same_labels < MIN_INT8_SAME_LABELS:
        raise BackendError(
            f"loses too much in int8: expected masks with a Dice of {MIN_INT8_DICE} to those of PyTorch and "
            f"{MIN_INT8_SAME_LABELS:.0%} equal labels, but found {agreement.dice:.4f} and {agreement.same_labels:.3%} on "
            f"{agreement.images} images; give more and more typical images, or leave --int8 out",
            code="int8-accuracy",
        )
    return agreement


def _mean_dice(expected: NDArray[np.uint8], found: NDArray[np.uint8], classes: int) -> float:
    """Average the Dice over the classes without the background; a class in neither mask has a Dice of 1."""
    scores = []
    for label in range(1, classes):
        a, b = expected == label, found == label
        total = int(a.sum()) + int(b.sum())
        scores.append(2 * int((a & b).sum()) / total if total else 1.0)
    return fmean(scores)


def synthetic_images(batch: int, channels: int, height: int, width: int) -> Tensor:
    """Generate images (B, C, H, W) of smooth shapes with noise, from a fixed seed."""
    images = torch.randn(batch, channels, height, width, generator=torch.Generator().manual_seed(0))
    return F.avg_pool2d(images, 9, 1, 4) * 4 + images / 4
