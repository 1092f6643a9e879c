"""Files are written whole or not at all."""

import csv
import hashlib
import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tmunet.files import sha256, write_bytes, write_csv, write_json, write_text


def test_bytes_are_written_into_folders_that_are_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.bin"
    write_bytes(path, b"\0old")
    write_bytes(path, b"\xffnew")
    assert path.read_bytes() == b"\xffnew"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["x" * 255, "ä" * 127, "病" * 85])
def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path, name: str) -> None:
    write_bytes(tmp_path / name, b"x")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_has_the_rights_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_bytes(tmp_path / "ours", b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_failure_leaves_the_old_file_and_no_remains(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    write_bytes(path, b"old")
    with pytest.raises(TypeError):
        write_bytes(path, "not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_bytes(tmp_path / "folder", b"new")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file.bin", "folder"]


def test_text_is_utf8_with_line_feeds(tmp_path: Path) -> None:
    write_text(tmp_path / "text", "größe\r\nλ\n")
    assert (tmp_path / "text").read_bytes() == "größe\r\nλ\n".encode()


def test_json_is_readable_and_has_no_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "file.json", {"größe": [1, None]})
    assert json.loads((tmp_path / "file.json").read_text("utf-8")) == {"größe": [1, None]}
    assert "größe" in (tmp_path / "file.json").read_text("utf-8")
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_json(tmp_path / "file.json", value)
    assert json.loads((tmp_path / "file.json").read_text("utf-8")) == {"größe": [1, None]}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs", "Cc"])), st.floats(allow_nan=False))))
def test_a_table_reads_back_as_the_same_words_and_numbers(rows: list[tuple[str, float]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        write_csv(path, ("name", "value"), [{"name": name, "value": value} for name, value in rows])
        with path.open(encoding="utf-8", newline="") as file:
            assert [(row["name"], float(row["value"])) for row in csv.DictReader(file)] == rows


def test_a_table_takes_no_columns_that_it_does_not_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="other"):
        write_csv(tmp_path / "table.csv", ("name",), [{"name": 1, "other": 2}])
    assert not list(tmp_path.iterdir())


def test_a_hash_is_that_of_the_content(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    write_bytes(tmp_path / "file", content)
    assert sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()
