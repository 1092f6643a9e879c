import hashlib
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmunet.data.split.splits import Split, read_split, write_split
from tmunet.data.split.strategies import random_split
from tmunet.errors import DataError, InputError

from ...coded_errors import coded

NAMES = st.lists(st.text(min_size=1, max_size=4), min_size=3, max_size=40, unique=True)
SEEDS = st.integers(0, 2**32)


@given(NAMES, SEEDS, SEEDS)
def test_the_hash_depends_on_every_name_and_on_no_order(names, seed, order):
    split = random_split(names, seed)
    rng = random.Random(order)
    shuffled = Split(*(tuple(rng.sample(side, len(side))) for side in (split.train, split.val, split.test)))
    assert shuffled.sha256 == split.sha256
    moved = Split(split.train[1:], (*split.val, split.train[0]), split.test)
    assert moved.sha256 != split.sha256


def test_the_hash_can_be_computed_by_hand():
    text = '{"test":["d"],"train":["a","b"],"valid":["\\u00e4"]}'
    assert Split(("b", "a"), ("ä",), ("d",)).sha256 == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("sides", [(("a", "a"), (), ()), (("a",), ("a",), ()), (("a",), (), ("b", "b"))])
def test_no_case_stands_twice(sides):
    with pytest.raises(InputError, check=coded("repeated")):
        Split(*sides)


def test_a_split_file_reads_back(tmp_path):
    split = random_split(["ü 1", "b", "c.d", "e"], 3)
    write_split(tmp_path / "new" / "split.json", split)
    assert read_split(tmp_path / "new" / "split.json", ["e", "c.d", "b", "ü 1", "unused"]) == split


def test_entries_may_be_names_files_or_paths(tmp_path):
    content = {
        "train": ["1", "2.png", "images/3.JPG", "..\\data\\4.tif"],
        "val": ["v1.2"],
        "test": ["v1.3.bmp"],
    }
    (tmp_path / "split.json").write_text(json.dumps(content))
    split = read_split(tmp_path / "split.json", ["1", "2", "3", "4", "v1.2", "v1.3"])
    assert split == Split(("1", "2", "3", "4"), ("v1.2",), ("v1.3",))


def test_valid_and_test_may_be_left_out(tmp_path):
    (tmp_path / "split.json").write_text('{"train": ["a"]}')
    assert read_split(tmp_path / "split.json", ["a", "b"]) == Split(("a",))


def test_every_fault_is_in_one_error(tmp_path):
    content = {
        "train": ["case1", "case2", "case2.png", 7],
        "val": ["case1", "csae3"],
        "valid": [],
        "test": "case4",
        "note": "",
    }
    (tmp_path / "split.json").write_text(json.dumps(content))
    with pytest.raises(DataError) as caught:
        read_split(tmp_path / "split.json", ["case1", "case2", "case3", "case4"])
    assert set(caught.value.faults) == {
        "the key 'note' is not known; expected train, val (or valid) and test.",
        "expected 'test' to be a list of case names, but got 'case4'.",
        "the keys 'val' and 'valid' mean the same; keep one.",
        "'case2' is twice in train; keep it once.",
        "'case1' is in both train and val; keep it once.",
        "train: there is no case 7.",
        "val: there is no case 'csae3'; did you mean 'case3'?",
    }


@pytest.mark.parametrize("content", [{}, {"train": []}, {"train": [], "test": []}])
def test_a_split_needs_a_case(tmp_path, content):
    (tmp_path / "split.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="all subsets are empty"):
        read_split(tmp_path / "split.json", ["a"])


def test_a_split_may_only_test(tmp_path):
    (tmp_path / "split.json").write_text(json.dumps({"test": ["a"]}))
    assert read_split(tmp_path / "split.json", ["a", "b"]) == Split(train=(), test=("a",))


def test_the_name_of_a_case_goes_before_that_of_an_original(tmp_path):
    originals = {"1": "2", "2": "3", "9": "1"}
    (tmp_path / "split.json").write_text(json.dumps({"train": ["1"], "val": ["2.png"], "test": ["3"]}))
    assert read_split(tmp_path / "split.json", ["1", "2", "3"], originals) == Split(("1",), ("2",), ("3",))
    (tmp_path / "split.json").write_text(json.dumps({"train": ["9.tif"]}))
    assert read_split(tmp_path / "split.json", ["1", "2", "3"], originals) == Split(("1",))


def test_the_whole_name_goes_before_the_name_without_its_suffix(tmp_path):
    content = {"train": ["a"], "val": ["a.png"], "test": ["images/b.tif"]}
    (tmp_path / "split.json").write_text(json.dumps(content))
    names = ["a", "a.png", "b", "b.tif"]
    assert read_split(tmp_path / "split.json", names) == Split(("a",), ("a.png",), ("b.tif",))
