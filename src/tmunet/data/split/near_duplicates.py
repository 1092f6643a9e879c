"""Images that show the same thing: near-duplicates and near twins, found by comparing small gray copies.

The likeness of two images is the correlation of their gray values at 64 x 64 pixels. What the two limits mean was measured:
above 0.995 (near-duplicate) lie 24 pairs of BUSI, which are the same picture exported again, and no pair of MoNuSeg or
DSB 2018; above 0.97 (near twin) lie neighboring frames of CVC-ClinicDB, and none of its 180,000 pairs of different videos.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tmunet.data.io.images import Pixels
from tmunet.visualize import to_rgb8

NEAR_DUPLICATE = 0.995
"""Correlation above which two images are the same picture, saved twice."""

SAME_SCENE = 0.97
"""Correlation above which two images show the same scene, such as neighboring frames of a video."""

_SIDE = 64  # pixels
_ROWS = 1024  # signatures compared with all others at a time: 1024 x N correlations in memory

Signature = NDArray[np.float32]


def signature(image: Pixels) -> Signature:
    """Small gray copy of an image (H, W, C) -> (4096,), of mean 0 and length 1; all 0 for an image of one value."""
    gray = Image.fromarray(to_rgb8(image)).convert("L")
    small = np.asarray(gray.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC), np.float32).ravel()
    centerd = small - small.mean()
    length = float(np.linalg.norm(centerd))
    return centerd / np.float32(length) if length > _SIDE / 4 else np.zeros_like(centerd)


def find_similar_pairs(signatures: Sequence[Signature], above: float) -> Iterator[tuple[int, int, float]]:
    """Pairs of images whose correlation lies above a limit.

    Args:
        signatures: of N images.
        above: `NEAR_DUPLICATE` or `SAME_SCENE`.

    Yields:
        (i, j, correlation) with i < j, in that order.
    """
    if not signatures:
        return
    stack = np.stack(signatures)
    for start in range(0, len(stack), _ROWS):
        likeness = stack[start : start + _ROWS] @ stack[start:].T
        for i, j in np.argwhere(np.triu(likeness, 1) > above):
            yield start + int(i), start + int(j), min(1.0, float(likeness[i, j]))


def find_nearest(
    signatures: Sequence[Signature], others: Sequence[Signature], above: float
) -> Iterator[tuple[int, int, float]]:
    """The image of another set that is most like each image of a set, if its correlation lies above a limit.

    Args:
        signatures: of N images.
        others: of M other images; of several that are equally alike the first one counts.
        above: `NEAR_DUPLICATE` or `SAME_SCENE`.

    Yields:
        (i, j, correlation) with i < N and j < M, each i at most once.
    """
    if not signatures or not others:
        return
    there = np.stack(others)
    for start in range(0, len(signatures), _ROWS):
        likeness = np.stack(signatures[start : start + _ROWS]) @ there.T
        best = likeness.argmax(1)
        for i in np.flatnonzero(likeness[np.arange(len(best)), best] > above):
            yield start + int(i), int(best[i]), min(1.0, float(likeness[i, best[i]]))


def clusters(count: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Number the groups of items that are joined by pairs, also through others: the cluster of each of `count` items.

    >>> clusters(5, [(0, 2), (2, 3)])
    [0, 1, 0, 0, 2]
    """
    parent = list(range(count))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for a, b in pairs:
        parent[root(b)] = root(a)
    number: dict[int, int] = {}
    return [number.setdefault(root(item), len(number)) for item in range(count)]
