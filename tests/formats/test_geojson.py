"""GeoJSON for QuPath: written, read again, and refused where it is no area."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tmunet.errors import InputError
from tmunet.formats.geojson import Feature, read_geojson, write_geojson
from tmunet.formats.outlines import fill_polygons, number_objects, signed_area, trace_outlines

from ..coded_errors import coded
from .jts import check_by_jts, needs_jts, wkt

CLASSES = ("background", "nucleus", "lumen")
masks = arrays.arrays(np.uint8, (9, 11), elements=st.integers(0, 2))


def features_of(mask: np.ndarray, **more: Any) -> list[Feature]:
    objects, labels = number_objects(mask, 3)
    pairs = zip(trace_outlines(objects), labels, strict=True)
    return [Feature(outline, CLASSES[label], label, **more) for outline, label in pairs]


def noise(height: int = 40, width: int = 50) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 3, (height, width)).astype(np.uint8)


@given(masks)
def test_a_mask_that_is_written_and_read_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, mask: np.ndarray
) -> None:
    file = tmp_path_factory.mktemp("geojson") / "a.geojson"
    assert write_geojson(file, features_of(mask)) == len(read_geojson(file))
    again = np.zeros_like(mask)
    for annotation in read_geojson(file):
        place, inside = fill_polygons(annotation.polygons, (mask.shape[0], mask.shape[1]))
        assert not again[place][inside].any()
        again[place][inside] = CLASSES.index(annotation.class_name or "")
    np.testing.assert_array_equal(again, mask)


def test_the_file_has_the_members_of_qupath(tmp_path: Path) -> None:
    file = tmp_path / "a.geojson"
    mask = np.zeros((6, 6), np.uint8)
    mask[1:5, 1:5] = 2
    mask[2:4, 2:4] = 0
    measured = {"area_px": 12, "axis": float("nan")}
    write_geojson(file, features_of(mask, measurements=measured, source="abc", object_type="detection"))
    content = json.loads(file.read_text("utf-8"))
    (feature,) = content["features"]
    assert (content["type"], feature["type"]) == ("FeatureCollection", "Feature")
    assert feature["properties"] == {
        "objectType": "detection",
        "name": "1",
        "classification": {"name": "lumen", "color": [86, 180, 233]},
        "measurements": {"area_px": 12},
    }
    assert feature["geometry"]["type"] == "Polygon"
    outside, hole = (np.array(ring) for ring in feature["geometry"]["coordinates"])
    assert outside.tolist() == [[1, 1], [5, 1], [5, 5], [1, 5], [1, 1]]
    assert signed_area(outside[:-1]) == 16
    assert signed_area(hole[:-1]) == -4


def test_ids_are_those_of_the_image_and_all_different(tmp_path: Path) -> None:
    def ids(source: str) -> list[str]:
        write_geojson(tmp_path / "a.geojson", features_of(noise(), source=source))
        return [feature["id"] for feature in json.loads((tmp_path / "a.geojson").read_text("utf-8"))["features"]]

    assert ids("one") == ids("one")
    assert len({*ids("one"), *ids("two")}) == 2 * len(ids("one")) > 2


def test_compressed_files_have_the_same_content_and_the_same_bytes_again(tmp_path: Path) -> None:
    plain, packed, again = tmp_path / "a.geojson", tmp_path / "a.geojson.gz", tmp_path / "b.geojson.gz"
    for file in (plain, packed, again):
        write_geojson(file, features_of(noise()))
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    assert packed.read_bytes() == again.read_bytes()
    assert [one.number for one in read_geojson(packed)] == [one.number for one in read_geojson(plain)]


def test_coordinates_are_scaled_to_the_pixels_of_the_image(tmp_path: Path) -> None:
    mask = np.zeros((4, 4), np.uint8)
    mask[1:3, 1:4] = 1
    write_geojson(tmp_path / "a.geojson", features_of(mask), scale=(4.00137, 3.5))
    (annotation,) = read_geojson(tmp_path / "a.geojson")
    assert annotation.polygons[0][0][2].tolist() == [16.01, 10.5]


def test_an_interrupted_file_does_not_appear(tmp_path: Path) -> None:
    def broken() -> Any:
        yield from features_of(noise())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_geojson(tmp_path / "a.geojson", broken())
    assert list(tmp_path.iterdir()) == []


@needs_jts
def test_jts_reads_what_was_written_also_where_it_is_scaled(tmp_path: Path) -> None:
    mask = noise()
    expected = [(mask == label).sum() for label in (1, 2)]
    geometries = []
    for name, scale in (("a", (1.0, 1.0)), ("b", (4.00137, 2.71828))):
        write_geojson(tmp_path / name, features_of(mask), scale)
        geometries += [wkt([[ring[:-1] for ring in p] for p in one.polygons]) for one in read_geojson(tmp_path / name)]
    found = check_by_jts(tmp_path, geometries)
    assert {valid for valid, *_ in found} == {"valid"}
    assert all(reduced != "refused" for *_, reduced in found)
    assert sum(area for _, area, _ in found[: len(found) // 2]) == sum(expected)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "geojson"),
        (b"{", "geojson"),
        (b"\x1f\x8b damaged", "geojson"),
        (b'{"features": 3}', "geojson"),
        (b"3", "geojson"),
        (b'[{"type": "Feature", "geometry": null}]', "geometry"),
        (b'[{"geometry": {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}}]', "geometry"),
        (b'[{"geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}}]', "geometry"),
        (b'[{"geometry": {"type": "Polygon", "coordinates": []}}]', "geometry"),
        (b'[{"geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, NaN], [2, 2]]]}}]', "geometry"),
        (b'[{"geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, "x"], [2, 2]]]}}]', "geometry"),
        (b'[{"geometry": {"type": "MultiPolygon", "coordinates": 4}}]', "geometry"),
    ],
)
def test_what_is_no_area_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    file = tmp_path / "a.geojson"
    file.write_bytes(content)
    with pytest.raises(InputError, check=coded(code, file)):
        read_geojson(file)


def test_a_list_of_features_and_a_single_one_are_read(tmp_path: Path) -> None:
    feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[[0, 0, 9], [3, 0, 9], [3, 3, 9]]]}}
    for content in ([feature], feature):
        (tmp_path / "a.json").write_text(json.dumps(content), "utf-8")
        (annotation,) = read_geojson(tmp_path / "a.json")
        assert annotation.class_name is None
        assert annotation.polygons[0][0].tolist() == [[0, 0], [3, 0], [3, 3]]
