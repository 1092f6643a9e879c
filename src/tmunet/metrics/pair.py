"""A pair of masks and the spacing of their pixels: what every metric accepts, and what it refuses."""

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tmunet.errors import InputError

Mask: TypeAlias = npt.NDArray[np.bool_]
"""One class of one image: ``(H, W)``, boolean, True on the object."""

Spacing: TypeAlias = tuple[float, float]
"""Distance between the centers of neighboring pixels: down a column, along a row; (1, 1) means pixels."""


def check_pair(reference: Mask, prediction: Mask) -> None:
    """Refuse anything but two boolean masks of one shape.

    Args:
        reference: what the annotator drew, ``(H, W)``.
        prediction: what the model drew, ``(H, W)``.

    Raises:
        InputError: a mask is not a NumPy array, not 2-D, without pixels or not boolean, or the shapes differ.

    """
    _check_mask("reference", reference)
    _check_mask("prediction", prediction)
    if reference.shape != prediction.shape:
        raise InputError(
            f"Expected `reference` and `prediction` to have the same shape, but got {reference.shape} and "
            f"{prediction.shape}. Bring the prediction back to the size of the reference before scoring."
        )


def _check_mask(name: str, mask: Mask) -> None:
    if not isinstance(mask, np.ndarray):
        raise InputError(
            f"Expected `{name}` to be a NumPy array, but got {type(mask).__name__}. "
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
            "Choose the object first, for example with labels == 1 or probability > 0.5."
        )


def check_spacing(spacing: Spacing) -> None:
    """Refuse a spacing that is not two finite positive numbers.

    Args:
        spacing: (row, column) distance between pixel centers, in pixels or mm.

    Raises:
        InputError: there are not two numbers, or one is zero, negative, infinite or NaN.

    """
    if len(spacing) != 2 or not all(math.isfinite(step) and step > 0 for step in spacing):
        raise InputError(
            f"Expected `spacing` to be two finite numbers above 0, (row, column), but got {spacing}. "
            "Use (1.0, 1.0) to measure in pixels."
        )
