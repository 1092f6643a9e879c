"""Classes of a model and of a data set: the same names may stand in another order."""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tmunet.errors import InputError, TMUNetWarning

UNNAMED = ("background", "foreground")
"""Classes of a data set without ``dataset.json``."""


def match_classes(model: Sequence[str], data: Sequence[str], folder: Path) -> None:
    """Match the classes of a model with those of a data set, in whatever order.

    Two classes that nobody named, background and foreground, are any two classes.

    Args:
        model: names of the labels that the model gives.
        data: names of the labels in the masks of the data set.
        folder: of the data set, for messages.

    Raises:
        InputError: the names differ, or the background, label 0, is another one.

    Warns:
        TMUNetWarning: the order differs, so that labels are matched by name; or one of the two has no names.
    """
    if tuple(model) != tuple(data) and len(model) == len(data) == 2 and UNNAMED in (tuple(model), tuple(data)):
        warnings.warn(
            f"{folder}: its classes are {list(data)}, those of the model {list(model)}: {data[1]} is taken for {model[1]}, since "
            "both have one class besides the background.",
            TMUNetWarning,
            stacklevel=3,
        )
        return
    if sorted(model) != sorted(data) or model[0] != data[0]:
        raise InputError(
            f"{folder}: expected the classes of the model, {list(model)}, but found "
            f'{list(data)}; name them the same in dataset.json: {{"classes": {json.dumps(list(model))}}}.'
        )
    if tuple(model) != tuple(data):
        warnings.warn(
            f"{folder}: the classes are in another order, {list(data)}, than those of the model, {list(model)}: matched by name.",
            TMUNetWarning,
            stacklevel=3,
        )


def in_labels_of(mask: NDArray[np.uint8], model: Sequence[str], data: Sequence[str]) -> NDArray[np.uint8]:
    """Map the labels of a model's mask (H, W) to those of a data set with the same names.

    >>> in_labels_of(np.array([[0, 1, 2]], np.uint8), ("background", "a", "b"), ("background", "b", "a")).tolist()
    [[0, 2, 1]]
    """
    if tuple(model) == tuple(data) or len(model) == len(data) == 2:  # the background is label 0 in both
        return mask
    return np.array([list(data).index(name) for name in model], np.uint8)[mask]
