"""Masks that hold labels: taken as they are, put into another order, or all instances as one class."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from tmunet.data.io.decoders import DecodedImage
from tmunet.data.io.images import decode_image
from tmunet.data.io.masks import histogram, stored_values, to_labels
from tmunet.data.io.palettes import Legend, legend
from tmunet.datasets._build.import_plan import Draw, Labels
from tmunet.datasets._build.source import Source
from tmunet.errors import InputError


@dataclass(frozen=True)
class StoredLabels:
    """A `Draw` of a mask file that holds labels by number; palettes of such files have to agree in all of a set.

    Attributes:
        path: the file.
        labels_of: gives the labels of the decoded file.
    """

    path: Path
    labels_of: Callable[[DecodedImage], Labels]

    def __call__(self, size: tuple[int, int]) -> Labels:
        """The labels, which must have the size (H, W) of the image."""
        labels = self.labels_of(decode_image(self.path))
        _check_size(self.path, labels.shape, size)
        return labels

    def legend(self) -> Legend | None:
        """How the palette of the file shows its labels; None if it has none."""
        raster = decode_image(self.path)
        return None if raster.palette is None else legend(raster, self.labels_of(raster))


def as_stored(source: Source, mask: PurePosixPath, classes: Sequence[str]) -> StoredLabels:
    """Take a mask as `tmunet.data.io.masks.read_mask` reads it: exact labels, or an error that counts the values."""
    path = source.files[mask]
    return StoredLabels(path, lambda raster: to_labels(path, raster, classes))


def mapped(source: Source, mask: PurePosixPath, label_of: Mapping[int, int]) -> StoredLabels:
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

    def labels_of(raster: DecodedImage) -> Labels:
        stored = stored_values(path, raster)
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

    return StoredLabels(path, labels_of)


def any_instance(source: Source, mask: PurePosixPath) -> Draw:
    """Label 1 wherever a mask of instances (0 is the background, 1 to N are the objects) has an object."""
    path = source.files[mask]

    def draw(size: tuple[int, int]) -> Labels:
        stored = stored_values(path, decode_image(path))
        _check_size(path, stored.shape, size)
        return np.not_equal(stored, 0).astype(np.uint8)

    return draw


def _check_size(path: Path, found: tuple[int, ...], size: tuple[int, int]) -> None:
    if found != size:
        raise InputError(
            f"{path}: expected the mask to have the {size[1]} x {size[0]} pixels (width x height) of its image, but found "
            f"{found[1]} x {found[0]}; export the mask again at the size of the image."
        )
