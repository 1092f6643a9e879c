"""Masks that hold labels: taken as they are, put into another order, or all instances as one class."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from tmunet.data.masks import histogram, read_mask, stored_values
from tmunet.data.read import read_raster
from tmunet.data.sets.plan import Draw, Labels
from tmunet.data.sets.source import Source
from tmunet.errors import InputError


def as_stored(source: Source, mask: PurePosixPath, classes: Sequence[str]) -> Draw:
    """Take a mask as `tmunet.data.masks.read_mask` reads it: exact labels, or an error that counts the values."""
    path = source.files[mask]

    def draw(size: tuple[int, int]) -> Labels:
        labels = read_mask(path, classes)
        _check_size(path, labels.shape, size)
        return labels

    return draw


def mapped(source: Source, mask: PurePosixPath, label_of: Mapping[int, int]) -> Draw:
    """Give each stored value of a mask its label.

    Args:
        source: where the file is.
        mask: key of the file.
        label_of: label by stored value.

    Returns:
        A function from (H, W) to labels (H, W). It raises `InputError` if the file cannot be read, has another size, or
        holds values that have no label; the message counts them.
    """
    path = source.files[mask]

    def draw(size: tuple[int, int]) -> Labels:
        stored = stored_values(path, read_raster(path))
        _check_size(path, stored.shape, size)
        counts = np.bincount(stored.ravel())
        if any(int(value) not in label_of for value in np.flatnonzero(counts)):
            known = ", ".join(map(str, sorted(label_of)))
            raise InputError(
                f"{path}: expected the values {known} only, but found {histogram(counts)}. "
                "Say what every value means, or correct the mask: tmunet does not guess."
            )
        table = np.array([label_of.get(value, 0) for value in range(len(counts))], np.uint8)
        labels: Labels = table[stored.astype(np.intp)]
        return labels

    return draw


def any_instance(source: Source, mask: PurePosixPath) -> Draw:
    """Label 1 wherever a mask of instances (0 is the background, 1 to N are the objects) has an object."""
    path = source.files[mask]

    def draw(size: tuple[int, int]) -> Labels:
        stored = stored_values(path, read_raster(path))
        _check_size(path, stored.shape, size)
        return np.not_equal(stored, 0).astype(np.uint8)

    return draw


def _check_size(path: Path, found: tuple[int, ...], size: tuple[int, int]) -> None:
    if found != size:
        raise InputError(
            f"{path}: expected the mask to have the {size[1]} x {size[0]} pixels (width x height) of its image, but found "
            f"{found[1]} x {found[0]}; export the mask again at the size of the image."
        )
