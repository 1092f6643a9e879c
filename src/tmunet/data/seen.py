"""The images that a model has seen, known by their pixels: names change, and folders are shuffled."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tmunet.data.json_object import read_json_object
from tmunet.data.read import Pixels
from tmunet.errors import InputError


def pixels_sha256(image: Pixels) -> str:
    """Hash of an image's shape, depth and values (H, W, C); the same for a copy in another lossless format."""
    digest = hashlib.sha256(f"{image.shape} {image.dtype.name}".encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


@dataclass(frozen=True)
class SeenImages:
    """What a model was trained on and chosen by.

    Attributes:
        train: `pixels_sha256` of each training image, by the name of its case.
        valid: the same of the images that chose the best epoch.
    """

    train: Mapping[str, str] = field(default_factory=dict)
    valid: Mapping[str, str] = field(default_factory=dict)

    def side_of(self) -> dict[str, str]:
        """Give "train" or "valid" by hash."""
        return {digest: side for side in ("valid", "train") for digest in getattr(self, side).values()}

    def without_names(self) -> "SeenImages":
        """The same hashes under numbers: names of cases may name patients, and nothing but the hashes is compared."""
        return SeenImages(
            *({str(number): digest for number, digest in enumerate(side.values())} for side in (self.train, self.valid))
        )

    def to_dict(self) -> dict[str, dict[str, str]]:
        """Give the content of the file."""
        return {"train": dict(self.train), "valid": dict(self.valid)}


def read_seen_images(path: Path) -> SeenImages:
    """Read the file that a model folder keeps; without it nothing is known to be seen.

    Raises:
        InputError: the file is there, but is not what training writes.
    """
    if not path.exists():
        return SeenImages()
    content = read_json_object(path)
    if content.keys() != {"train", "valid"} or not all(_are_hashes(side) for side in content.values()):
        raise InputError(f"{path}: expected the keys train and valid with a hash for each case; copy it again.")
    return SeenImages(content["train"], content["valid"])


def _are_hashes(side: object) -> bool:
    return isinstance(side, dict) and all(isinstance(digest, str) and len(digest) == 64 for digest in side.values())
