"""Data leakage of a split: groups and scenes in two subsets are found and counted."""

import json
import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tmunet.data.split.leakage import Leak, LeakReport, describe_counts, find_leaks
from tmunet.data.split.splits import Split

COMPARED = (("test", "train"), ("test", "val"), ("val", "train"))


def at(*angles: float) -> list[np.ndarray]:
    """Signatures on a circle: their correlation is the cosine of the angle between them, given in degrees."""
    return [np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))], np.float32) for angle in angles]


def report() -> LeakReport:
    split = Split(("a1", "a2", "a10"), ("v1", "v2"), ("t1", "t2", "t3", "t4"))
    names = ("a1", "a2", "a10", "v1", "v2", "t1", "t2", "t3", "t4")
    signatures = dict(zip(names, at(0, 10, 90, 180, 270, 4, 130, 84, 225), strict=True))
    groups = {
        "a2": "patient 1",
        "a10": "patient 1",
        "v1": "patient 2",
        "t1": None,
        "t2": "patient 1",
        "t3": "patient 2",
    }
    return find_leaks(split, groups, signatures)


def test_each_leak_names_its_relative():
    in_train, in_val, val_in_train = report().comparisons
    scene, group, other_scene = in_train.leaks
    assert (scene.case, scene.relative, scene.group) == ("t1", "a1", None)
    assert abs((scene.likeness or 0) - np.cos(np.radians(4))) < 1e-6
    assert group == Leak("t2", "a2", None, "patient 1")
    assert (other_scene.case, other_scene.relative, other_scene.group) == ("t3", "a10", None)
    assert in_val.leaks == (Leak("t3", "v1", None, "patient 2"),)
    assert val_in_train.leaks == ()


def test_leaks_are_counted():
    found = report()
    assert [(c.side, c.other, c.images, c.same_group, c.same_scene) for c in found.comparisons] == [
        ("test", "train", 4, 1, 2),
        ("test", "val", 4, 1, 0),
        ("val", "train", 2, 0, 0),
    ]
    sentences = str(found).split("; ")
    assert [re.findall(r"\d+", sentence) for sentence in sentences] == [["4", "1", "2"], ["4", "1"]]
    assert all("test" in s and other in s for s, other in zip(sentences, ("train", "val"), strict=True))
    assert re.findall(r"\d+", str(found.comparisons[2])) == ["2"]
    assert found.leaking == found.comparisons[:2]


def test_leaks_go_into_json_with_and_without_pairs():
    found = report()
    content = json.loads(json.dumps(found.to_dict()))
    assert content[1]["leaks"] == [{"case": "t3", "relative": "v1", "likeness": None, "group": "patient 2"}]
    assert [(c["side"], c["images"], c["same_group"], c["same_scene"]) for c in content] == [
        (c.side, c.images, c.same_group, c.same_scene) for c in found.comparisons
    ]
    assert found.counts()["test in train"] == {
        "images": 4,
        "same_group": 1,
        "same_scene": 2,
        "groups_known": False,
    }


def test_numbers_are_of_near_duplicates_and_of_known_patients():
    signatures = dict(zip("ab", at(0, 90), strict=True))
    split = Split(("a",), (), ("b",))
    known, unknown = (find_leaks(split, groups, signatures).counts() for groups in ({"a": "1", "b": "2"}, {}))
    assert [counts["test in train"]["groups_known"] for counts in (known, unknown)] == [True, False]
    line = describe_counts(known)[0]
    assert line == "0 of 1 test image have a near-duplicate in train; 0 share a patient (video, slide) with train"
    assert describe_counts(unknown)[0].endswith("patients (videos, slides) unknown")
    old = {name: {k: v for k, v in counts.items() if k != "groups_known"} for name, counts in report().counts().items()}
    assert len(describe_counts(old)) == 3


def test_a_clean_split_says_so():
    clean = find_leaks(Split(("a",), (), ("b",)), {"a": "1", "b": "2"}, dict(zip("ab", at(0, 90), strict=True)))
    assert clean.leaking == ()
    assert not re.search(r"\d", str(clean))


def test_the_threshold_decides_what_the_same_scene_is():
    split, signatures = Split(("a",), (), ("b",)), dict(zip("ab", at(0, 10), strict=True))
    assert find_leaks(split, {}, signatures, above=0.98).leaking
    assert not find_leaks(split, {}, signatures, above=0.99).leaking


CASES = st.lists(
    st.tuples(st.sampled_from(("train", "val", "test")), st.sampled_from((None, "x", "y", "z")), st.integers(0, 71)),
    max_size=14,
)


@given(CASES)
def test_leaks_are_those_of_the_definition(cases):
    drawn = {f"case{n}": case for n, case in enumerate(cases)}
    sides = {side: tuple(name for name, case in drawn.items() if case[0] == side) for side in ("train", "val", "test")}
    signatures = dict(zip(drawn, at(*(5 * case[2] for case in cases)), strict=True))
    found = find_leaks(Split(**sides), {name: case[1] for name, case in drawn.items()}, signatures)

    def same_scene(a: str, b: str) -> bool:
        return min((drawn[a][2] - drawn[b][2]) % 72, (drawn[b][2] - drawn[a][2]) % 72) <= 2  # cos 10° > 0.97 > cos 15°

    def same_group(a: str, b: str) -> bool:
        return drawn[a][1] is not None and drawn[a][1] == drawn[b][1]

    for comparison, (side, other) in zip(found.comparisons, COMPARED, strict=True):
        scenes = {a for a in sides[side] if any(same_scene(a, b) for b in sides[other])}
        groups = {a for a in sides[side] if any(same_group(a, b) for b in sides[other])}
        assert {leak.case for leak in comparison.leaks} == scenes | groups
        assert (comparison.same_scene, comparison.same_group) == (len(scenes), len(groups))
        for leak in comparison.leaks:
            related = same_scene if leak.likeness is not None else same_group
            assert leak.relative in sides[other]
            assert related(leak.case, leak.relative)


def test_the_relative_is_the_first_of_its_group_in_natural_order_whatever_the_order_of_the_split():
    split = Split(("a10", "a2"), (), ("t2", "t1"))
    signatures = dict(zip(("a10", "a2", "t1", "t2"), at(0, 90, 180, 270), strict=True))
    in_train = find_leaks(split, dict.fromkeys(signatures, "patient 1"), signatures).comparisons[0]
    assert [(leak.case, leak.relative) for leak in in_train.leaks] == [("t1", "a2"), ("t2", "a2")]
