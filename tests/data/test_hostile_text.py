"""Numbers and nestings in text files that Python's own parsers refuse with other errors, or never end with."""

import gzip
import json
from pathlib import Path

import pytest
import yaml

from tmunet.config import parse_yaml, read_yaml
from tmunet.data.cases import read_dataset_info
from tmunet.data.split.group_table import read_groups
from tmunet.errors import DataError, InputError, UsageError
from tmunet.formats import geojson
from tmunet.formats.geojson import read_geojson
from tmunet.training.train_config import OptimizerConfig

HUGE = "9" * 400  # a whole number above every float
ENDLESS = "9" * 5000  # more digits than int() takes


@pytest.mark.parametrize(
    "value",
    ["2026-13-45", ENDLESS, "!!int x", "!!float x", "!!bool x", "!!timestamp x", "!!set [a]", "&a [*a]"],
)
def test_a_yaml_value_that_cannot_be_made(tmp_path: Path, value: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"a: {value}\n")
    with pytest.raises(UsageError) as caught:
        read_yaml(path)
    assert caught.value.code == "yaml"


def test_aliases_of_aliases_are_counted_not_expanded() -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    text += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 30))
    with pytest.raises(yaml.YAMLError):
        parse_yaml(text)
    few = parse_yaml("a: &a [1, 2]\nb: [*a, *a]\n")
    assert few == {"a": [1, 2], "b": [[1, 2], [1, 2]]}


def test_a_whole_number_above_every_float_is_no_setting() -> None:
    from tmunet.config import from_mapping

    with pytest.raises(UsageError) as caught:
        from_mapping(OptimizerConfig, {"learning_rate": int(HUGE)}, "here")
    assert caught.value.code == "type"


def test_a_spacing_above_every_float(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(f'{{"spacing_mm": {{"a": [{HUGE}, 1]}}}}')
    with pytest.raises(DataError):
        read_dataset_info(tmp_path)


def test_a_case_of_5000_digits(tmp_path: Path) -> None:
    path = tmp_path / "groups.csv"
    path.write_text(f"case,group\n{ENDLESS},p\n7,p\n")
    with pytest.raises(DataError) as caught:
        read_groups(path, ("007", "008"))
    assert len(caught.value.faults) == 2
    assert "'007'" in caught.value.faults[1]


def outlines(corner: str) -> str:
    ring = f"[[{corner}, 1], [9, 1], [9, 9], [{corner}, 1]]"
    return f'{{"type": "Feature", "geometry": {{"type": "Polygon", "coordinates": [{ring}]}}, "properties": {{}}}}'


def test_a_corner_above_every_float(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(outlines(HUGE))
    with pytest.raises(InputError) as caught:
        read_geojson(path)
    assert caught.value.code == "geometry"


def test_a_damaged_or_expanding_compressed_geojson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.geojson.gz"
    content = gzip.compress(outlines("1").encode())
    path.write_bytes(content)
    assert len(read_geojson(path)) == 1
    path.write_bytes(content[:10] + b"\xff" * 8 + content[18:])  # zlib's own error
    with pytest.raises(InputError) as caught:
        read_geojson(path)
    assert caught.value.code == "geojson"
    monkeypatch.setattr(geojson, "MAX_GEOJSON_BYTES", 1000)
    path.write_bytes(gzip.compress(json.dumps([0] * 1000).encode()))
    with pytest.raises(InputError) as caught:
        read_geojson(path)
    assert caught.value.code == "geojson"
