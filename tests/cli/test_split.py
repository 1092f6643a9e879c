"""`tmunet split` on real folders."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tmunet.data.split.splits import read_split
from tmunet.data.split.strategies import random_split
from tmunet.files import write_json

from .conftest import Answer

Run = Callable[..., Answer]
Make = Callable[..., Path]
NAMES = [f"case{n}" for n in range(24)]
GROUPS = {name: f"patient {n // 3}" for n, name in enumerate(NAMES)}


@pytest.fixture
def data(make_dataset: Make) -> Path:
    """24 cases of 8 patients, no split; of the patients 0 and 1 there is one picture saved twice, in other gray values."""
    folder = make_dataset(train=24, val=0, test=0, side=32)
    (folder / "split.json").unlink()
    write_json(folder / "dataset.json", {"name": "discs", "cases": {n: {"group": g} for n, g in GROUPS.items()}})
    values = np.asarray(Image.open(folder / "images" / "case0.png")).astype(int)
    Image.fromarray((values * 0.9 + 20).astype(np.uint8)).save(folder / "images" / "case3.png")
    return folder


def sides(path: Path) -> list[set[str]]:
    split = read_split(path, NAMES)
    return [set(split.train), set(split.val), set(split.test)]


def assert_apart(found: Sequence[set[str]], names: Sequence[str] = NAMES) -> None:
    assert sorted(name for side in found for name in side) == sorted(names)
    for patient in set(GROUPS.values()):
        assert sum(any(GROUPS[name] == patient for name in side) for side in found) <= 1


def report_of(path: Path) -> dict:
    return json.loads(path.with_suffix(".report.json").read_text("utf-8"))


def test_a_grouped_split_is_the_default(tmunet: Run, golden: Callable[..., None], data: Path) -> None:
    answer = tmunet("split", data)
    assert (answer.code, answer.err.count("Error")) == (0, 0)
    found = sides(data / "split.json")
    assert_apart(found)
    assert sum({"case0", "case3"} <= side for side in found) == 1
    assert json.loads((data / "split.json").read_text()).keys() == {"train", "val", "test"}
    report = report_of(data / "split.json")
    assert (report["kind"], report["seed"], report["ratios"], report["stratified"]) == ("grouped", 0, [7, 1, 2], True)
    assert (report["data"], report["units"], report["groups_from"]) == ("discs", 7, "dataset.json")
    assert report["command"] == f"tmunet split {data}"
    assert {side: facts["cases"] for side, facts in report["sides"].items()} == dict(
        zip(("train", "val", "test"), map(len, found), strict=True)
    )
    assert report["sha256"] in answer.out
    golden("split", answer.out, hide=[report["sha256"]])
    assert report["cases_without_group"] == 0
    assert [comparison["leaks"] for comparison in report["leaks"]] == [[]] * len(report["leaks"])


def test_a_random_split_says_what_leaks(tmunet: Run, data: Path) -> None:
    answer = tmunet("split", data, "--kind=random", "--stratify", "false", "--seed=3", "-o", data / "random.json")
    assert answer.code == 0
    split = read_split(data / "random.json", NAMES)
    assert split == random_split(NAMES, 3)
    train = {GROUPS[name] for name in split.train}
    leaking = sum(GROUPS[name] in train for name in split.test)
    assert report_of(data / "random.json")["leaks"][0]["same_group"] == leaking
    stratified = tmunet("split", data, "--kind=random", "--seed=3", "-o", data / "stratified.json")
    assert stratified.code == 0
    assert read_split(data / "stratified.json", NAMES) != split


def test_folds_test_each_case_once(tmunet: Run, data: Path) -> None:
    answer = tmunet("split", data, "--folds", 3, "--ratios", "3:1:0")
    assert answer.code == 0
    found = [sides(data / "folds" / f"fold-{fold}.json") for fold in (1, 2, 3)]
    assert sorted(name for _, _, test in found for name in test) == sorted(NAMES)
    for fold in found:
        assert_apart(fold)
    for fold in (1, 2, 3):
        assert not any(found["leaks"] for found in report_of(data / "folds" / f"fold-{fold}.json")["leaks"])
    assert report_of(data / "folds" / "fold-2.json")["split"] == "fold-2.json"
    again = tmunet("split", data, "--folds", 3)
    assert (again.code, again.error, again.paths) == (2, "exists", (data / "folds",))


def test_the_official_split_is_taken_and_gets_a_valid_side(tmunet: Run, data: Path) -> None:
    assert tmunet("split", data, "--kind", "official").code != 0
    write_json(data / "official_split.json", {"train": NAMES[:15], "test": NAMES[15:21]})
    answer = tmunet("split", data, "--kind", "official")
    assert answer.code == 0
    train, val, test = sides(data / "split.json")
    assert_apart([train, val, test], NAMES[:21])
    assert test == set(NAMES[15:21])
    assert 0 < len(val) <= 6
    assert report_of(data / "split.json")["cases_left_out"] == 3


def test_groups_come_from_a_table(tmunet: Run, data: Path) -> None:
    (data / "pairs.csv").write_text("case,group\n" + "".join(f"{n},{i // 2}\n" for i, n in enumerate(NAMES[:20])))
    answer = tmunet("split", data, "--groups", data / "pairs.csv")
    assert answer.code == 0
    found = sides(data / "split.json")
    for first in range(0, 20, 2):
        assert sum(set(NAMES[first : first + 2]) <= side for side in found) == 1
    report = report_of(data / "split.json")
    assert (report["groups_from"], report["cases_without_group"]) == (str(data / "pairs.csv"), 4)


def test_a_split_is_judged(tmunet: Run, data: Path, tmp_path: Path) -> None:
    leaking = {"train": NAMES[:14], "val": [f"{name}.png" for name in NAMES[14:18]], "test": NAMES[18:]}
    write_json(tmp_path / "theirs.json", leaking)
    answer = tmunet("split", data, "--split", tmp_path / "theirs.json", "--out", tmp_path / "judged.json")
    assert answer.code == 1
    judged = json.loads((tmp_path / "judged.json").read_text())
    assert judged["leaks"][2]["leaks"] == [
        {"case": "case14", "relative": "case12", "likeness": None, "group": "patient 4"}
    ]
    assert "seed" not in judged
    assert tmunet("split", data, "--split", tmp_path / "theirs.json", "--out", tmp_path / "judged.json").code == 2
    assert not (data / "split.json").exists()
    write_json(tmp_path / "clean.json", {"train": NAMES[:12], "test": NAMES[12:]})
    clean = tmunet("split", data, "--split", tmp_path / "clean.json")
    assert clean.code == 0


def test_no_file_is_overwritten(tmunet: Run, data: Path) -> None:
    write_json(data / "split.json", {"train": NAMES})
    answer = tmunet("split", data)
    assert (answer.code, answer.out, answer.error, answer.paths) == (2, "", "exists", (data / "split.json",))
    assert json.loads((data / "split.json").read_text()) == {"train": NAMES}
    assert tmunet("split", data, "--out", data / "other.json").code == 0


@pytest.mark.parametrize(
    ("flags", "error", "named"),
    [
        (["--ratios", "7:1"], "value", "`ratios`"),
        (["--ratios", "a:b:c"], "value", "`ratios`"),
        (["--ratios", "0:1:1"], "value", "ratios"),
        (["--folds", "1"], "value", "`folds`"),
        (["--out", "split.txt"], "suffix", "split.txt"),
        (["--split", "s.json", "--seed=3"], "flags", "--seed"),
        (["--kind", "groupd"], "type", "grouped"),
    ],
)
def test_flags_that_do_not_fit_are_refused(tmunet: Run, data: Path, flags: list[str], error: str, named: str) -> None:
    answer = tmunet("split", data, *flags)
    assert (answer.code, answer.out, answer.error) == (2, "", error)
    assert named in answer.err


def test_a_file_in_place_of_the_folder_is_refused(tmunet: Run, data: Path) -> None:
    answer = tmunet("split", data / "split.json", "--out", data / "other.json")
    assert (answer.code, answer.error, answer.paths) == (2, "no-folder", (data / "split.json",))


def test_too_few_units_are_refused_and_nothing_is_written(tmunet: Run, data: Path) -> None:
    (data / "two.csv").write_text("case,group\n" + "".join(f"{n},{i % 2}\n" for i, n in enumerate(NAMES)))
    answer = tmunet("split", data, "--groups", data / "two.csv")
    assert (answer.code, answer.out, answer.error) == (3, "", "few-groups")
    assert not (data / "split.json").exists()


@pytest.fixture
def organs(make_dataset: Make) -> Path:
    """24 cases with the class a, of which three have b as well; no split."""
    folder = make_dataset(train=24, val=0, test=0, side=32)
    (folder / "split.json").unlink()
    write_json(folder / "dataset.json", {"name": "organs", "classes": ["background", "a", "b"]})
    for name in ("case5", "case11", "case20"):
        put_b(folder, name)
    return folder


def warned_of(answer: Answer) -> list[str]:
    return [line for line in answer.err.splitlines() if line.startswith("tmunet split: warning: ")]


def put_b(folder: Path, name: str) -> None:
    mask = np.array(Image.open(folder / "masks" / f"{name}.png"))
    mask[:3] = 2
    Image.fromarray(mask).save(folder / "masks" / f"{name}.png")


def test_a_rare_class_is_on_every_side_and_counted(tmunet: Run, organs: Path) -> None:
    answer = tmunet("split", organs)
    assert (answer.code, answer.err.count("warning")) == (0, 0)
    classes = report_of(organs / "split.json")["classes"]
    assert classes["b"] == {"images": {"train": 1, "val": 1, "test": 1}, "units": 3}
    assert sum(classes["a"]["images"].values()) == 24
    rows = [line.split() for line in answer.out.splitlines()]
    assert ["b", "1", "1", "1"] in rows
    assert ["a", *map(str, classes["a"]["images"].values())] in rows


@pytest.mark.filterwarnings("default::tmunet.errors.TMUNetWarning")
def test_a_class_too_rare_for_all_folds_is_a_warning_of_one_line(tmunet: Run, organs: Path) -> None:
    answer = tmunet("split", organs, "--folds", 4)
    (message,) = warned_of(answer)
    assert answer.code == 0
    absent = [
        fold
        for fold in range(1, 5)
        if not report_of(organs / f"folds/fold-{fold}.json")["classes"]["b"]["images"]["test"]
    ]
    assert len(absent) == 1
    assert "'b', on 3 images in 3 units" in message
    assert f"test of fold-{absent[0]}" in message


@pytest.mark.filterwarnings("default::tmunet.errors.TMUNetWarning")
def test_a_split_that_lacks_a_class_is_judged_and_warned_of(tmunet: Run, organs: Path) -> None:
    write_json(organs / "mine.json", {"train": NAMES[:5], "val": NAMES[5:6], "test": NAMES[6:]})
    answer = tmunet("split", organs, "--split", organs / "mine.json", "--out", organs / "judged.json")
    (message,) = warned_of(answer)
    assert (answer.code, "'b', on 3 images in 3 units, is absent from train: " in message) == (0, True)
    judged = json.loads((organs / "judged.json").read_text())
    assert judged["classes"]["b"] == {"images": {"train": 0, "val": 1, "test": 2}, "units": 3}


@pytest.mark.filterwarnings("default::tmunet.errors.TMUNetWarning")
def test_an_official_split_is_warned_of_and_kept(tmunet: Run, organs: Path) -> None:
    write_json(organs / "official_split.json", {"train": NAMES[:15], "test": NAMES[15:19]})
    answer = tmunet("split", organs, "--kind", "official")
    (message,) = warned_of(answer)
    assert (answer.code, "'b', on 2 images in 2 units, is absent from test: " in message) == (0, True)
    train, val, test = sides(organs / "split.json")
    assert test == set(NAMES[15:19])
    assert [len({"case5", "case11"} & side) for side in (train, val)] == [1, 1]
