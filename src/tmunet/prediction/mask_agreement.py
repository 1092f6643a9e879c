"""How far the masks of a file in int8 agree with those of PyTorch, where logits cannot."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tmunet.errors import BackendError
from tmunet.metrics import EMPTY_POLICY, Presence, confusion
from tmunet.prediction.backends.sessions import Run
from tmunet.prediction.postprocess import decide

LEAST_DICE = 0.98  # mean of the images: a score on a test set then moves by about 0.02 at most
LEAST_SAME_LABELS = 0.99  # share of the pixels: the Dice of small objects says little of false ones in the background


@dataclass(frozen=True)
class Agreement:
    """Of the masks of two backends.

    Attributes:
        images: how many were compared.
        same_labels: share of the pixels with the same label.
        dice: mean over the images of their Dice, which is the mean over the classes but the background.
        lowest_dice: of an image.
    """

    images: int
    same_labels: float
    dice: float
    lowest_dice: float


def compare_masks(run: Run, reference: Run, images: Iterable[Tensor]) -> Agreement:
    """Compare the masks of both, image by image (1, C, H, W).

    Raises:
        BackendError: they differ too much, or logits are not finite.
    """
    same, scores = [], []
    for image in images:
        logits, int8 = reference(image), run(image)
        for name, values in (("PyTorch", logits), ("int8", int8)):
            if not bool(values.isfinite().all()):  # a mask of NaN would be one of background
                raise BackendError(f"gives logits in {name} that are not finite")
        expected, found = decide(logits)[0].numpy(), decide(int8)[0].numpy()
        same.append(float(np.mean(expected == found)))
        scores.append(_dice(expected, found, max(2, logits.shape[1])))
    done = Agreement(len(same), fmean(same), fmean(scores), min(scores))
    if done.dice < LEAST_DICE or done.same_labels < LEAST_SAME_LABELS:
        raise BackendError(
            f"loses too much in int8: expected masks with a Dice of {LEAST_DICE} to those of PyTorch and "
            f"{LEAST_SAME_LABELS:.0%} equal labels, but found {done.dice:.4f} and {done.same_labels:.3%} on {done.images} "
            "images; give more and more typical images, or leave --int8 out"
        )
    return done


def _dice(expected: NDArray[np.uint8], found: NDArray[np.uint8], classes: int) -> float:
    """Mean over the classes but the background; a class that is in neither mask agrees."""
    counts = [confusion(expected == label, found == label) for label in range(1, classes)]
    neither = EMPTY_POLICY[Presence.NEITHER].overlap
    return fmean(one.dice() if one.tp + one.fp + one.fn else neither for one in counts)
