"""Aperio ImageScope annotations: read the XML safely, and rasterize its regions and holes to a binary mask."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse
from numpy.typing import NDArray

from tmunet.datasets._build.faults import ConversionError
from tmunet.datasets._build.import_plan import Labels

Polygon = NDArray[np.float64]
"""(N, 2) vertices x, y in pixels, from the upper left corner of the upper left pixel; the last joins the first."""

_MAX_DEPTH = 20  # Annotations / Annotation / Regions / Region / Vertices / Vertex are 6
_MAX_COORDINATE = 1e9  # pixels; no image is as large
_ELLIPSE_VERTICES = 1024  # for 1000 pixels the polygon is off by less than a hundredth
_TOLERANCE = 20  # pixels by which a region along the border of a tile may reach outside
_POLYGONS, _RECTANGLE, _ELLIPSE = ("0", ""), "1", "2"  # values of Type; others, such as arrows and rulers, have no area
_EXCLUSION = re.compile("exclu|ignore", re.IGNORECASE)
_DOWNLOAD_AGAIN = "download it again from its source"


@dataclass(frozen=True)
class Region:
    """An annotated region; a hole is cut out of the regions around it."""

    polygon: Polygon
    is_hole: bool = False


def read_annotation_mask(path: Path, size: tuple[int, int]) -> Labels:
    """Read an annotation file and rasterize its regions to a mask (H, W) of 0 and 1.

    Raises:
        InputError: as for `read_regions` and `rasterize_regions`.
    """
    return rasterize_regions(read_regions(path), size, path)


def read_regions(path: Path) -> tuple[Region, ...]:
    """Read every ``Region`` of every ``Annotation`` (layer).

    ``Type`` (polygon, rectangle, or ellipse in the box of its two corners) and ``NegativeROA`` (a hole) are used.
    ``Analyze`` is not: it is a switch of the program's own measurements.

    Args:
        path: an XML file with ``Vertex`` elements, whose ``X`` and ``Y`` are in pixels of the image, and may be fractions.

    Returns:
        The regions, in their order; their polygons are (N, 2) arrays of x, y, of any N.

    Raises:
        InputError: the file is damaged, has no region, a region without area (an arrow, a ruler) or of unknown type, regions
            in an exclusion layer, a vertex without numbers, or what no annotation needs: a document type, entities,
            references to other files, or elements nested more than 20 deep.
    """
    try:
        with path.open("rb") as file:
            return _parse(path, file)
    except OSError as error:
        message = f"cannot be opened: {error.strerror}"
        raise ConversionError("unreadable", path, message, "check the path and its permissions") from error
    except DefusedXmlException as error:
        message = f"has a document type, entities or references to other files ({type(error).__name__}), which is unsafe"
        raise ConversionError("unsafe-xml", path, message, _DOWNLOAD_AGAIN) from error
    except (ParseError, ValueError, LookupError) as error:
        raise ConversionError("unreadable", path, f"cannot be read as XML ({error})", _DOWNLOAD_AGAIN) from error


def _parse(path: Path, file: IO[bytes]) -> tuple[Region, ...]:
    found: list[Region] = []
    depth = before = 0
    for event, element in iterparse(file, events=("start", "end"), forbid_dtd=True):
        depth += 1 if event == "start" else -1
        if depth > _MAX_DEPTH:
            message = f"elements are nested more than {_MAX_DEPTH} deep; this is no annotation"
            raise ConversionError("unsafe-xml", path, message, _DOWNLOAD_AGAIN)
        if event == "end" and element.tag == "Region":
            found.append(_region(path, element))
            element.clear()
        if element.tag == "Annotation":
            if event == "end" and len(found) > before:
                _check_layer(path, element)
            before = len(found)
    if not found:
        message = "expected an annotation of Aperio ImageScope with `Region` elements, but found none"
        raise ConversionError("annotation", path, message, _DOWNLOAD_AGAIN)
    return tuple(found)


def _region(path: Path, element: Element) -> Region:
    kind, negative = element.get("Type", "").strip(), element.get("NegativeROA", "").strip()
    vertices = np.array([_vertex(path, vertex) for vertex in element.iter("Vertex")]).reshape(-1, 2)
    where = f"{path}: the region {element.get('Id', '(without Id)')}"
    if negative not in ("", "0", "1"):
        message = f"expected NegativeROA to be 0 (a region) or 1 (a hole), but got {negative!r}"
        raise ConversionError("region-type", where, message, "correct it")
    if kind not in (*_POLYGONS, _RECTANGLE, _ELLIPSE):
        message = f"expected the Type 0, 1 or 2 (polygon, rectangle or ellipse), but got {kind!r}, such as an arrow or a ruler"
        raise ConversionError("region-type", where, message, "delete it, or draw a polygon in its place")
    if kind == _ELLIPSE or (kind == _RECTANGLE and len(vertices) == 2):
        if len(vertices) not in (2, 4):
            message = f"expected the 2 or 4 corners of the box of an ellipse, but got {len(vertices)}"
            raise ConversionError("region-type", where, message, "draw it as a polygon")
        vertices = _inscribe(vertices.min(axis=0), vertices.max(axis=0), kind)
    return Region(vertices, negative == "1")


def _inscribe(low: Polygon, high: Polygon, kind: str) -> Polygon:
    """The rectangle or the ellipse in a box."""
    if kind == _RECTANGLE:
        return np.array([low, (high[0], low[1]), high, (low[0], high[1])])
    angles = np.arange(_ELLIPSE_VERTICES) * math.tau / _ELLIPSE_VERTICES
    ellipse: Polygon = (low + high) / 2 + (high - low) / 2 * np.column_stack([np.cos(angles), np.sin(angles)])
    return ellipse


def _check_layer(path: Path, layer: Element) -> None:
    values = [one.get("Value", "") for one in layer.iterfind("Attributes/Attribute[@Name='Description']")]
    for name in (layer.get("Name", ""), *values):
        if _EXCLUSION.search(name):
            message = f"expected layers of objects, but the layer {name!r} has the name of an exclusion layer"
            hint = "mark its regions as negative in the layer of the objects, or rename the layer if it holds objects"
            raise ConversionError("exclusion-layer", path, message, hint)


def _vertex(path: Path, vertex: Element) -> tuple[float, float]:
    try:
        x, y = float(vertex.get("X", "")), float(vertex.get("Y", ""))
    except ValueError:
        x = y = math.nan
    if not (abs(x) < _MAX_COORDINATE and abs(y) < _MAX_COORDINATE):  # false for NaN as well
        message = f"expected `Vertex` to have numbers X and Y, but got {dict(vertex.attrib)!r}"
        raise ConversionError("annotation", path, message, _DOWNLOAD_AGAIN)
    return x, y


def fill_polygon(polygon: Polygon, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Rasterize a polygon: mark the pixels whose center it encloses.

    The center of the pixel in row i and column j is x = j + 0.5, y = i + 0.5. The rule is non-zero winding, so that a polygon
    that crosses itself has no holes. A center exactly on an edge belongs to the right or lower side of that edge. Parts
    outside the image are cut off.

    Args:
        polygon: (N, 2) vertices; fewer than three enclose nothing.
        size: (H, W) of the image, in pixels.

    Returns:
        (H, W) bool.

    >>> fill_polygon(np.array([[1.0, 0.0], [3.0, 0.0], [3.0, 2.0], [1.0, 2.0]]), (3, 4)).astype(int)
    array([[0, 1, 1, 0],
           [0, 1, 1, 0],
           [0, 0, 0, 0]])
    """
    height, width = size
    ends = np.stack([polygon, np.roll(polygon, -1, axis=0)])  # (2, N, 2)
    downward = ends[0, :, 1] < ends[1, :, 1]
    # Every edge is taken from its upper end, so that two neighbors compute the same crossings for their common edge.
    (x, y), (lower_x, lower_y) = np.where(downward[:, None], ends, ends[::-1]).transpose(0, 2, 1)
    # An edge crosses the row i if y <= i + 0.5 < lower_y.
    first, last = (np.clip(np.ceil(end - 0.5), 0, height).astype(np.intp) for end in (y, lower_y))
    count = last - first
    edge = np.repeat(np.arange(len(polygon)), count)
    row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    share = (row + 0.5 - y[edge]) / (lower_y - y)[edge]
    crossing = x[edge] + share * (lower_x - x)[edge]
    column = np.clip(np.ceil(crossing - 0.5), 0, width).astype(np.intp)
    turns = np.zeros((height, width + 1), np.int32)
    np.add.at(turns, (row, column), np.where(downward, 1, -1)[edge])
    filled: NDArray[np.bool_] = turns.cumsum(axis=1)[:, :width] != 0
    return filled


