"""Read the regions in an annotation file of Aperio ImageScope, without trusting it."""

import math
import re
from pathlib import Path
from typing import IO
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from tmunet.datasets._build.polygons import Outline
from tmunet.datasets._build.regions import Region
from tmunet.errors import InputError

_DEEPEST = 20  # Annotations / Annotation / Regions / Region / Vertices / Vertex are 6
_FARTHEST = 1e9  # pixels; no image is as large
_CORNERS = 1024  # of the polygon for an ellipse: of 1000 pixels it is off by less than a hundredth
_OUTLINES, _RECTANGLE, _ELLIPSE = (
    ("0", ""),
    "1",
    "2",
)  # Type; what is none of them, such as an arrow or a ruler, has no area
_EXCLUSION = re.compile("exclu|ignore", re.IGNORECASE)


def read_regions(path: Path) -> tuple[Region, ...]:
    """Read every ``Region`` of every ``Annotation`` (layer).

    Of a region count its ``Type`` (drawn outline, rectangle, or ellipse in the box of its two corners) and ``NegativeROA``, by
    which it is a hole. ``Analyze`` is a switch of the program's own measurements, and says nothing of what was drawn.

    Args:
        path: an XML file with ``Vertex`` elements, whose ``X`` and ``Y`` are in pixels of the image, and may be fractions.

    Returns:
        The regions, in their order; their outlines are (N, 2) arrays of x, y, of any N.

    Raises:
        InputError: the file is damaged, has no region, a region that is no area (an arrow, a ruler) or of unknown kind, regions
            in a layer that is named as exclusion, a vertex without numbers, or what no annotation needs: a document type,
            entities, references to other files, or elements more than 20 deep.
    """
    try:
        with path.open("rb") as file:
            return _regions(path, file)
    except OSError as error:
        raise InputError(f"{path}: cannot be opened: {error.strerror}. Check the path and its permissions.") from error
    except DefusedXmlException as error:
        raise InputError(
            f"{path}: has a document type, entities or references to other files ({type(error).__name__}), which no "
            "annotation of ImageScope has; it is not read, for safety: download it again from its source."
        ) from error
    except (ParseError, ValueError, LookupError) as error:
        raise InputError(f"{path}: cannot be read as XML ({error}); download it again from its source.") from error


def _regions(path: Path, file: IO[bytes]) -> tuple[Region, ...]:
    found: list[Region] = []
    depth = before = 0
    for event, element in iterparse(file, events=("start", "end"), forbid_dtd=True):
        depth += 1 if event == "start" else -1
        if depth > _DEEPEST:
            raise InputError(f"{path}: elements lie in each other more than {_DEEPEST} deep; this is no annotation.")
        if event == "end" and element.tag == "Region":
            found.append(_region(path, element))
            element.clear()
        if element.tag == "Annotation":
            if event == "end" and len(found) > before:
                _check_layer(path, element)
            before = len(found)
    if not found:
        raise InputError(f"{path}: expected an annotation of Aperio ImageScope with `Region` elements, but found none.")
    return tuple(found)


def _region(path: Path, element: Element) -> Region:
    kind, negative = element.get("Type", "").strip(), element.get("NegativeROA", "").strip()
    corners = np.array([_corner(path, vertex) for vertex in element.iter("Vertex")]).reshape(-1, 2)
    where = f"{path}: the region {element.get('Id', '(without Id)')}"
    if negative not in ("", "0", "1"):
        raise InputError(
            f"{where}: expected NegativeROA to be 0 (an area) or 1 (a hole), but got {negative!r}; correct it."
        )
    if kind not in (*_OUTLINES, _RECTANGLE, _ELLIPSE):
        raise InputError(
            f"{where}: expected a Type that has an area (0, 1 or 2: an outline, a rectangle or an ellipse), but got {kind!r}, as "
            "arrows and rulers have others; delete it, or draw an outline in its place."
        )
    if kind == _ELLIPSE or (kind == _RECTANGLE and len(corners) == 2):
        if len(corners) not in (2, 4):
            raise InputError(
                f"{where}: expected the 2 or 4 corners of the box of an ellipse, but got {len(corners)}; draw it as an outline."
            )
        corners = _in_box(corners.min(axis=0), corners.max(axis=0), kind)
    return Region(corners, negative == "1")


def _in_box(low: Outline, high: Outline, kind: str) -> Outline:
    if kind == _RECTANGLE:
        return np.array([low, (high[0], low[1]), high, (low[0], high[1])])
    angles = np.arange(_CORNERS) * math.tau / _CORNERS
    around: Outline = (low + high) / 2 + (high - low) / 2 * np.column_stack([np.cos(angles), np.sin(angles)])
    return around


def _check_layer(path: Path, layer: Element) -> None:
    values = [one.get("Value", "") for one in layer.iterfind("Attributes/Attribute[@Name='Description']")]
    for name in (layer.get("Name", ""), *values):
        if _EXCLUSION.search(name):
            raise InputError(
                f"{path}: expected layers of objects, but the layer {name!r} is named as what is left out; mark its regions "
                "as negative in the layer of the objects, or rename the layer if it holds objects."
            )


def _corner(path: Path, vertex: Element) -> tuple[float, float]:
    try:
        x, y = float(vertex.get("X", "")), float(vertex.get("Y", ""))
    except ValueError:
        x = y = math.nan
    if not (abs(x) < _FARTHEST and abs(y) < _FARTHEST):  # false for NaN as well
        raise InputError(f"{path}: expected `Vertex` to have numbers X and Y, but got {dict(vertex.attrib)!r}.")
    return x, y
