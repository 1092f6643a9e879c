"""GeoJSON of QuPath: write objects as annotations or detections, and read annotations.

Coordinates are x, y in pixels of the image from its upper left corner, as QuPath has them; rings are closed and run as RFC 7946
section 3.1.6 says. Files that end in .gz are compressed; both kinds are written feature by feature and open in QuPath by
drag and drop.
"""

import gzip
import io
import json
import math
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from tmunet.errors import InputError
from tmunet.file_limits import MAX_GEOJSON_BYTES
from tmunet.files import open_atomic
from tmunet.formats.outlines import Outline, Ring
from tmunet.visualize import color

ObjectType = Literal["annotation", "detection"]
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_IDS = uuid.uuid5(uuid.NAMESPACE_URL, "https://datatracker.ietf.org/doc/html/rfc7946")


@dataclass(frozen=True)
class Feature:
    """An object of QuPath.

    Attributes:
        outline: of the object; its label is the name of the object.
        class_name: classification.
        class_label: label of the class, which sets its color.
        measurements: numbers by name, shown in the measurement table; those that are not finite are left out.
        source: hash or name of the image, from which the id is made: the same object has the same id again.
        object_type: annotations can be edited; QuPath shows many more detections at once.
    """

    outline: Outline
    class_name: str
    class_label: int
    measurements: Mapping[str, float] = field(default_factory=dict)
    source: str = ""
    object_type: ObjectType = "annotation"

    def to_json(self, scale: tuple[float, float] = (1.0, 1.0)) -> str:
        """Return the feature as a line of JSON, its coordinates (x, y) multiplied by `scale`, to 1/100 pixel."""
        polygons = [[_closed(ring, scale) for ring in polygon] for polygon in self.outline.polygons]
        single = len(polygons) == 1
        number = self.outline.label
        content = {
            "type": "Feature",
            "id": str(uuid.uuid5(_IDS, f"{self.source}/{number}")),
            "geometry": {
                "type": "Polygon" if single else "MultiPolygon",
                "coordinates": polygons[0] if single else polygons,
            },
            "properties": {
                "objectType": self.object_type,
                "name": str(number),
                "classification": {"name": self.class_name, "color": list(color(self.class_label))},
                "measurements": {name: value for name, value in self.measurements.items() if math.isfinite(value)},
            },
        }
        return _ENCODER.encode(content)


def _closed(ring: Ring, scale: tuple[float, float]) -> list[list[float]]:
    points: list[list[float]] = (ring if scale == (1.0, 1.0) else (ring * np.array(scale)).round(2)).tolist()
    return [*points, points[0]]


def write_geojson(path: Path, features: Iterable[Feature], scale: tuple[float, float] = (1.0, 1.0)) -> int:
    """Write a FeatureCollection atomically, a feature at a time; the same features give the same bytes.

    Args:
        path: the file; compressed if it ends in .gz.
        features: in the order of the file.
        scale: factors of x and y from the pixels of the outlines to those of the image.

    Returns:
        The number of features.
    """
    with open_atomic(path) as file:
        if path.suffix.lower() != ".gz":
            return _write(file, features, scale)
        with gzip.GzipFile("", "wb", compresslevel=3, fileobj=file, mtime=0) as packed:
            return _write(packed, features, scale)


def _write(file: BinaryIO | gzip.GzipFile, features: Iterable[Feature], scale: tuple[float, float]) -> int:
    count = 0
    file.write(b'{"type":"FeatureCollection","features":[')
    for feature in features:
        file.write((",\n" if count else "\n").encode() + feature.to_json(scale).encode())
        count += 1
    file.write(b"\n]}\n")
    return count


@dataclass(frozen=True)
class Annotation:
    """An area read from a GeoJSON file.

    Attributes:
        class_name: its classification, or None.
        polygons: rings (N, 2) of x, y, as in the file.
        number: of the feature in the file, from 1.
    """

    class_name: str | None
    polygons: tuple[tuple[NDArray[np.float64], ...], ...]
    number: int


def read_geojson(path: Path) -> list[Annotation]:
    """Read the areas of a GeoJSON file as QuPath exports it: a FeatureCollection, a list of features, or one.

    Raises:
        InputError: the file cannot be read or is no GeoJSON (code "geojson"), or a feature is no area (code "geometry").
    """
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            with gzip.open(io.BytesIO(content)) as packed:
                content = packed.read(MAX_GEOJSON_BYTES + 1)
            if len(content) > MAX_GEOJSON_BYTES:
                raise ValueError(f"it expands to more than {MAX_GEOJSON_BYTES:,} bytes")
        found = json.loads(content)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error}.", code="geojson", path=path) from None
    except (ValueError, EOFError, RecursionError, zlib.error) as error:
        raise InputError(f"{path}: expected GeoJSON, but it is damaged: {error}.", code="geojson", path=path) from None
    features = found.get("features", [found]) if isinstance(found, dict) else found
    if not isinstance(features, list):
        raise InputError(
            f"{path}: expected a GeoJSON FeatureCollection; export the objects in QuPath with File > Export objects as GeoJSON.",
            code="geojson",
            path=path,
        )
    return [_read_feature(feature, number, path) for number, feature in enumerate(features, start=1)]


def _read_feature(feature: Any, number: int, path: Path) -> Annotation:
    geometry = _member(feature, "geometry")
    kind, coordinates = _member(geometry, "type"), _member(geometry, "coordinates")
    if kind not in ("Polygon", "MultiPolygon"):
        raise InputError(
            f"{path}: feature {number}: expected a Polygon or MultiPolygon, but got {kind or 'no geometry'}; "
            "delete lines and points in QuPath, or convert them to areas, and export again.",
            code="geometry",
            path=path,
        )
    try:
        polygons = tuple(_read_rings([coordinates] if kind == "Polygon" else coordinates))
    except (TypeError, ValueError, KeyError, OverflowError):  # the last from whole numbers above 1e308
        raise InputError(
            f"{path}: feature {number}: expected rings of at least 3 finite x, y corners; export it again.",
            code="geometry",
            path=path,
        ) from None
    name = _member(_member(_member(feature, "properties"), "classification"), "name")
    return Annotation(name if isinstance(name, str) else None, polygons, number)


def _member(parent: Any, name: str) -> Any:
    return parent.get(name) if isinstance(parent, dict) else None


def _read_rings(polygons: Sequence[Any]) -> Iterator[tuple[NDArray[np.float64], ...]]:
    for polygon in polygons:
        rings = tuple(np.array([point[:2] for point in ring], np.float64) for ring in polygon)
        if not rings or any(ring.ndim != 2 or len(ring) < 3 or not np.isfinite(ring).all() for ring in rings):
            raise ValueError
        yield rings