@dataclass(frozen=True)
class _Patch:
    """The pixels of a region, in its bounding box only: a tile has hundreds of regions."""

    top: int
    left: int
    inside: NDArray[np.bool_]

    @property
    def box(self) -> tuple[slice, slice]:
        height, width = self.inside.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    def crop(self, other: "_Patch") -> NDArray[np.bool_]:
        """The pixels of another patch that are in this box, in the frame of this box."""
        height, width = self.inside.shape
        found = np.zeros((height, width), np.bool_)
        down, right = other.top - self.top, other.left - self.left
        rows = slice(max(down, 0), max(min(down + other.inside.shape[0], height), 0))
        columns = slice(max(right, 0), max(min(right + other.inside.shape[1], width), 0))
        part = other.inside[max(-down, 0) :, max(-right, 0) :]
        size = found[rows, columns].shape
        found[rows, columns] = part[: size[0], : size[1]]
        return found


def rasterize_regions(regions: Sequence[Region], size: tuple[int, int], path: object = "") -> Labels:
    """Rasterize regions to a mask of 0 and 1, whatever their order.

    A hole is cut out of every region that contains more than half of it. Nothing else loses a pixel: a nucleus that is drawn
    inside of a hole stays, and so does a neighbor that reaches into it. Polygons of fewer than three vertices enclose nothing.

    Args:
        regions: in pixels of the image.
        size: (H, W) of the image.
        path: of the annotation, for messages.

    Raises:
        InputError: a region is outside of the image, or a hole in no region.
    """
    drawn = [region for region in regions if len(region.polygon) >= 3]
    areas, holes = ([_patch(one.polygon, size, path) for one in drawn if one.is_hole is hole] for hole in (False, True))
    left = [area.inside.copy() for area in areas]
    for hole in holes:
        count = np.count_nonzero(hole.inside)
        cut = [area.crop(hole) for area in areas]
        around = [2 * np.count_nonzero(part & area.inside) > count for part, area in zip(cut, areas, strict=True)]
        if count and not any(around):
            rows, columns = hole.box
            message = (
                f"expected a hole (NegativeROA) to be in a region, but one is in none, at x = {columns.start} to "
                f"{columns.stop}, y = {rows.start} to {rows.stop}"
            )
            raise ConversionError("stray-hole", path, message, "draw the region that it is cut from, or delete it")
        for part, remaining, contains in zip(cut, left, around, strict=True):
            if contains:
                remaining &= ~part
    mask = np.zeros(size, np.uint8)
    for area, inside in zip(areas, left, strict=True):
        mask[area.box] |= inside
    return mask


def _patch(polygon: Polygon, shape: tuple[int, int], path: object) -> _Patch:
    size = np.array(shape[::-1])  # x, y
    low, high = np.floor(polygon.min(axis=0)), np.ceil(polygon.max(axis=0))
    if (high < -_TOLERANCE).any() or (low > size + _TOLERANCE).any():
        message = (
            f"expected regions in the {size[0]} x {size[1]} pixels (width x height) of the tile, but one is at "
            f"x = {low[0]:.0f} to {high[0]:.0f}, y = {low[1]:.0f} to {high[1]:.0f}; the annotation seems to belong to another "
            "image"
        )
        raise ConversionError("other-image", path, message, "download both again")
    (left, top), (right, bottom) = (np.clip(corner, 0, size).astype(int) for corner in (low, high))
    return _Patch(int(top), int(left), fill_polygon(polygon - (left, top), (int(bottom - top), int(right - left))))
