"""Convert the image and mask of an item of a torch Dataset to pixels and labels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tmunet.data.cases import DatasetInfo
from tmunet.data.io.images import Pixels
from tmunet.errors import InputError


def to_pixels(image: Any) -> Pixels:
    """Convert the image of an item to (H, W, C) values of 8 or 16 bits.

    Args:
        image: a torch tensor (C, H, W) or (H, W), or an array (H, W, C) or (H, W); of 8 or 16 bits as they are stored, or floats
            between 0 and 1, which become 8 bits where they are multiples of 1/255 and else 16 bits.

    Raises:
        InputError: another shape, type or range, such as of images that are normalized already.
    """
    array = _array(image)
    if hasattr(image, "detach") and array.ndim == 3:
        array = np.moveaxis(array, 0, -1)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or 0 in array.shape:
        raise InputError(
            f"expected an image of shape (C, H, W) as a tensor, or (H, W, C) as an array, or (H, W), but got {array.shape}."
        )
    if array.dtype in (np.uint8, np.uint16):
        stored: Pixels = np.ascontiguousarray(array)
        return stored
    if array.dtype.kind != "f" or not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
        found = f"{array.dtype} between {array.min():g} and {array.max():g}"
        raise InputError(
            f"expected an image of uint8, uint16, or floats between 0 and 1, but got {found}; leave normalization out of the "
            "Dataset: `preprocess.normalize` does it."
        )
    exact = array.astype(np.float64)
    steps = np.rint(exact * 255)
    eight = bool(np.abs(exact * 255 - steps).max() < 1e-3)
    pixels: Pixels = steps.astype(np.uint8) if eight else np.rint(exact * 65535).astype(np.uint16)
    return pixels


def to_label_mask(mask: Any, info: DatasetInfo) -> NDArray[np.uint8]:
    """Convert the mask of an item to labels (H, W), by the rules for mask files.

    Args:
        mask: a tensor or array (H, W) or (1, H, W) of whole numbers, in any type.
        info: classes and ignore label; two classes may be {0, 1} or {0, 255}.

    Raises:
        InputError: another shape, or other values than labels of the classes.
    """
    array = _array(mask)
    labels: NDArray[np.uint8]
    if array.ndim == 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 2 or array.size == 0:
        raise InputError(f"expected a mask of shape (H, W) or (1, H, W), but got {array.shape}.")
    values = np.unique(array)
    if len(info.classes) == 2 and info.ignore_label is None:
        for foreground in (1, 255):
            if np.isin(values, (0, foreground)).all():
                labels = np.not_equal(array, 0).astype(np.uint8)
                return labels
    elif np.isin(
        values, [*range(len(info.classes)), *([] if info.ignore_label is None else [info.ignore_label])]
    ).all():
        labels = array.astype(np.uint8)
        return labels
    shown = ", ".join(f"{value:g}" for value in values[:8]) + (" and more" if len(values) > 8 else "")
    raise InputError(
        f"expected a mask with the labels 0 to {len(info.classes) - 1} of the classes {list(info.classes)}, but found {shown}; "
        "name all classes in `classes`, the background first, and give `ignore_label=255` if 255 marks pixels to ignore."
    )


def _array(value: Any) -> NDArray[Any]:
    return np.asarray(value.detach().cpu().numpy() if hasattr(value, "detach") else value)
