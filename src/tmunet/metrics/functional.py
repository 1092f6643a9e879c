"""Segmentation metrics of one class of one image: overlap, surface distance, and counts of lesions.

Masks are boolean NumPy arrays or torch tensors ``(H, W)``, on any device; results are floats. Arguments come as
``(preds, target)``, and distances are in units of the spacing. Where a
ratio is 0/0 it is NaN here; what such an image scores is a decision, and :mod:`tmunet.metrics.protocols` takes it.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from tmunet.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

Mask: TypeAlias = npt.NDArray[np.bool_]
"""One class of one image: ``(H, W)`` boolean, True on the object."""

MaskLike: TypeAlias = "Mask | Tensor"
"""The same as a NumPy array or a torch tensor."""

Spacing: TypeAlias = tuple[float, float]
"""(row, column) distance between pixel centers, such as mm; (1, 1) measures in pixels."""

MIN_OBJECT_PIXELS = 5
"""Smallest area of a lesion (object), in pixels of the image at native size; smaller components are annotation artifacts.

A number of pixels and no share of the image, since a lesion does not become an artifact in a larger image. The smallest whole
nucleus of DSB 2018 has 21.
"""

OBJECT_COUNTS = ("objects", "objects_missed", "objects_false", "objects_too_small", "objects_too_small_predicted")
"""Column names of the lesion counts, of an image and, summed, of a set."""

OBJECT_COLUMNS = (*OBJECT_COUNTS, "objects_missed_largest_px")
"""Column names of everything that is measured on the lesions of an image."""

_EIGHT_CONNECTED = np.ones((3, 3), dtype=bool)
_REACH = 3  # pixels within which surfaces are compared without a tree
_AROUND = [(row, column) for row in range(-_REACH, _REACH + 1) for column in range(-_REACH, _REACH + 1)]
_RINGS = {  # steps to the neighbors by their squared distance, the nearest first
    squared: [step for step in _AROUND if step[0] ** 2 + step[1] ** 2 == squared]
    for squared in sorted({row**2 + column**2 for row, column in _AROUND} - {0})
    if squared <= _REACH**2
}


def as_masks(preds: MaskLike, target: MaskLike) -> tuple[Mask, Mask]:
    """Validate a pair of masks and return them as NumPy arrays.

    Raises:
        InputError: as of :func:`check_pair`.

    """
    pair = _as_array(preds), _as_array(target)
    check_pair(*pair)
    return pair


def _as_array(mask: MaskLike) -> Mask:
    # by its methods: importing torch here would make metrics of arrays wait for it
    array: Mask = mask.detach().cpu().numpy() if hasattr(mask, "detach") else mask
    return array


def check_pair(preds: Mask, target: Mask) -> None:
    """Validate a pair of masks.

    Raises:
        InputError: a mask is no NumPy array, not 2-D, without pixels or not boolean, or the shapes differ.

    """
    _check_mask("preds", preds)
    _check_mask("target", target)
    if preds.shape != target.shape:
        raise InputError(
            f"Expected `preds` and `target` to have the same shape, but got {preds.shape} and {target.shape}. "
            "Resize the prediction to the size of the target before scoring."
        )


def _check_mask(name: str, mask: Mask) -> None:
    if not isinstance(mask, np.ndarray):
        raise InputError(
            f"Expected `{name}` to be a NumPy array or a torch tensor, but got {type(mask).__name__}. "
            "Convert it first, for example with numpy.asarray(mask)."
        )
    if mask.ndim != 2 or mask.size == 0:
        raise InputError(
            f"Expected `{name}` to have shape (H, W) with at least one pixel, but got shape {mask.shape}. "
            "Score one class of one image at a time."
        )
    if mask.dtype != np.bool_:
        raise InputError(
            f"Expected `{name}` to be boolean, but got {mask.dtype}. "
            "Threshold it or choose a class first, for example probability > 0.5 or labels == 1."
        )


def check_spacing(spacing: Spacing) -> None:
    """Validate a spacing.

    Raises:
        InputError: it is not two finite positive numbers.

    """
    if len(spacing) != 2 or not all(math.isfinite(step) and step > 0 for step in spacing):
        raise InputError(
            f"Expected `spacing` to be two finite numbers above 0, (row, column), but got {spacing}. "
            "Use (1.0, 1.0) to measure in pixels."
        )


@dataclass(frozen=True)
class Counts:
    """Confusion matrix of the pixels of one image, and the ratios made of it.

    Attributes:
        tp: true positives, object in both masks.
        fp: false positives, in the prediction only.
        fn: false negatives, in the target only.
        tn: true negatives, in neither.

    """

    tp: int
    fp: int
    fn: int
    tn: int

    def dice(self, smooth: float = 0.0) -> float:
        """``(2 tp + smooth) / (2 tp + fp + fn + smooth)``."""
        return _ratio(2 * self.tp + smooth, 2 * self.tp + self.fp + self.fn + smooth)

    def iou(self, smooth: float = 0.0) -> float:
        """``(tp + smooth) / (tp + fp + fn + smooth)``."""
        return _ratio(self.tp + smooth, self.tp + self.fp + self.fn + smooth)

    def precision(self) -> float:
        """``tp / (tp + fp)``."""
        return _ratio(self.tp, self.tp + self.fp)

    def recall(self) -> float:
        """``tp / (tp + fn)``."""
        return _ratio(self.tp, self.tp + self.fn)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def confusion(preds: MaskLike, target: MaskLike) -> Counts:
    """Count true and false positives and negatives; they sum to ``H * W``.

    Example:
        >>> confusion(np.array([[False, True, True, False]]), np.array([[True, True, False, False]]))
        Counts(tp=1, fp=1, fn=1, tn=1)

    """
    preds, target = as_masks(preds, target)
    tp = int(np.count_nonzero(preds & target))
    fp = int(np.count_nonzero(preds)) - tp
    fn = int(np.count_nonzero(target)) - tp
    return Counts(tp=tp, fp=fp, fn=fn, tn=target.size - tp - fp - fn)


def dice(preds: MaskLike, target: MaskLike, smooth: float = 0.0) -> float:
    """Dice coefficient, ``(2 tp + smooth) / (2 tp + fp + fn + smooth)``.

    Args:
        preds: ``(H, W)`` boolean.
        target: ``(H, W)`` boolean.
        smooth: added to numerator and denominator; the paper's code adds 1.

    Returns:
        0 to 1; NaN if both masks are empty and ``smooth`` is 0.

    Example:
        >>> dice(np.array([[False, True, True]]), np.array([[True, True, False]]))
        0.5

    """
    return confusion(preds, target).dice(smooth)


def iou(preds: MaskLike, target: MaskLike, smooth: float = 0.0) -> float:
    """Intersection over union (Jaccard index), ``(tp + smooth) / (tp + fp + fn + smooth)``; arguments as of :func:`dice`.

    Example:
        >>> iou(np.array([[True, True, False, False]]), np.array([[True, False, True, True]]))
        0.25

    """
    return confusion(preds, target).iou(smooth)


def precision(preds: MaskLike, target: MaskLike) -> float:
    """Precision (positive predictive value), ``tp / (tp + fp)``; NaN if the prediction is empty.

    Example:
        >>> precision(np.array([[True, True, False]]), np.array([[True, False, True]]))
        0.5

    """
    return confusion(preds, target).precision()


def recall(preds: MaskLike, target: MaskLike) -> float:
    """Recall (sensitivity), ``tp / (tp + fn)``; NaN if the target is empty.

    Example:
        >>> recall(np.array([[True, True, False]]), np.array([[True, False, False]]))
        1.0

    """
    return confusion(preds, target).recall()


def f1(preds: MaskLike, target: MaskLike) -> float:
    """F1 score, ``2 tp / (2 tp + fp + fn)``: for one image the same number as :func:`dice`.

    Example:
        >>> f1(np.array([[False, True, True]]), np.array([[True, True, False]]))
        0.5

    """
    return dice(preds, target)


@dataclass(frozen=True)
class SurfaceDistances:
    """Directed surface distances of a pair of masks, in units of the spacing.

    Attributes:
        preds_to_target: of each of the P surface pixels of the prediction to the target's surface, ``(P,)``.
        target_to_preds: of each of the T surface pixels of the target to the prediction's surface, ``(T,)``.

    """

    preds_to_target: npt.NDArray[np.float64]
    target_to_preds: npt.NDArray[np.float64]

    def hausdorff(self, percentile: float = 100.0) -> float:
        """Larger of the two directed percentiles, each with linear interpolation; 100 gives HD, 95 gives HD95."""
        both = (self.preds_to_target, self.target_to_preds)
        return float(max(one.max() if percentile == 100 else np.percentile(one, percentile) for one in both))


def surface(mask: Mask) -> Mask:
    """Surface of a mask: its pixels with a 4-neighbor outside it, where beyond the image counts as outside.

    Example:
        >>> surface(np.ones((3, 4), dtype=bool)).astype(int)
        array([[1, 1, 1, 1],
               [1, 0, 0, 1],
               [1, 1, 1, 1]])

    """
    padded = np.pad(mask, 1)
    inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inside


def surface_distances(preds: MaskLike, target: MaskLike, spacing: Spacing = (1.0, 1.0)) -> SurfaceDistances:
    """Euclidean distances between the surfaces of two masks, pixel center to nearest pixel center, in both directions.

    Args:
        preds: ``(H, W)`` boolean, not empty.
        target: ``(H, W)`` boolean, not empty.
        spacing: (row, column) distance between pixel centers.

    Raises:
        InputError: not two boolean masks of one shape, one is empty, or the spacing is not positive.

    Example:
        >>> surface_distances(np.array([[True, False, False, True]]), np.array([[True, False, False, False]])).preds_to_target
        array([0., 3.])

    """
    preds, target = as_masks(preds, target)
    check_spacing(spacing)
    for name, mask in (("preds", preds), ("target", target)):
        if not mask.any():
            raise InputError(
                f"Expected `{name}` to have at least one object pixel, but got an empty mask. "
                "Score it with a protocol, which has a policy for empty masks."
            )
    # A tree of surface pixels grows with the outline; a distance transform would grow with the area.
    predicted, expected = surface(preds), surface(target)
    steps = np.asarray(spacing)
    return SurfaceDistances(_nearest(predicted, expected, steps), _nearest(expected, predicted, steps))


def _nearest(sources: Mask, targets: Mask, steps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Compute the distance of each pixel of one surface to the other; those on both have 0 without a search."""
    apart = sources & ~targets
    # in other units the tree rounds products of places, which rings would not
    near = _nearest_in_rings(apart, targets) if (steps == 1).all() else np.full(np.count_nonzero(apart), np.inf)
    far = np.isinf(near)
    if far.any():
        # splitting cells in their middle builds the tree faster; the nearest pixel is the same
        tree = cKDTree(np.argwhere(targets) * steps, balanced_tree=False, compact_nodes=False)
        near[far] = tree.query(np.argwhere(apart)[far] * steps)[0]
    distances = np.zeros(np.count_nonzero(sources))
    distances[~targets[sources]] = near
    return distances


