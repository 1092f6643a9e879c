"""Draw the regions of an annotation into one mask: areas, and the holes that are cut out of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tmunet.datasets._build.import_plan import Labels
from tmunet.datasets._build.polygons import Outline, fill
from tmunet.errors import InputError

_SLIP = 20  # pixels by which an outline along the border of a picture may lie outside


@dataclass(frozen=True)
class Region:
    """What an outline encloses; `is_hole`: it is taken out of the areas in which it lies."""

    outline: Outline
    is_hole: bool = False


@dataclass(frozen=True)
class _Patch:
    """The pixels of a region, in its bounding box only: a picture has hundreds of regions."""

    top: int
    left: int
    inside: NDArray[np.bool_]

    @property
    def box(self) -> tuple[slice, slice]:
        height, width = self.inside.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    def of(self, other: "_Patch") -> NDArray[np.bool_]:
        """The pixels of another patch that lie in this box, in the frame of this box."""
        height, width = self.inside.shape
        found = np.zeros((height, width), np.bool_)
        down, right = other.top - self.top, other.left - self.left
        rows = slice(max(down, 0), max(min(down + other.inside.shape[0], height), 0))
        columns = slice(max(right, 0), max(min(right + other.inside.shape[1], width), 0))
        part = other.inside[max(-down, 0) :, max(-right, 0) :]
        size = found[rows, columns].shape
        found[rows, columns] = part[: size[0], : size[1]]
        return found


def draw_regions(regions: Sequence[Region], size: tuple[int, int]) -> Labels:
    """Mark with 1 what the regions enclose, whatever their order.

    A hole is taken out of every area in which more than half of it lies. Nothing else loses a pixel: a nucleus that is drawn
    inside of a hole stays, and so does a neighbor that reaches into it. Outlines of fewer than three corners enclose nothing.

    Args:
        regions: in pixels of the picture.
        size: (H, W) of the picture.

    Raises:
        InputError: a region lies outside of the picture, or a hole in no area.
    """
    drawn = [region for region in regions if len(region.outline) >= 3]
    areas, holes = ([_patch(one.outline, size) for one in drawn if one.is_hole is kind] for kind in (False, True))
    left = [area.inside.copy() for area in areas]
    for hole in holes:
        count = np.count_nonzero(hole.inside)
        cut = [area.of(hole) for area in areas]
        around = [2 * np.count_nonzero(part & area.inside) > count for part, area in zip(cut, areas, strict=True)]
        if count and not any(around):
            rows, columns = hole.box
            raise InputError(
                f"expected a region marked as hole (NegativeROA) to lie in another region, but one lies in none, at "
                f"x = {columns.start} to {columns.stop}, y = {rows.start} to {rows.stop}; draw what it is cut from, or delete it."
            )
        for part, mine, takes in zip(cut, left, around, strict=True):
            if takes:
                mine &= ~part
    mask = np.zeros(size, np.uint8)
    for area, inside in zip(areas, left, strict=True):
        mask[area.box] |= inside
    return mask


def _patch(outline: Outline, shape: tuple[int, int]) -> _Patch:
    size = np.array(shape[::-1])  # x, y
    low, high = np.floor(outline.min(axis=0)), np.ceil(outline.max(axis=0))
    if (high < -_SLIP).any() or (low > size + _SLIP).any():
        raise InputError(
            f"expected regions in the {size[0]} x {size[1]} pixels (width x height) of the tile, but one lies at "
            f"x = {low[0]:.0f} to {high[0]:.0f}, y = {low[1]:.0f} to {high[1]:.0f}; the annotation seems to belong to another "
            "image: download both again."
        )
    (left, top), (right, bottom) = (np.clip(corner, 0, size).astype(int) for corner in (low, high))
    return _Patch(int(top), int(left), fill(outline - (left, top), (int(bottom - top), int(right - left))))
