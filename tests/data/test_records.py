"""What dataset.json says of single cases."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tmunet.data.cases import read_dataset_info
from tmunet.data.dataset import open_dataset
from tmunet.data.records import CaseRecord
from tmunet.errors import DataError
from tmunet.files import write_json

Make = Callable[..., Path]


def test_records_are_read_and_written_back(tmp_path: Path) -> None:
    cases = {
        "a": {
            "group": "patient 3",
            "source": ["x/1.tif", "y/1.tif"],
            "image_sha256": "0" * 64,
            "mask_sha256": "1" * 64,
        },
        "b": {"group": "patient 4"},
        "c": {},
    }
    write_json(tmp_path / "dataset.json", {"cases": cases})
    records = read_dataset_info(tmp_path).records
    assert records["a"] == CaseRecord("patient 3", ("x/1.tif", "y/1.tif"), "0" * 64, "1" * 64)
    assert {name: record.to_dict() for name, record in records.items()} == cases
    assert "cases" not in read_dataset_info(tmp_path).information


def test_cases_know_their_group(make_dataset: Make) -> None:
    data = make_dataset()
    write_json(data / "dataset.json", {"cases": {"case1": {"group": "video 2"}, "gone": {"group": "video 3"}}})
    groups = {case.name: case.group for case in open_dataset(data).cases}
    assert groups["case1"] == "video 2"
    assert {group for name, group in groups.items() if name != "case1"} == {None}


def test_every_fault_of_the_records_is_in_one_error(tmp_path: Path) -> None:
    cases = {"a": {"groop": "x"}, "b": {"group": 3}, "c": {"source": "1.tif"}, "d": [], "e": {"group": " "}}
    write_json(tmp_path / "dataset.json", {"cases": cases})
    with pytest.raises(DataError) as caught:
        read_dataset_info(tmp_path)
    faults = caught.value.faults
    assert len(faults) == 5
    for fault, words in zip(
        faults,
        (
            "'groop' is not known",
            "`group` to be a text, but got 3",
            "a list of file names",
            "'d': expected an object",
            "' '",
        ),
        strict=True,
    ):
        assert words in fault
    write_json(tmp_path / "dataset.json", {"cases": ["a"]})
    with pytest.raises(DataError, match="`cases`"):
        read_dataset_info(tmp_path)


def test_a_split_may_name_the_original_files(make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset(train=4, val=1, test=1)
    sources = {f"case{i}": {"source": [f"Original/{i + 1}.tif", f"Masks/{i + 1}.tif"]} for i in range(6)}
    write_json(data / "dataset.json", {"cases": sources})
    released = tmp_path / "released.json"
    write_json(released, {"train": ["1.png", "2", "Original/3.tif"], "val": ["case3"], "test": ["6.tif"]})
    sides = open_dataset(data, released).split.to_dict()
    assert sides == {"train": ["case0", "case1", "case2"], "val": ["case3"], "test": ["case5"]}
    write_json(released, {"train": ["1.png", "case0"], "test": ["7"]})
    with pytest.raises(DataError) as caught:
        open_dataset(data, released)
    assert len(caught.value.faults) == 2
    sources["case1"] = {"source": ["Other/1.tif"]}  # two originals of one name: neither is meant
    write_json(data / "dataset.json", {"cases": sources})
    write_json(released, {"train": ["1.png"]})
    with pytest.raises(DataError, match=r"'1\.png'"):
        open_dataset(data, released)
