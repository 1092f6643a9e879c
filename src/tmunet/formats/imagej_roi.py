"""Write ImageJ ROI zips: outlines of objects for the ROI Manager, with holes; ImageJ fills exactly the pixels of the mask."""

import io
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tmunet.errors import InputError
from tmunet.extras import require
from tmunet.files import write_bytes
from tmunet.formats.outlines import Outline
from tmunet.visualize import color

MAX_SIDE = 32767  # pixels: bounds of a ROI are signed 16-bit numbers
_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0  # path operations of java.awt.geom.PathIterator, which ImageJ stores
_BEFORE_1980 = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold: the same ROIs give the same bytes


def write_roi_zip(path: Path, objects: Iterable[tuple[Outline, int]], size: tuple[int, int]) -> int:
    """Write a ROI zip atomically; a file that is there is replaced, not appended to.

    Each object is one ROI, named by its label. One without holes and in one piece is a polygon; another is a composite ROI, as
    ImageJ makes by combining and subtracting selections. Its group is the class label, and its color that of the class. Without
    objects the zip is empty; ImageJ's ROI Manager says that there are no ROIs in it.

    Args:
        path: the file.
        objects: outlines with the label of their class.
        size: (H, W) of the image.

    Returns:
        The number of ROIs.

    Raises:
        MissingExtraError: roifile is not installed.
        InputError: the image is larger than ROIs can be (code "too-large").
    """
    roifile = require("roifile", extra="polygons")
    if max(size) > MAX_SIDE:
        raise InputError(
            f"{path}: ImageJ ROIs hold coordinates of at most {MAX_SIDE:,} pixels, but the image has {size[0]:,} x {size[1]:,}; "
            "write GeoJSON instead.",
            code="too-large",
            path=path,
        )
    buffer, count = io.BytesIO(), 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for outline, class_label in objects:
            entry = zipfile.ZipInfo(f"{outline.label}.roi", _BEFORE_1980)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, _roi(roifile, outline, class_label).tobytes())
            count += 1
    write_bytes(path, buffer.getvalue())
    return count


def _roi(roifile: Any, outline: Outline, class_label: int) -> Any:
    rings = [ring for polygon in outline.polygons for ring in polygon]
    outer = np.concatenate(rings)
    left, top = outer.min(axis=0).tolist()
    right, bottom = outer.max(axis=0).tolist()
    stroke = struct.pack(">BBBB", 255, *color(class_label))
    common: dict[str, Any] = {
        "name": str(outline.label),
        "left": left,
        "top": top,
        "right": right,
        "bottom": bottom,
        "group": class_label,
        "stroke_color": stroke,
    }
    if len(rings) == 1 and len(outer) < 2**16:
        polygon = outer - (left, top)
        return roifile.ImagejRoi(
            roitype=roifile.ROI_TYPE.POLYGON, n_coordinates=len(polygon), integer_coordinates=polygon, **common
        )
    path = np.concatenate([_path(ring) for ring in rings])
    return roifile.ImagejRoi(roitype=roifile.ROI_TYPE.RECT, shape_roi_size=len(path), multi_coordinates=path, **common)


def _path(ring: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Path operations of a ring, each with its x and y: move, lines, close."""
    steps = np.empty((len(ring), 3), np.float32)
    steps[:, 0] = _LINE
    steps[0, 0] = _MOVE
    steps[:, 1:] = ring
    return np.append(steps.ravel(), np.float32(_CLOSE))
