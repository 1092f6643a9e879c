"""Read the outlines in an annotation file of Aperio ImageScope, without trusting it."""

import math
from pathlib import Path
from typing import IO
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from tmunet.data.sets.polygons import Outline
from tmunet.errors import InputError

_DEEPEST = 20  # Annotations / Annotation / Regions / Region / Vertices / Vertex are 6
_FARTHEST = 1e9  # pixels; no image is as large


def read_outlines(path: Path) -> tuple[Outline, ...]:
    """Read every ``Region`` of every ``Annotation``.

    Args:
        path: an XML file with ``Vertex`` elements, whose ``X`` and ``Y`` are in pixels of the image, and may be fractions.

    Returns:
        An (N, 2) array of x, y for each region, of any N.

    Raises:
        InputError: the file is damaged, has no region, a vertex without numbers, or what no annotation needs: a document
            type, entities, references to other files, or elements more than 20 deep.
    """
    try:
        with path.open("rb") as file:
            return _outlines(path, file)
    except OSError as error:
        raise InputError(f"{path}: cannot be opened: {error.strerror}. Check the path and its permissions.") from error
    except DefusedXmlException as error:
        raise InputError(
            f"{path}: has a document type, entities or references to other files ({type(error).__name__}), which no "
            "annotation of ImageScope has; it is not read, for safety: download it again from its source."
        ) from error
    except (ParseError, ValueError, LookupError) as error:
        raise InputError(f"{path}: cannot be read as XML ({error}); download it again from its source.") from error


def _outlines(path: Path, file: IO[bytes]) -> tuple[Outline, ...]:
    found: list[Outline] = []
    depth = 0
    for event, element in iterparse(file, events=("start", "end"), forbid_dtd=True):
        depth += 1 if event == "start" else -1
        if depth > _DEEPEST:
            raise InputError(f"{path}: elements lie in each other more than {_DEEPEST} deep; this is no annotation.")
        if event == "end" and element.tag == "Region":
            found.append(np.array([_corner(path, vertex) for vertex in element.iter("Vertex")]).reshape(-1, 2))
            element.clear()
    if not found:
        raise InputError(f"{path}: expected an annotation of Aperio ImageScope with `Region` elements, but found none.")
    return tuple(found)


def _corner(path: Path, vertex: Element) -> tuple[float, float]:
    try:
        x, y = float(vertex.get("X", "")), float(vertex.get("Y", ""))
    except ValueError:
        x = y = math.nan
    if not (abs(x) < _FARTHEST and abs(y) < _FARTHEST):  # false for NaN as well
        raise InputError(f"{path}: expected `Vertex` to have numbers X and Y, but got {dict(vertex.attrib)!r}.")
    return x, y
