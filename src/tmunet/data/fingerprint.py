"""Fingerprint the training images of a model by the hashes of their pixels, to detect contamination of a test set."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tmunet.data.io.images import Pixels
from tmunet.data.json_object import read_json_object
from tmunet.errors import InputError


def pixels_sha256(image: Pixels) -> str:
    """Hash shape, dtype and values of an image (H, W, C); the same for a copy in another lossless format."""
    digest = hashlib.sha256(f"{image.shape} {image.dtype.name}".encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


@dataclass(frozen=True)
class TrainingFingerprint:
    """`pixels_sha256` of the images in train, and in val, which selects the checkpoint, by case name."""

    train: Mapping[str, str] = field(default_factory=dict)
    val: Mapping[str, str] = field(default_factory=dict)

    def side_of(self) -> dict[str, str]:
        """Map each hash to "train" or "val"."""
        return {digest: side for side in ("val", "train") for digest in getattr(self, side).values()}

    def without_names(self) -> "TrainingFingerprint":
        """Replace case names by numbers: names may identify patients, and only the hashes are compared."""
        return TrainingFingerprint(
            *({str(number): digest for number, digest in enumerate(side.values())} for side in (self.train, self.val))
        )

    def to_dict(self) -> dict[str, dict[str, str]]:
        """Return the content of the file."""
        return {"train": dict(self.train), "val": dict(self.val)}


def read_fingerprint(path: Path) -> TrainingFingerprint:
    """Read the fingerprint file of a model folder; without it the fingerprint is empty.

    Raises:
        InputError: the file is there, but is not what training writes.
    """
    if not path.exists():
        return TrainingFingerprint()
    content = read_json_object(path)
    if content.keys() != {"train", "val"} or not all(_are_hashes(side) for side in content.values()):
        raise InputError(
            f"{path}: expected the keys train and val with a hash for each case; copy it again.",
            code="fingerprint",
            path=path,
        )
    return TrainingFingerprint(content["train"], content["val"])


def _are_hashes(side: object) -> bool:
    return isinstance(side, dict) and all(isinstance(digest, str) and len(digest) == 64 for digest in side.values())
