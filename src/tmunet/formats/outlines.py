"""Trace outlines of objects: label map to polygons with holes along the edges of pixels, and polygons back to a mask.

The polygons are valid for JTS, the geometry library of QuPath, and their area is the number of pixels: objects are 8-connected,
as everywhere in the package, so an object whose parts touch at a corner is several polygons, one a 4-connected part. A ring turns
at a corner where two of its pixels meet diagonally so that the background between them stays on its own side; no ring
touches itself then (rings of a polygon may touch each other at single corners, which the standard allows).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tmunet.metrics import components

Ring = NDArray[np.int32]
"""Corners (N, 2) as x, y in pixels from the upper left corner of the image; the last is joined to the first."""

_TOP, _RIGHT, _BOTTOM, _LEFT = range(4)  # edges of a pixel, each directed so that the pixel is on the right on screen


@dataclass(frozen=True)
class Outline:
    """Outline of one object.

    Attributes:
        label: value of the object in the label map.
        polygons: one for each 4-connected part; the first ring of each is its outside, the others are holes. With y downward on
            screen the outside runs clockwise and holes run counterclockwise.
    """

    label: int
    polygons: tuple[tuple[Ring, ...], ...]

    @property
    def area(self) -> int:
        """Area in pixels, holes left out."""
        return round(sum(signed_area(ring) for polygon in self.polygons for ring in polygon))


def signed_area(ring: NDArray[Any]) -> float:
    """Compute the area that a ring (N, 2) encloses: positive if it runs clockwise on screen.

    >>> signed_area(np.array([(0, 0), (3, 0), (3, 2), (0, 2)]))
    6.0
    """
    x, y = np.asarray(ring, np.float64).T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def number_objects(mask: NDArray[np.uint8], labels: int) -> tuple[NDArray[np.int32], list[int]]:
    """Number the 8-connected components of each class from 1 on: classes by label, objects in reading order.

    Args:
        mask: labels (H, W).
        labels: number of classes, the background included.

    Returns:
        The label map (H, W) of objects, and the class label of each object; number n is the n-th row of
        `tmunet.prediction.object_table.measure_objects`.
    """
    numbers, classes = np.zeros(mask.shape, np.int32), list[int]()
    for label in range(1, labels):
        region = mask == label
        if region.any():
            objects, areas = components(region)
            numbers += objects
            if classes:
                numbers[region] += len(classes)
            classes += [label] * (len(areas) - 1)
    return numbers, classes


@dataclass(frozen=True)
class Edges:
    """Edges of pixels between parts, which may come from several blocks of a large image.

    Attributes:
        key: (N,) (y * stride + x) * 4 + side of the pixel inside, int64.
        following: (N,) key of the edge that follows along the outline.
        part: (N,) number of the 4-connected part.
    """

    key: NDArray[np.int64]
    following: NDArray[np.int64]
    part: NDArray[np.int64]

    def select(self, which: NDArray[np.bool_]) -> "Edges":
        """Return some of the edges."""
        return Edges(self.key[which], self.following[which], self.part[which])


def trace_outlines(objects: NDArray[np.integer[Any]]) -> list[Outline]:
    """Trace the outlines of a label map.

    Args:
        objects: (H, W) values of objects, 0 is the background. The pixels of a value are one object, connected or not.

    Returns:
        An outline for each value that occurs, ascending. The sum of the areas is the number of labeled pixels.
    """
    parts, values = four_connected_parts(objects)
    stride = objects.shape[1]
    found: dict[int, list[tuple[Ring, ...]]] = {}
    for part, polygon in join_edges(find_edges(np.pad(parts, 1), (0, 0), stride), stride).items():
        found.setdefault(int(values[part]), []).append(polygon)
    return [Outline(value, tuple(found[value])) for value in sorted(found)]


def find_edges(grid: NDArray[np.integer[Any]], origin: tuple[int, int], stride: int) -> Edges:
    """Find the edges of the parts of a block and how they follow each other.

    Args:
        grid: (H + 2, W + 2) part of each pixel and of the ring of pixels around the block; 0 is the background.
        origin: (y, x) of the first pixel of the block in the image.
        stride: width of the image.
    """
    inside, width = grid[1:-1, 1:-1], grid.shape[1]
    neighbors = {_TOP: grid[:-2, 1:-1], _RIGHT: grid[1:-1, 2:], _BOTTOM: grid[2:, 1:-1], _LEFT: grid[1:-1, :-2]}
    found = [np.flatnonzero((inside != 0) & (inside != neighbor)) for neighbor in neighbors.values()]
    sides = np.repeat(np.array(list(neighbors)), [len(one) for one in found])
    rows, columns = np.divmod(np.concatenate(found), inside.shape[1])
    pixels = (rows + 1) * width + columns + 1
    flat = grid.ravel()
    own = flat[pixels]
    forward = np.array([1, width, -1, -width])[sides]
    ahead = pixels + forward
    beside = ahead + np.array([-width, 1, width, -1])[sides]
    turns_left = flat[beside] == own
    straight = ~turns_left & (flat[ahead] == own)
    next_pixel = np.where(turns_left, beside, np.where(straight, ahead, pixels))
    next_side = np.where(turns_left, sides + 3, np.where(straight, sides, sides + 1)) % 4

    def keys(pixel: NDArray[np.int64], side: NDArray[np.int64]) -> NDArray[np.int64]:
        y, x = np.divmod(pixel, width)
        return np.asarray(((y - 1 + origin[0]) * stride + x - 1 + origin[1]) * 4 + side, np.int64)

    return Edges(keys(pixels, sides), keys(next_pixel, next_side), own.astype(np.int64))


def join_edges(edges: Edges, stride: int) -> dict[int, tuple[Ring, ...]]:
    """Join all edges of parts into rings: the polygon of each part, its outside first; parts in reading order."""
    if not len(edges.key):
        return {}
    order = np.argsort(edges.key)
    key, part = edges.key[order], edges.part[order]
    rings, first = _rings(np.searchsorted(key, edges.following[order]))
    pixels, sides = np.divmod(key, 4)
    y, x = np.divmod(pixels, stride)
    corners = np.stack([x + np.isin(sides, (_RIGHT, _BOTTOM)), y + np.isin(sides, (_BOTTOM, _LEFT))], axis=1).astype(
        np.int32
    )
    starts = np.array(first)
    before = np.arange(-1, len(rings) - 1)
    before[starts] = np.append(starts[1:], len(rings)) - 1
    turns = sides[rings] != sides[rings[before]]
    found = corners[rings[turns]]
    ends = np.cumsum(np.add.reduceat(turns.astype(np.int64), starts)).tolist()
    polygons: dict[int, list[Ring]] = {}
    # edges are in reading order, so the first ring of a part is its outside
    for number, start, end in zip(part[rings[starts]].tolist(), [0, *ends], ends, strict=False):
        polygons.setdefault(number, []).append(found[start:end])
    return {number: tuple(all_rings) for number, all_rings in polygons.items()}


def four_connected_parts(objects: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """Number the 4-connected parts of every value from 1 on: (H, W), and the value of each number."""
    changes = np.ones(objects.shape, bool)
    changes[:, 1:] = objects[:, 1:] != objects[:, :-1]
    runs = changes.ravel().cumsum(dtype=np.int32).reshape(objects.shape) - 1  # of equal pixels of a row
    value_of_run = objects[changes]
    below = (objects[1:] == objects[:-1]) & (changes[1:] | changes[:-1])  # one pair for each two runs that touch
    upper, lower = runs[:-1][below], runs[1:][below]
    count = len(value_of_run)
    graph = coo_array((np.ones(len(upper), np.int8), (upper, lower)), shape=(count, count))
    _, part_of_run = connected_components(graph, directed=False)
    foreground = value_of_run != 0
    kept, numbers = np.unique(part_of_run[foreground], return_inverse=True)
    number_of_run = np.zeros(count, np.int32)
    number_of_run[foreground] = numbers + 1
    values = np.zeros(len(kept) + 1, objects.dtype)
    values[number_of_run[foreground]] = value_of_run[foreground]
    return number_of_run[runs], values


def _rings(following: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[int]]:
    """Put edges in the order of their rings: indices of edges, and where each ring begins."""
    successors, seen = following.tolist(), bytearray(len(following))
    order, first = list[int](), list[int]()
    for start in range(len(successors)):
        if seen[start]:
            continue
        first.append(len(order))
        edge = start
        while not seen[edge]:
            seen[edge] = 1
            order.append(edge)
            edge = successors[edge]
    return np.array(order), first


def fill_polygons(
    polygons: Sequence[Sequence[NDArray[Any]]], size: tuple[int, int]
) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """Find the pixels whose centers lie inside polygons, by the even-odd rule; what lies outside the image is cut off.

    Args:
        polygons: each a sequence of rings (N, 2) of x, y in pixels, with or without the first corner repeated; not overlapping.
        size: (H, W) of the image.

    Returns:
        Where the polygons are in the image, and the pixels there; for outlines of `trace_outlines` exactly those of the object.
    """
    rings = [np.asarray(ring, np.float64) for polygon in polygons for ring in polygon]
    begin = np.concatenate(rings)
    end = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
    low = np.clip(np.ceil(begin.min(axis=0) - 0.5), 0, (size[1], size[0])).astype(int)
    high = np.clip(np.ceil(begin.max(axis=0) - 0.5), low, (size[1], size[0])).astype(int)
    height, width = high[1] - low[1], high[0] - low[0]
    upper, lower = np.minimum(begin[:, 1], end[:, 1]), np.maximum(begin[:, 1], end[:, 1])
    first = np.clip(np.ceil(upper - 0.5), low[1], high[1]).astype(int)  # rows whose centers an edge crosses
    count = np.clip(np.ceil(lower - 0.5), low[1], high[1]).astype(int) - first
    edge = np.repeat(np.arange(len(begin)), count)
    row = np.arange(len(edge)) - np.repeat(count.cumsum() - count, count) + first[edge]
    (x0, y0), (x1, y1) = begin[edge].T, end[edge].T
    crossing = x0 + (row + 0.5 - y0) * (x1 - x0) / (y1 - y0)
    column = np.clip(np.ceil(crossing - 0.5), low[0], high[0]).astype(int) - low[0]
    crossed = np.bincount((row - low[1]) * (width + 1) + column, minlength=height * (width + 1))
    inside = crossed.reshape(height, width + 1).cumsum(axis=1)[:, :width] % 2 == 1
    return (slice(low[1], high[1]), slice(low[0], high[0])), inside
