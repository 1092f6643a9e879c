"""Distances between the surfaces of two masks: Hausdorff distance and its 95 % form.

Definitions differ between tools by millimeters, so they are stated here in full.

- Surface: the mask pixels with at least one of their four neighbors outside the mask. Everything beyond the
  image is outside, so a mask that fills the image has the image's rim as its surface.
- Distance: from a pixel of one surface to the nearest pixel of the other, Euclidean, between pixel centers,
  in units of the spacing.
- HD: the larger of the two directed maxima.
- HD95: the larger of the two directed 95th percentiles, each with linear interpolation (not one percentile of
  the two sets pooled).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from tmunet.errors import InputError
from tmunet.metrics.pair import Mask, Spacing, check_pair, check_spacing


@dataclass(frozen=True)
class SurfaceDistances:
    """The directed distances of one pair of masks, in units of the spacing.

    Attributes:
        to_prediction: from each of the R pixels of the reference's surface to the prediction's, ``(R,)``.
        to_reference: from each of the P pixels of the prediction's surface to the reference's, ``(P,)``.

    """

    to_prediction: npt.NDArray[np.float64]
    to_reference: npt.NDArray[np.float64]

    @property
    def hd(self) -> float:
        """Hausdorff distance, ``max(max to_prediction, max to_reference)``."""
        return float(max(self.to_prediction.max(), self.to_reference.max()))

    @property
    def hd95(self) -> float:
        """95 % Hausdorff distance, ``max(P95 of to_prediction, P95 of to_reference)``."""
        return float(max(np.percentile(self.to_prediction, 95), np.percentile(self.to_reference, 95)))


def surface(mask: Mask) -> Mask:
    """Keep the pixels of a mask with a 4-neighbor outside it.

    Args:
        mask: ``(H, W)`` boolean.

    Returns:
        The surface, ``(H, W)`` boolean; empty only when the mask is.

    Example:
        >>> surface(np.ones((3, 4), dtype=bool)).astype(int)
        array([[1, 1, 1, 1],
               [1, 0, 0, 1],
               [1, 1, 1, 1]])

    """
    ringed = np.pad(mask, 1)  # the ring is outside the image, hence outside the mask
    inside = ringed[:-2, 1:-1] & ringed[2:, 1:-1] & ringed[1:-1, :-2] & ringed[1:-1, 2:]
    return mask & ~inside


def surface_distances(reference: Mask, prediction: Mask, spacing: Spacing = (1.0, 1.0)) -> SurfaceDistances:
    """Measure the distances between the surfaces of two masks, in both directions.

    Args:
        reference: ``(H, W)`` boolean, not empty.
        prediction: ``(H, W)`` boolean, not empty.
        spacing: (row, column) distance between pixel centers, in pixels or mm.

    Returns:
        The directed distances, from which HD and HD95 are read.

    Raises:
        InputError: not two boolean masks of one shape, a mask is empty, or the spacing is not positive.

    Example:
        >>> reference = np.array([[True, False, False, False]])
        >>> prediction = np.array([[True, False, False, True]])
        >>> surface_distances(reference, prediction, spacing=(1.0, 0.5)).hd
        1.5

    """
    check_pair(reference, prediction)
    check_spacing(spacing)
    for name, mask in (("reference", reference), ("prediction", prediction)):
        if not mask.any():
            raise InputError(
                f"Expected `{name}` to have at least one object pixel, but got an empty mask. "
                "Use the score() of a protocol, which decides what such an image counts for."
            )
    # A tree of surface pixels grows with the outline; a distance transform would grow with the area.
    reference_points = np.argwhere(surface(reference)) * np.asarray(spacing)  # (R, 2)
    prediction_points = np.argwhere(surface(prediction)) * np.asarray(spacing)  # (P, 2)
    return SurfaceDistances(
        to_prediction=_nearest(reference_points, prediction_points),
        to_reference=_nearest(prediction_points, reference_points),
    )


def _nearest(sources: npt.NDArray[np.float64], targets: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(cKDTree(targets).query(sources)[0], dtype=np.float64)