def _nearest_in_rings(sources: Mask, targets: Mask) -> npt.NDArray[np.float64]:
    """Distance of each source to the nearest target within a few pixels, where most are; infinite beyond them.

    Looks at the neighbors of one distance after the other, which takes less time than building a tree.
    """
    padded = np.pad(targets, _REACH)
    flat, width = padded.ravel(), padded.shape[1]
    places = np.flatnonzero(np.pad(sources, _REACH))
    distances, left = np.full(len(places), np.inf), np.arange(len(places))
    for squared, steps in _RINGS.items():
        hit = np.logical_or.reduce([flat[places + row * width + column] for row, column in steps])
        distances[left[hit]] = math.sqrt(squared)
        left, places = left[~hit], places[~hit]
    return distances


def hausdorff_distance(
    preds: MaskLike, target: MaskLike, spacing: Spacing = (1.0, 1.0), percentile: float = 100.0
) -> float:
    """Hausdorff distance, ``max(P(preds to target), P(target to preds))`` with P a percentile of surface distances.

    The percentile is taken in each direction, not of the two sets pooled; tools differ here by millimeters.

    Args:
        preds: ``(H, W)`` boolean, not empty.
        target: ``(H, W)`` boolean, not empty.
        spacing: (row, column) distance between pixel centers.
        percentile: 100 for HD, 95 for HD95.

    Raises:
        InputError: as of :func:`surface_distances`.

    Example:
        >>> preds, target = np.array([[True, False, False, True]]), np.array([[True, False, False, False]])
        >>> hausdorff_distance(preds, target, spacing=(1.0, 0.5))
        1.5

    """
    return surface_distances(preds, target, spacing).hausdorff(percentile)


