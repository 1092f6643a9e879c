"""Packaged fixed splits: complete, without data leakage where grouped, copied into a data set folder."""

import json

import pytest

from tmunet.data.split.splits import Split, copy_fixed_splits, fixed_splits, read_split
from tmunet.data.split.strategies import random_split
from tmunet.datasets._build.cvc_frames import read_frames

CASES = {"CVC-ClinicDB": 612, "CVC-ColonDB": 380, "MoNuSeg": 44, "BUSI": 780, "DSB2018": 664}
FOLDS = [f"grouped-fold-{fold}" for fold in range(1, 6)]


def read(name: str) -> dict[str, Split]:
    found = {title: json.loads(path.read_text()) for title, path in fixed_splits(name).items()}
    names = sorted({case for sides in found.values() for side in sides.values() for case in side})
    assert len(names) == CASES[name]
    return {title: read_split(path, names) for title, path in fixed_splits(name).items()}


@pytest.mark.parametrize("name", CASES)
def test_each_set_has_its_splits_with_reports_of_the_same_split(name):
    splits = read(name)
    official = ["official"] if name == "MoNuSeg" else []
    assert list(splits) == sorted([*FOLDS, "grouped", "random", *official])
    for title, split in splits.items():
        assert len(split.train + split.val + split.test) == CASES[name]
        report = json.loads(fixed_splits(name)[title].with_suffix(".report.json").read_text())
        assert report["sha256"] == split.sha256
        assert {side: facts["cases"] for side, facts in report["sides"].items()} == {
            side: len(names) for side, names in split.to_dict().items()
        }
        if title != "random":
            assert all(not leak["same_group"] + leak["same_scene"] for leak in report["leaks"].values())
            assert all(abs(report["sides"][side]["share"] - share) < 0.03 for side, share in wanted(title).items())
    assert sorted(case for fold in FOLDS for case in splits[fold].test) == sorted(
        splits["random"].train + splits["random"].val + splits["random"].test
    )
    assert random_split(splits["grouped"].train + splits["grouped"].val + splits["grouped"].test, 0) == splits["random"]


def wanted(title: str) -> dict[str, float]:
    return {"test": 14 / 44, "val": 4 / 44} if title == "official" else {"test": 0.2, "val": 0.1}


@pytest.mark.parametrize("name", ["CVC-ClinicDB", "CVC-ColonDB"])
def test_no_video_sequence_lies_on_two_sides(name):
    frames = read_frames(name)
    splits = read(name)
    for title in ("grouped", *FOLDS):
        split = splits[title]
        train, val, test = ({frames[case].group for case in side} for side in (split.train, split.val, split.test))
        assert not train & val | train & test | val & test


def test_the_official_split_of_monuseg_keeps_its_test():
    split = read("MoNuSeg")["official"]
    assert len(split.test) == 14
    assert len({case[:12] for case in split.test} & {case[:12] for case in split.train + split.val}) == 0


def test_splits_are_copied_if_all_their_names_are_there(tmp_path):
    names = [f"{n:03d}" for n in range(1, 613)]
    copied = copy_fixed_splits("CVC-ClinicDB", names, tmp_path / "all")
    assert copied == ("grouped", *FOLDS, "random")
    assert (tmp_path / "all" / "splits" / "random.report.json").is_file()
    assert read_split(tmp_path / "all" / "split.json", names) == read("CVC-ClinicDB")["grouped"]
    assert copy_fixed_splits("CVC-ClinicDB", names[:-1], tmp_path / "fewer") == ()
    assert not (tmp_path / "fewer").exists()


def test_the_official_split_comes_first(tmp_path):
    split = read("MoNuSeg")["official"]
    copy_fixed_splits("MoNuSeg", split.train + split.val + split.test, tmp_path)
    assert read_split(tmp_path / "split.json", split.train + split.val + split.test) == split


def test_another_data_set_has_none(tmp_path):
    assert fixed_splits("GlaS") == {}
    assert copy_fixed_splits("GlaS", ["a"], tmp_path) == ()
