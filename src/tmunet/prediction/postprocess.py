"""Postprocessing: logits to probabilities to label masks, and the cleaning of masks by connected components."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from tmunet.errors import UsageError
from tmunet.metrics import components
from tmunet.model_config import OperatingPoint
from tmunet.prediction.backends.names import THRESHOLD as THRESHOLD
from tmunet.prediction.backends.names import Keep


def probabilities(logits: Tensor) -> Tensor:
    """Convert logits (B, 1 or K, H, W) to probabilities (B, K, H, W), background first; one channel means two classes."""
    logits = logits.float()
    if logits.shape[1] > 1:
        return torch.softmax(logits, dim=1)
    foreground = torch.sigmoid(logits)
    return torch.cat([1 - foreground, foreground], dim=1)


def labels(probability: Tensor, threshold: float = THRESHOLD) -> Tensor:
    """Convert probabilities (B, K, H, W) to labels (B, H, W), uint8: argmax, or a threshold for two classes."""
    if probability.shape[1] == 2:
        return (probability[:, 1] > threshold).to(torch.uint8)
    return probability.argmax(1).to(torch.uint8)


def decide(logits: Tensor) -> Tensor:
    """Convert logits (B, 1 or K, H, W) to labels (B, H, W), uint8."""
    return labels(probabilities(logits))


def choose_threshold(given: float | None, points: Sequence[OperatingPoint | None], classes: int) -> tuple[float, str]:
    """Choose the threshold of a prediction, and say where it comes from.

    Args:
        given: by the user, or None.
        points: operating point of each model, or None.
        classes: number of classes, the background included.

    Returns:
        The threshold, and its source for people; empty for more than two classes, which need none.

    Raises:
        UsageError: a threshold was given for more than two classes.
    """
    if classes > 2:
        if given is not None:
            raise UsageError(
                f"Expected no `threshold` for {classes} classes: each pixel gets the class of the highest probability.",
                code="value",
            )
        return THRESHOLD, ""
    if given is not None:
        return given, f"{given:g}, given"
    chosen = {None if point is None else point.threshold for point in points}
    if len(chosen) > 1:
        return THRESHOLD, f"{THRESHOLD:g}, since the models have different ones"
    point = points[0]
    return (THRESHOLD, f"{THRESHOLD:g}, the default") if point is None else (point.threshold, str(point))


@dataclass(frozen=True)
class Postprocess:
    """From probabilities to a mask, in this order: threshold, fill holes, remove small objects, keep the largest object.

    Objects are 8-connected components of one class; every class but the background is treated by itself. Pixels that are
    removed become background, and only background is filled.

    Args:
        threshold: probability above which a pixel is foreground, between 0 and 1; for two classes only, others use argmax.
        keep: "all" objects, or the "largest" of each class (of two equally large ones the first in reading order).
        fill_holes: fill background that an object encloses.
        min_size: smallest area of an object that is kept, in pixels of the image at its own size.

    Raises:
        UsageError: a value that does not fit.
    """

    threshold: float = THRESHOLD
    keep: Keep = "all"
    fill_holes: bool = False
    min_size: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise UsageError(f"Expected `threshold` to be between 0 and 1, but got {self.threshold}.", code="value")
        if self.keep not in get_args(Keep):
            raise UsageError(
                f"Expected `keep` to be one of {', '.join(get_args(Keep))}, but got {self.keep!r}.", code="value"
            )
        if self.min_size < 0:
            raise UsageError(f"Expected `min_size` to be at least 0 pixels, but got {self.min_size}.", code="value")

    def __call__(self, probability: Tensor) -> NDArray[np.uint8]:
        """Convert probabilities (1, K, H, W) at the size of the image to a mask (H, W)."""
        return self.clean(labels(probability, self.threshold)[0].cpu().numpy())

    def clean(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Fill holes and remove objects of a mask (H, W) of labels; the mask that is given stays as it is.

        >>> mask = np.array([[1, 1, 1, 0, 0], [1, 0, 1, 0, 1], [1, 1, 1, 0, 0]], np.uint8)
        >>> Postprocess(keep="largest", fill_holes=True).clean(mask).tolist()
        [[1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 0, 0]]
        """
        if self.keep == "all" and not self.fill_holes and self.min_size <= 1:
            return mask
        result = mask.copy()
        for label in np.unique(mask[mask > 0]):
            region = result == label
            if self.fill_holes:
                region |= ndimage.binary_fill_holes(region) & (result == 0)
                result[region] = label
            objects, areas = components(region)
            areas[0] = 0  # the background
            kept = areas >= self.min_size
            if self.keep == "largest":
                kept &= np.arange(len(areas)) == areas.argmax()
            result[region & ~kept[objects]] = 0
        return result

    def to_dict(self) -> dict[str, Any]:
        """Return the settings, for JSON."""
        return asdict(self)
