"""Cache training cases: decoded and resized once into one array that every epoch reads."""

import hashlib
import tempfile
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from tmunet.data.cases import Case, DatasetInfo
from tmunet.data.data_config import Preprocess
from tmunet.data.fingerprint import pixels_sha256
from tmunet.data.io.images import check_range, to_channels
from tmunet.data.io.masks import class_fractions
from tmunet.data.preprocess import resize_image, resize_mask
from tmunet.data.reader import Legends, LoadedCase, map_cases
from tmunet.data.split.near_duplicates import Signature, signature
from tmunet.data.training_stats import Intensity

Batch = dict[str, Tensor]


class CachedCases(Dataset[Batch]):
    """Cached images (N, C, S, S) of 8 or 16 bits and masks (N, S, S), indexed by lists of case numbers.

    The arrays are memory-mapped temporary files, so a data set may be larger than the memory. Reading a batch is a copy: no
    worker processes are needed.
    """

    def __init__(
        self,
        names: Sequence[str],
        images: NDArray[Any],
        masks: NDArray[np.uint8],
        hashes: Mapping[str, str],
        present: Mapping[str, Collection[str]],
        sizes: Sequence[tuple[int, int]],
        intensities: Sequence[Intensity],
    ) -> None:
        self.names, self.images, self.masks = tuple(names), images, masks
        # of the images before they are resized: pixel hash by name, height and width, intensity range
        self.hashes, self.sizes, self.intensities = hashes, sizes, intensities
        self.present = present  # classes besides the background in the masks before they are resized, by name

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Batch:
        return self.__getitems__([index])

    def __getitems__(self, indices: list[int]) -> Batch:
        """A batch: "image" (B, C, S, S), "mask" (B, S, S), "case" (B,)."""
        return {
            "image": torch.from_numpy(self.images[indices]),
            "mask": torch.from_numpy(self.masks[indices]),
            "case": torch.tensor(indices),
        }

    def sha256(self) -> str:
        """Hash names, images and masks."""
        digest = hashlib.sha256("\n".join(self.names).encode())
        for array in (self.images, self.masks):
            for plane in array:
                digest.update(plane.tobytes())
        return digest.hexdigest()


def cache_cases(
    cases: Sequence[Case], info: DatasetInfo, preprocess: Preprocess, legends: Legends | None = None
) -> tuple[CachedCases, dict[str, Signature], list[str]]:
    """Decode, validate and resize all cases; `legends` as for `map_cases`.

    Returns:
        The cached cases, the signature of each image by name, and every fault; with a fault the arrays are incomplete.
    """
    N, S, C = len(cases), preprocess.size, preprocess.channels
    images = _array((N, C, S, S), np.dtype(np.uint8))
    masks = _array((N, S, S), np.dtype(np.uint8))
    hashes: dict[str, str] = {}
    signatures: dict[str, Signature] = {}
    present: dict[str, tuple[str, ...]] = {}
    sizes: list[tuple[int, int]] = []
    intensities: list[Intensity] = []

    def keep(index: int, loaded: LoadedCase) -> None:
        nonlocal images
        check_range(cases[index].image, loaded.has_known_range, preprocess.normalize)
        hashes[cases[index].name] = pixels_sha256(loaded.image)
        signatures[cases[index].name] = signature(loaded.image)
        fractions = class_fractions(loaded.mask, info.classes)
        present[cases[index].name] = tuple(name for name, fraction in fractions.items() if fraction > 0)
        full_size = to_channels(loaded.image, C)
        sizes.append((full_size.shape[0], full_size.shape[1]))
        intensities.append(Intensity.of(full_size))
        image = resize_image(full_size, (S, S))
        if image.dtype != images.dtype:
            images, image = _as_16_bit(images), _as_16_bit(image)
        images[index] = image.transpose(2, 0, 1)
        masks[index] = resize_mask(loaded.mask, (S, S))

    faults = map_cases(cases, info, keep, legends)
    cached = CachedCases([case.name for case in cases], images, masks, hashes, present, sizes, intensities)
    return cached, signatures, faults


def _array(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    if 0 in shape:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, dtype, "w+", shape=shape)


def _as_16_bit(values: NDArray[Any]) -> NDArray[np.uint16]:
    if values.dtype == np.uint16:
        return values
    wide = _array(values.shape, np.dtype(np.uint16))
    np.multiply(values, 257, out=wide, dtype=np.uint16)  # 255 * 257 = 65535: white stays white
    return wide
