"""Whether a backend computes what PyTorch computes."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tmunet.errors import BackendError
from tmunet.prediction.backends.sessions import Run
from tmunet.prediction.postprocess import decide

TOLERANCE = 1e-4  # of a logit, relative to the largest where that is above 1
OTHER_SIZES = 1e-3  # the same at sizes far from training, where PyTorch's own float32 is further than 1e-4 from float64
SAME_LABELS = 0.9999  # share of the pixels


@dataclass(frozen=True)
class Parity:
    """How near a backend comes to PyTorch.

    Attributes:
        difference: the largest of a logit, relative to the largest logit where that is above 1.
        same_labels: share of the pixels with the same label.
    """

    difference: float
    same_labels: float


def compare_logits(run: Run, reference: Run, images: Tensor, tolerance: float = TOLERANCE) -> Parity:
    """Run both on the same images (B, C, H, W).

    Raises:
        BackendError: the backend fails, or computes something else; some rearrange layers that may not be rearranged.
    """
    expected, where = reference(images), f"on images of the shape {tuple(images.shape)}"
    try:
        found = run(images)
    except Exception as error:  # each runtime has its own
        reason = str(error).strip().splitlines()[-1][:200]
        raise BackendError(f"does not run {where}: {reason}") from error
    if found.shape != expected.shape:
        raise BackendError(f"gives {tuple(found.shape)} instead of {tuple(expected.shape)} {where}")
    difference = float((found - expected).abs().max() / expected.abs().max().clamp(min=1))
    same = (decide(found) == decide(expected)).float().mean().item()
    if not (difference <= tolerance and same >= SAME_LABELS):  # NaN is neither
        raise BackendError(
            f"does not compute what PyTorch computes: {where} expected logits within {tolerance:g} and {SAME_LABELS:.2%} "
            f"equal labels, but found {difference:.1e} and {same:.3%}"
        )
    return Parity(difference, same)


def synthetic_images(batch: int, channels: int, height: int, width: int) -> Tensor:
    """Images (B, C, H, W) with smooth shapes under noise, the same each time."""
    images = torch.randn(batch, channels, height, width, generator=torch.Generator().manual_seed(0))
    return F.avg_pool2d(images, 9, 1, 4) * 4 + images / 4
