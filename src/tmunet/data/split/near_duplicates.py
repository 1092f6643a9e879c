"""Find near-duplicate images, and images of the same scene, by the correlation of small gray copies.

The similarity of two images is the correlation of their gray values at 64 x 64 pixels. The thresholds were measured: above 0.995
(near-duplicate) are 24 pairs of BUSI, the same picture exported again, and no pair of MoNuSeg or DSB 2018; above 0.97 (same
scene) are neighboring frames of CVC-ClinicDB, and none of its 180,000 pairs from different videos.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tmunet.data.io.images import Pixels
from tmunet.visualize import to_rgb8

NEAR_DUPLICATE = 0.995
"""Correlation above which two images are the same picture, saved twice."""

SAME_SCENE = 0.97
"""Correlation above which two images show the same scene, such as neighboring frames of a video."""

_SIZE = 64  # pixels
_ROWS = 1024  # signatures compared with all others at a time: 1024 x N correlations in memory

Signature = NDArray[np.float32]


def signature(image: Pixels) -> Signature:
    """Compute the signature of an image (H, W, C): a small gray copy (4096,) of mean 0 and norm 1, or 0 if it is uniform."""
    gray = Image.fromarray(to_rgb8(image)).convert("L")
    small = np.asarray(gray.resize((_SIZE, _SIZE), Image.Resampling.BICUBIC), np.float32).ravel()
    centered = small - small.mean()
    norm = float(np.linalg.norm(centered))
    return centered / np.float32(norm) if norm > _SIZE / 4 else np.zeros_like(centered)


def find_similar_pairs(signatures: Sequence[Signature], above: float) -> Iterator[tuple[int, int, float]]:
    """Find all pairs of images with a correlation above a threshold: (i, j, correlation) with i < j, in that order."""
    if not signatures:
        return
    stack = np.stack(signatures)
    for start in range(0, len(stack), _ROWS):
        similarity = stack[start : start + _ROWS] @ stack[start:].T
        for i, j in np.argwhere(np.triu(similarity, 1) > above):
            yield start + int(i), start + int(j), min(1.0, float(similarity[i, j]))


def find_nearest(
    signatures: Sequence[Signature], others: Sequence[Signature], above: float
) -> Iterator[tuple[int, int, float]]:
    """Find the nearest neighbor in `others` of each image, if their correlation is above a threshold: (i, j, correlation)."""
    if not signatures or not others:
        return
    stack = np.stack(others)
    for start in range(0, len(signatures), _ROWS):
        similarity = np.stack(signatures[start : start + _ROWS]) @ stack.T
        best = similarity.argmax(1)
        for i in np.flatnonzero(similarity[np.arange(len(best)), best] > above):
            yield start + int(i), int(best[i]), min(1.0, float(similarity[i, best[i]]))


def clusters(count: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Label the connected components of `count` items joined by pairs, in order of their first items.

    >>> clusters(5, [(0, 2), (2, 3)])
    [0, 1, 0, 0, 2]
    """
    i, j = np.array(pairs, int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(pairs)), (i, j)), shape=(count, count))
    return [int(label) for label in connected_components(graph, directed=False)[1]]
