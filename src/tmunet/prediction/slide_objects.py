"""Find the objects of a slide from its blocks of labels: merged across blocks, measured and outlined, in bounded memory.

Two passes. The first numbers the objects and their 4-connected parts in each block and finds which of two blocks are one. The
second traces each block: objects inside a block are finished there; of those across blocks only the edges are kept, and joined
at the end.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tmunet.formats.outlines import Edges, Outline, find_edges, four_connected_parts, join_edges, number_objects

Index = NDArray[np.int64]


class Blocks(Protocol):
    """Blocks of labels of a slide.

    Attributes:
        size: (H, W) of all.
        block: side of a block.
    """

    size: tuple[int, int]
    block: int

    def labels(self, row: int, column: int) -> NDArray[np.uint8] | None:
        """Labels of a block, cut at the edge of the slide; None is background only."""


@dataclass(frozen=True)
class SlideObject:
    """An object of a slide.

    Attributes:
        outline: in pixels of the label image; its label is the number of the object, from 1.
        class_label: label of its class.
        area: pixels.
        centroid: (x, y), of pixel centers counted from the corner of the image.
    """

    outline: Outline
    class_label: int
    area: int
    centroid: tuple[float, float]


@dataclass
class _Numbered:
    """A block with its objects and parts numbered from 1 on, and what the numbers before it add up to."""

    objects: NDArray[np.int32]
    classes: list[int]
    parts: NDArray[np.int32]
    object_of_part: NDArray[np.int32]


@dataclass
class _Border:
    """The outermost pixels of a block, by side: classes, and numbers of objects and parts in the slide (0: background)."""

    classes: dict[str, Index]
    objects: dict[str, Index]
    parts: dict[str, Index]


@dataclass
class _Pieces:
    """What is known of objects across blocks."""

    edges: list[Edges] = field(default_factory=list)
    part_to_object: dict[int, int] = field(default_factory=dict)
    sums: dict[int, list[float]] = field(default_factory=dict)  # class, area, sum of x, sum of y


_SIDES: dict[str, Any] = {"top": np.s_[0, :], "bottom": np.s_[-1, :], "left": np.s_[:, 0], "right": np.s_[:, -1]}


def find_objects(blocks: Blocks, classes: int) -> Iterator[SlideObject]:
    """Find the 8-connected objects of each class: block by block those inside of a block, then those across blocks.

    Args:
        blocks: labels.
        classes: number of classes, the background included.
    """
    yield from _Finder(blocks, classes).find()


class _Finder:
    def __init__(self, blocks: Blocks, classes: int) -> None:
        self.blocks, self.classes = blocks, classes
        self.offsets: dict[tuple[int, int], tuple[int, int]] = {}  # of objects and parts
        self.part_borders: dict[tuple[int, int], dict[str, Index]] = {}
        self.object_pairs: list[Index] = []
        self.part_pairs: list[Index] = []
        rows, columns = (-(-length // blocks.block) for length in blocks.size)
        self.places = [(row, column) for row in range(rows) for column in range(columns)]

    def find(self) -> Iterator[SlideObject]:
        self._number_all()
        object_ids, object_groups = _merge(self.object_pairs)
        part_ids, part_groups = _merge(self.part_pairs)
        pieces, number = _Pieces(), 0
        for place in self.places:
            if place not in self.offsets:
                continue
            for found in self._trace(place, object_ids, object_groups, part_ids, part_groups, pieces):
                number += 1
                yield SlideObject(
                    Outline(number, found.outline.polygons), found.class_label, found.area, found.centroid
                )
        polygons: dict[int, list[tuple[NDArray[np.int32], ...]]] = {}
        for part, polygon in self._join(pieces).items():
            polygons.setdefault(pieces.part_to_object[part], []).append(polygon)
        for group in sorted(polygons):
            number += 1
            label, area, x, y = pieces.sums[group]
            yield SlideObject(Outline(number, tuple(polygons[group])), int(label), int(area), (x / area, y / area))

    def _number(self, place: tuple[int, int]) -> _Numbered | None:
        labels = self.blocks.labels(*place)
        if labels is None or not labels.any():
            return None
        objects, classes = number_objects(labels, self.classes)
        parts, values = four_connected_parts(objects)
        return _Numbered(objects, classes, parts, np.asarray(values, np.int32))

    def _number_all(self) -> None:
        """Number objects and parts of all blocks, and collect pairs of numbers that are one object or part."""
        object_count = part_count = 0
        borders: dict[tuple[int, int], _Border] = {}
        for row, column in self.places:
            if column == 0:
                borders = {place: border for place, border in borders.items() if place[0] == row - 1}
            numbered = self._number((row, column))
            if numbered is None:
                continue
            self.offsets[row, column] = object_count, part_count
            class_of = np.array([0, *numbered.classes])
            border = _Border({}, {}, {})
            for side, where in _SIDES.items():
                objects, parts = numbered.objects[where].astype(np.int64), numbered.parts[where].astype(np.int64)
                border.classes[side] = class_of[objects]
                border.objects[side] = np.where(objects > 0, objects + object_count, 0)
                border.parts[side] = np.where(parts > 0, parts + part_count, 0)
            object_count += len(numbered.classes)
            part_count += len(numbered.object_of_part) - 1
            borders[row, column] = border
            self.part_borders[row, column] = border.parts
            self._pair(borders, row, column)

    def _pair(self, borders: dict[tuple[int, int], _Border], row: int, column: int) -> None:
        own = borders[row, column]
        for other, theirs, ours in (
            (borders.get((row, column - 1)), "right", "left"),
            (borders.get((row - 1, column)), "bottom", "top"),
        ):
            if other is None:
                continue
            for shift in (-1, 0, 1):
                a = slice(max(shift, 0), len(own.objects[ours]) + min(shift, 0))
                b = slice(max(-shift, 0), len(own.objects[ours]) + min(-shift, 0))
                same = (own.classes[ours][a] == other.classes[theirs][b]) & (own.classes[ours][a] > 0)
                self.object_pairs.append(np.stack([own.objects[ours][a][same], other.objects[theirs][b][same]]))
                if shift == 0:
                    self.part_pairs.append(np.stack([own.parts[ours][same], other.parts[theirs][same]]))
        for step, ours_at, theirs_at in ((-1, 0, -1), (1, -1, 0)):  # blocks that share a corner
            other = borders.get((row - 1, column + step))
            if other is not None and own.classes["top"][ours_at] == other.classes["bottom"][theirs_at] > 0:
                pair = np.array([[own.objects["top"][ours_at]], [other.objects["bottom"][theirs_at]]])
                self.object_pairs.append(pair)

    def _trace(
        self,
        place: tuple[int, int],
        object_ids: Index,
        object_groups: Index,
        part_ids: Index,
        part_groups: Index,
        pieces: _Pieces,
    ) -> Iterator[SlideObject]:
        """Yield the objects inside a block, and keep the edges of the others."""
        numbered = self._number(place)
        assert numbered is not None
        object_offset, part_offset = self.offsets[place]
        top, left = place[0] * self.blocks.block, place[1] * self.blocks.block
        count = len(numbered.classes)
        numbers = np.arange(1, count + 1) + object_offset
        shared = np.concatenate([[False], np.isin(numbers, object_ids)])
        groups = np.concatenate([[0], _look_up(numbers, object_ids, object_groups)])
        global_part = np.arange(len(numbered.object_of_part), dtype=np.int64) + part_offset
        global_part = _look_up(global_part, part_ids, part_groups)
        global_part[0] = 0
        height, width = numbered.parts.shape
        grid = np.zeros((height + 2, width + 2), np.int64)
        grid[1:-1, 1:-1] = global_part[numbered.parts]
        self._fill_halo(grid, place, part_ids, part_groups)
        stride = self.blocks.size[1]
        edges = find_edges(grid, (top, left), stride)
        y, x = np.divmod(edges.key // 4, stride)
        across = shared[numbered.object_of_part[numbered.parts[y - top, x - left]]]
        labeled = np.flatnonzero(numbered.objects)
        of = numbered.objects.ravel()[labeled]
        rows, columns = np.divmod(labeled, width)
        areas = np.bincount(of, minlength=count + 1)
        sum_x = np.bincount(of, weights=columns + left + 0.5, minlength=count + 1)
        sum_y = np.bincount(of, weights=rows + top + 0.5, minlength=count + 1)
        polygons: dict[int, list[tuple[NDArray[np.int32], ...]]] = {}
        for part, polygon in join_edges(edges.select(~across), stride).items():
            polygons.setdefault(int(numbered.object_of_part[part - part_offset]), []).append(polygon)
        for number in sorted(polygons):
            area = int(areas[number])
            outline = Outline(number, tuple(polygons[number]))
            center = float(sum_x[number] / area), float(sum_y[number] / area)
            yield SlideObject(outline, numbered.classes[number - 1], area, center)
        pieces.edges.append(edges.select(across))
        for part in np.flatnonzero(shared[numbered.object_of_part]).tolist():
            pieces.part_to_object[int(global_part[part])] = int(groups[numbered.object_of_part[part]])
        for number in np.flatnonzero(shared).tolist():
            sums = pieces.sums.setdefault(int(groups[number]), [float(numbered.classes[number - 1]), 0.0, 0.0, 0.0])
            sums[1] += float(areas[number])
            sums[2] += float(sum_x[number])
            sums[3] += float(sum_y[number])

    def _fill_halo(self, grid: Index, place: tuple[int, int], part_ids: Index, part_groups: Index) -> None:
        """Set the pixels around a block to the parts of its neighbors."""
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                border = self.part_borders.get((place[0] + down, place[1] + right))
                if border is None or not (down or right):
                    continue
                line = border[{-1: "bottom", 0: "right" if right < 0 else "left", 1: "top"}[down]]
                line = _look_up(line, part_ids, part_groups)
                if down and right:
                    grid[0 if down < 0 else -1, 0 if right < 0 else -1] = line[-1 if right < 0 else 0]
                elif down:
                    grid[0 if down < 0 else -1, 1:-1] = line
                else:
                    grid[1:-1, 0 if right < 0 else -1] = line

    def _join(self, pieces: _Pieces) -> dict[int, tuple[NDArray[np.int32], ...]]:
        if not pieces.edges:
            return {}
        keys, following, parts = (
            np.concatenate([getattr(one, name) for one in pieces.edges]) for name in ("key", "following", "part")
        )
        return join_edges(Edges(keys, following, parts), self.blocks.size[1])


def _merge(pairs: list[Index]) -> tuple[Index, Index]:
    """Merge pairs of numbers into groups: the numbers that occur, ascending, and the smallest number of the group of each."""
    if not pairs:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    ids, inverse = np.unique(np.concatenate(pairs, axis=1), return_inverse=True)
    first, second = inverse.reshape(2, -1)
    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(len(ids), len(ids)))
    _, group = connected_components(graph, directed=False)
    smallest = np.full(len(ids), np.iinfo(np.int64).max)
    np.minimum.at(smallest, group, ids)
    return ids, smallest[group]


def _look_up(numbers: Index, ids: Index, groups: Index) -> Index:
    """Replace numbers by their group where they have one."""
    if not len(ids):
        return numbers.copy()
    at = np.searchsorted(ids, numbers).clip(max=len(ids) - 1)
    return np.where(ids[at] == numbers, groups[at], numbers)
