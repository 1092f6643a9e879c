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
