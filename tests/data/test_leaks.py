"""What lies on two sides of a split is found and counted."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tmunet.data.split.leakage import Leak, LeakReport, find_leaks
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
    in_train, in_valid, valid_in_train = report().comparisons
    twin, kin, other_twin = in_train.leaks
    assert (twin.case, twin.relative, twin.group) == ("t1", "a1", None)
    assert abs((twin.likeness or 0) - np.cos(np.radians(4))) < 1e-6
    assert kin == Leak("t2", "a2", None, "patient 1")
    assert (other_twin.case, other_twin.relative, other_twin.group) == ("t3", "a10", None)
    assert in_valid.leaks == (Leak("t3", "v1", None, "patient 2"),)
    assert valid_in_train.leaks == ()


def test_leaks_are_counted_and_told():
    found = report()
    assert [(c.side, c.other, c.images, c.same_group, c.same_scene) for c in found.comparisons] == [
        ("test", "train", 4, 1, 2),
        ("test", "val", 4, 1, 0),
        ("val", "train", 2, 0, 0),
    ]
    assert str(found) == (
        "of 4 test images, 1 shares a group (video sequence, patient, slide) with train images and 2 have a near twin among "
        "the train images; of 4 test images, 1 shares a group (video sequence, patient, slide) with val images"
    )
    assert str(found.comparisons[2]) == "of 2 val images, none leaks into train"
    assert found.leaking == found.comparisons[:2]


def test_leaks_go_into_json_with_and_without_pairs():
    found = report()
    content = json.loads(json.dumps(found.to_dict()))
    assert content[1]["leaks"] == [{"case": "t3", "relative": "v1", "likeness": None, "group": "patient 2"}]
    assert [(c["side"], c["images"], c["same_group"], c["same_scene"]) for c in content] == [
        (c.side, c.images, c.same_group, c.same_scene) for c in found.comparisons
    ]
    assert found.counts()["test in train"] == {"images": 4, "same_group": 1, "same_scene": 2}


def test_a_clean_split_says_so():
    clean = find_leaks(Split(("a",), (), ("b",)), {"a": "1", "b": "2"}, dict(zip("ab", at(0, 90), strict=True)))
    assert clean.leaking == ()
    assert str(clean) == "no group and no near twin lies on two sides"


def test_the_limit_decides_what_a_near_twin_is():
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

    def is_twin(a: str, b: str) -> bool:
        return min((drawn[a][2] - drawn[b][2]) % 72, (drawn[b][2] - drawn[a][2]) % 72) <= 2  # cos 10° > 0.97 > cos 15°

    def is_kin(a: str, b: str) -> bool:
        return drawn[a][1] is not None and drawn[a][1] == drawn[b][1]

    for comparison, (side, other) in zip(found.comparisons, COMPARED, strict=True):
        twins = {a for a in sides[side] if any(is_twin(a, b) for b in sides[other])}
        kin = {a for a in sides[side] if any(is_kin(a, b) for b in sides[other])}
        assert {leak.case for leak in comparison.leaks} == twins | kin
        assert (comparison.same_scene, comparison.same_group) == (len(twins), len(kin))
        for leak in comparison.leaks:
            related = is_twin if leak.likeness is not None else is_kin
            assert leak.relative in sides[other]
            assert related(leak.case, leak.relative)


def test_the_relative_is_the_first_of_its_group_in_natural_order_whatever_the_order_of_the_split():
    split = Split(("a10", "a2"), (), ("t2", "t1"))
    signatures = dict(zip(("a10", "a2", "t1", "t2"), at(0, 90, 180, 270), strict=True))
    in_train = find_leaks(split, dict.fromkeys(signatures, "patient 1"), signatures).comparisons[0]
    assert [(leak.case, leak.relative) for leak in in_train.leaks] == [("t1", "a2"), ("t2", "a2")]
