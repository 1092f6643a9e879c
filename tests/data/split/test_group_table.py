"""Groups of cases from a CSV table."""

from pathlib import Path

import pytest

from tmunet.data.split.group_table import read_groups
from tmunet.errors import DataError, InputError

from ...coded_errors import coded


def test_cases_are_named_by_name_file_or_path(tmp_path: Path) -> None:
    table = tmp_path / "groups.csv"
    table.write_text("group, case ,age\np1,a,50\np1,b.PNG,50\np2,images/c.tif,61\n", "utf-8-sig")
    assert read_groups(table, ["a", "b", "c", "d"]) == {"a": "p1", "b": "p1", "c": "p2"}


def test_every_fault_is_in_one_error_with_its_line(tmp_path: Path) -> None:
    table = tmp_path / "groups.csv"
    table.write_text("case,group\ncase1,p1\ncsae2,p1\ncase1,p2\ncase3,\n")
    with pytest.raises(DataError) as caught:
        read_groups(table, ["case1", "case2", "case3"])
    assert [fault.split(":")[0] for fault in caught.value.faults] == ["line 3", "line 4", "line 5"]
    assert "'case2'" in caught.value.faults[0]


@pytest.mark.parametrize("content", [b"", b"name,patient\na,1\n", b"case,group\n\xff,1\n"])
def test_what_is_no_table_of_groups_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "groups.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"groups\.csv"):
        read_groups(tmp_path / "groups.csv", ["a"])
    with pytest.raises(InputError, check=coded("unreadable")):
        read_groups(tmp_path / "none.csv", ["a"])


ROWS = "Case{0}Group{0}Age\r\n0001{0}Müller{0}50\r\n\r\n0002{0}p2{0}51\r\n{0}{0}\r\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_are_read_as_spreadsheets_save_them(tmp_path: Path, delimiter: str, encoding: str) -> None:
    table = tmp_path / "groups.csv"
    table.write_bytes(ROWS.format(delimiter).encode(encoding))
    assert read_groups(table, ["0001", "0002", "0003"]) == {"0001": "Müller", "0002": "p2"}


def test_another_encoding_is_named_as_the_cause(tmp_path: Path) -> None:
    table = tmp_path / "groups.csv"
    table.write_bytes(ROWS.format(",").encode("cp1252"))
    with pytest.raises(InputError) as caught:
        read_groups(table, ["0001", "0002"])
    assert (caught.value.code, caught.value.path) == ("encoding", table)
    assert "line 2 " in str(caught.value)


def test_lost_zeros_are_named_as_the_cause(tmp_path: Path) -> None:
    table = tmp_path / "groups.csv"
    table.write_text("case,group\n1,p1\n12,p2\n9,p3\n")
    with pytest.raises(DataError) as caught:
        read_groups(table, ["0001", "0012", "a"])
    assert [("'0001'" in fault, "'0012'" in fault) for fault in caught.value.faults] == [(1, 0), (0, 1), (0, 0)]