def image_diagonal(shape: tuple[int, int], spacing: Spacing = (1.0, 1.0)) -> float:
    """Diagonal of an image of ``(H, W)`` pixels, in units of the spacing: longer than any distance in it.

    Raises:
        InputError: the spacing is not two finite positive numbers.

    Example:
        >>> image_diagonal((30, 40), spacing=(0.5, 0.5))
        25.0

    """
    check_spacing(spacing)
    return math.hypot(shape[0] * spacing[0], shape[1] * spacing[1])


@dataclass(frozen=True)
class ObjectCounts:
    """Lesion-wise detection counts of one image; an overlap metric hides a small lesion missed beside a large one found.

    Attributes:
        reference: lesions of the target.
        missed: false negatives, lesions of the target without a predicted pixel.
        false: false positives, predicted lesions without a target pixel.
        too_small: components of the target below the smallest area.
        too_small_predicted: components of the prediction below it.
        missed_areas: areas of the missed lesions, ascending, in pixels of the image at native size.

    """

    reference: int
    missed: int
    false: int
    too_small: int = 0
    too_small_predicted: int = 0
    missed_areas: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Values by the names in `OBJECT_COLUMNS`."""
        counts = (self.reference, self.missed, self.false, self.too_small, self.too_small_predicted)
        largest = self.missed_areas[-1] if self.missed_areas else None
        return dict(zip(OBJECT_COLUMNS, (*counts, largest), strict=True))


def components(mask: Mask) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Label the connected components of a mask (8-connectivity).

    Returns:
        The label of each pixel, ``(H, W)``, 0 outside; the pixels of each label, 0 among them.

    Example:
        >>> components(np.array([[True, False, False], [False, True, False], [False, False, False]]))[1]
        array([7, 2])

    """
    labels: npt.NDArray[np.int32]
    labels, count = ndimage.label(mask, _EIGHT_CONNECTED)
    return labels, np.bincount(labels.ravel(), minlength=count + 1)


