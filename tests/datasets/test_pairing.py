"""File rules, and what follows from images and masks that were found."""

from pathlib import PurePosixPath

import pytest

from tmunet.datasets._build.faults import DatasetImportError, Fault
from tmunet.datasets._build.import_plan import DatasetFacts
from tmunet.datasets._build.pairing import FileRule, plan_pairs

from .miniatures import source_of

FACTS = DatasetFacts("Small", 1, ("background", "polyp"), "", "", "", "", "folders `images` and `masks`")
RULE = FileRule(r"(?i:images)/([0-9]+)\.png", r"(?i:images)/[^/]*\.png", "1.png")


def make(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return source_of(folder)


def kinds(faults):
    return [(fault.kind, fault.path) for fault in faults]


def test_files_are_found_by_the_end_of_their_path_whatever_the_case_of_the_folder(tmp_path):
    faults = []
    source = make(tmp_path, "images/10.png", "a/IMAGES/9.png", "images/deep/8.png", "images/notes.txt", "9.png")
    assert RULE.find(source, faults) == {
        "9": PurePosixPath("a/IMAGES/9.png"),
        "10": PurePosixPath("images/10.png"),
    }
    assert faults == []


def test_wrong_names_and_second_files_are_faults(tmp_path):
    faults = []
    source = make(tmp_path, "a/images/1.png", "b/images/1.png", "c/Images/1.png", "a/images/x.png")
    assert RULE.find(source, faults) == {"1": PurePosixPath("a/images/1.png")}
    assert sorted(kinds(faults)) == [
        ("duplicate-file", "b/images/1.png"),
        ("duplicate-file", "c/Images/1.png"),
        ("file-name", "a/images/x.png"),
    ]


def test_a_rule_may_refuse_the_case_name(tmp_path):
    faults = []
    rule = FileRule(RULE.pattern, case=lambda match: match[1] if int(match[1]) < 10 else None)
    assert list(rule.find_all(make(tmp_path, "images/9.png", "images/10.png"), faults)) == ["9"]
    assert kinds(faults) == [("file-name", "images/10.png")]


def test_a_plan_follows_from_the_pairs(tmp_path):
    source = make(tmp_path, "images/10.png", "images/9.png", "m/9a.png", "m/9b.png", "m/10.png", "list.txt", "left.txt")
    images = RULE.find(source, [])
    masks = {"9": [PurePosixPath("m/9a.png"), PurePosixPath("m/9b.png")], "10": PurePosixPath("m/10.png")}
    plan = plan_pairs(
        source, FACTS, images, masks, [], group=lambda name: f"group {name}", used=[PurePosixPath("list.txt")]
    )
    assert [(case.name, case.group, list(map(str, case.masks))) for case in plan.cases] == [
        ("9", "group 9", ["m/9a.png", "m/9b.png"]),
        ("10", "group 10", ["m/10.png"]),
    ]
    assert plan.remarks == ("Not used: left.txt.",)


def test_all_faults_come_together(tmp_path):
    source = make(tmp_path, "images/1.png", "m/2.png")
    with pytest.raises(DatasetImportError) as caught:
        plan_pairs(source, FACTS, RULE.find(source, []), {"2": PurePosixPath("m/2.png")}, [Fault("before", "x", "y")])
    assert kinds(caught.value.faults) == [
        ("before", "x"),
        ("missing-mask", "images/1.png"),
        ("missing-image", "m/2.png"),
    ]
    with pytest.raises(DatasetImportError) as caught:
        plan_pairs(source, FACTS, {}, {}, [])
    assert kinds(caught.value.faults) == [("layout", "")]
