import json
import os
import re
import threading
import time

import numpy as np
import pytest
from PIL import Image

from tmunet.data import reader
from tmunet.data.cases import Case, DatasetInfo
from tmunet.data.dataset import open_dataset, verify
from tmunet.data.io.images import read_image
from tmunet.data.parallel import MAX_WORKERS
from tmunet.data.reader import check_cases, load_case, map_cases
from tmunet.data.split.strategies import random_split
from tmunet.errors import DataError, UsageError

from ..coded_errors import coded

INFO = DatasetInfo("test")


def test_a_sound_set_opens_and_verifies(make_set):
    folder = make_set(*"abcde")
    dataset = open_dataset(folder, seed=3)
    assert dataset.split == random_split("abcde", 3)
    assert dataset.info.name == folder.name
    verify(dataset)
    sides = [case.name for side in ("train", "val", "test") for case in dataset.subset(side)]
    assert sorted(sides) == list("abcde")
    with pytest.raises(UsageError, check=coded("subset")):
        dataset.subset("validation")


def test_the_split_file_comes_from_the_call_the_folder_or_the_seed(make_set):
    folder = make_set(*"abc")
    (folder / "split.json").write_text('{"train": ["c", "a"], "test": ["b"]}')
    (folder / "other.json").write_text('{"train": ["b"]}')
    assert open_dataset(folder).split.train == ("c", "a")
    assert [case.name for case in open_dataset(folder).subset("train")] == ["a", "c"]
    assert open_dataset(folder, folder / "other.json").split.train == ("b",)
    assert open_dataset(folder / "other.json").split.train == ("b",)
    with pytest.raises(UsageError, check=coded("two-splits")):
        open_dataset(folder / "other.json", folder / "split.json")


def test_the_faults_of_all_files_are_in_one_error(make_set):
    folder = make_set(*"abc")
    (folder / "dataset.json").write_text('{"classes": ["one"]}')
    (folder / "split.json").write_text('{"train": ["x"]}')
    with pytest.raises(DataError) as caught:
        open_dataset(folder)
    assert len(caught.value.faults) == 2
    (folder / "masks" / "a.png").unlink()
    with pytest.raises(DataError) as caught:
        open_dataset(folder)
    assert "a.jpg: " in caught.value.faults[1]


def test_faults_of_names_and_of_contents_are_in_one_error(make_set):
    folder = make_set(*"abcd")
    (folder / "masks" / "a.png").unlink()
    (folder / "images" / "b.jpg").write_bytes(b"")
    Image.new("L", (5, 5)).save(folder / "masks" / "c.png")
    with pytest.raises(DataError) as caught:
        open_dataset(folder)
    assert len(caught.value.faults) == 3
    for part, fault in zip(("a.jpg", "b.jpg", "c.png: the mask has 5 x 5"), caught.value.faults, strict=True):
        assert part in fault


def test_a_loaded_case_is_what_the_files_hold(make_set):
    dataset = open_dataset(make_set(*"abc"))
    loaded = load_case(dataset.cases[0], dataset.info)
    np.testing.assert_array_equal(loaded.image, read_image(dataset.cases[0].image))
    assert loaded.mask.shape == (6, 8)
    assert set(np.unique(loaded.mask)) == {0, 1}


def test_every_fault_of_every_case_is_listed_in_order(make_set):
    folder = make_set(*"abcdef")
    (folder / "images" / "b.jpg").write_bytes(b"")
    (folder / "masks" / "b.png").write_text("no image")
    Image.fromarray(np.full((6, 8), 7, np.uint8)).save(folder / "masks" / "c.png")
    Image.fromarray(np.zeros((8, 6), np.uint8)).save(folder / "masks" / "e.png")
    dataset = open_dataset(folder)
    faults = check_cases(dataset.cases, dataset.info)
    assert len(faults) == 4
    files = (
        r"b\.jpg: .*0 bytes",
        r"b\.png: .*b'no image'",
        r"c\.png: .*7 \(48 pixels\)",
        r"e\.png: .*6 x 8.* e\.jpg.* 8 x 6",
    )
    for pattern, fault in zip(files, faults, strict=True):
        assert re.search(pattern, fault)
    with pytest.raises(DataError) as caught:
        verify(dataset)
    assert caught.value.faults == tuple(faults)


def test_an_image_turned_by_exif_is_compared_upright(make_set):
    folder = make_set(*"abc")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((8, 6, 3), np.uint8)).save(folder / "images" / "a.jpg", exif=exif)
    dataset = open_dataset(folder)
    assert check_cases(dataset.cases, dataset.info) == []


def test_the_classes_and_the_ignore_label_of_the_set_count(make_set):
    folder = make_set(*"abc")
    Image.fromarray(np.array([[0, 2, 255]] * 6, np.uint8).repeat([3, 3, 2], axis=1)).save(folder / "masks" / "a.png")
    content = {"classes": ["background", "liver", "spleen"], "ignore_label": 255}
    (folder / "dataset.json").write_text(json.dumps(content))
    dataset = open_dataset(folder)
    assert check_cases(dataset.cases, dataset.info) == []
    assert set(np.unique(load_case(dataset.cases[0], dataset.info).mask)) == {0, 2, 255}


def test_a_case_without_a_mask_cannot_be_loaded(make_set):
    case = Case("a", make_set("a") / "images" / "a.jpg", None)
    with pytest.raises(DataError, match=r"a\.jpg"):
        load_case(case, INFO)


def test_map_cases_passes_sound_cases_in_order_in_one_thread(make_set):
    folder = make_set(*(f"{n:02}" for n in range(40)))
    (folder / "images" / "05.jpg").write_bytes(b"")
    dataset = open_dataset(folder)
    seen, threads = [], set()

    def use(index, loaded):
        seen.append(index)
        threads.add(threading.get_ident())
        np.testing.assert_array_equal(loaded.image, read_image(dataset.cases[index].image))

    faults = map_cases(dataset.cases, dataset.info, use)
    assert seen == [n for n in range(40) if n != 5]
    assert threads == {threading.get_ident()}
    assert len(faults) == 1


def test_map_cases_loads_only_a_few_cases_ahead(make_set, monkeypatch):
    dataset = open_dataset(make_set(*(f"{n:02}" for n in range(30))))
    started = []

    def load(case, info):
        started.append(case.name)
        return load_case(case, info)

    monkeypatch.setattr(reader, "load_case", load)
    ahead = []

    def slow(index, loaded):
        time.sleep(0.001)
        ahead.append(len(started) - index)

    assert map_cases(dataset.cases, dataset.info, slow) == []
    assert len(started) == 30
    assert max(ahead) <= 2 * min(MAX_WORKERS, os.cpu_count() or 1) + 1


def test_an_error_of_the_caller_ends_the_work(make_set):
    dataset = open_dataset(make_set(*"abcdef"))
    with pytest.raises(ZeroDivisionError):
        map_cases(dataset.cases, dataset.info, lambda _index, _loaded: 1 // 0)