def count_objects(
    preds: MaskLike, target: MaskLike, min_pixels: int = MIN_OBJECT_PIXELS, magnification: float = 1.0
) -> ObjectCounts:
    """Count detected, missed and false lesions; one pixel of overlap detects a lesion.

    Args:
        preds: ``(H, W)`` boolean.
        target: ``(H, W)`` boolean.
        min_pixels: smallest area of a lesion, in pixels of the image at native size.
        magnification: pixels of the masks per pixel of the image at native size; not 1 if the masks were resized.

    Raises:
        InputError: the masks are not two boolean masks of one shape.

    Example:
        >>> target = np.array([[True, False, True, False, False]])
        >>> preds = np.array([[True, False, False, False, True]])
        >>> found = count_objects(preds, target, min_pixels=1)
        >>> found.reference, found.missed, found.false, found.missed_areas
        (2, 1, 1, (1,))

    """
    preds, target = as_masks(preds, target)
    limit = min_pixels * magnification
    lesions, small, missed = _undetected(target, preds, limit)
    _, small_predicted, false = _undetected(preds, target, limit)
    areas = tuple(sorted(round(area / magnification) for area in missed))
    return ObjectCounts(lesions, len(missed), len(false), small, small_predicted, areas)


def _undetected(mask: Mask, other: Mask, limit: float) -> tuple[int, int, list[int]]:
    """Number of large and of small components of a mask, and areas of the large ones without a pixel of the other mask."""
    labels, areas = components(mask)
    large = areas >= limit
    large[0] = False  # the background
    detected = np.zeros(len(areas), dtype=bool)
    detected[labels[mask & other]] = True
    count = int(np.count_nonzero(large))
    return count, len(areas) - 1 - count, areas[large & ~detected].tolist()
