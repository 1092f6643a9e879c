import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmunet.errors import InputError
from tmunet.report import select_cases

tables = st.dictionaries(
    st.text(min_size=1, max_size=4),
    st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=3),
    max_size=25,
).map(lambda scores: [{"case": case, "dice": dice} for case, values in scores.items() for dice in values])


def mean_dice(table, case):
    values = [row["dice"] for row in table if row["case"] == case and row["dice"] is not None]
    return sum(values) / len(values)


@given(tables, st.integers(1, 5))
def test_no_case_twice_and_no_place_left_empty(table, count):
    groups = select_cases(table, count)
    shown = [name for group in groups.values() for name in group]
    scored = {row["case"] for row in table if row["dice"] is not None}
    assert list(groups) == ["best", "median", "worst"]
    assert len(shown) == len(set(shown)) == min(len(scored), 3 * count)
    assert set(shown) <= scored


@given(tables, st.integers(1, 5))
def test_worst_are_below_and_best_above_every_other_image(table, count):
    groups = select_cases(table, count)
    scores = {row["case"]: mean_dice(table, row["case"]) for row in table if row["dice"] is not None}
    rest = [scores[case] for case in scores if case not in groups["worst"] + groups["best"]]
    for other in rest:
        assert all(scores[case] <= other for case in groups["worst"])
        assert all(scores[case] >= other for case in groups["best"])
    assert [scores[case] for case in groups["worst"]] == sorted(scores[case] for case in groups["worst"])
    assert [scores[case] for case in groups["best"]] == sorted((scores[case] for case in groups["best"]), reverse=True)


@given(tables, st.integers(1, 5), st.randoms())
def test_the_order_of_rows_does_not_matter_beyond_rounding(table, count, random):
    rounded = [{**row, "dice": row["dice"] and round(row["dice"] * 64) / 64} for row in table]
    single = list({row["case"]: row for row in rounded}.values())
    shuffled = random.sample(single, len(single))
    assert select_cases(single, count) == select_cases(shuffled, count)


@given(tables, st.integers(1, 5))
def test_median_group_stands_in_the_middle_of_the_ranking(table, count):
    groups = select_cases(table, count)
    scores = {row["case"]: mean_dice(table, row["case"]) for row in table if row["dice"] is not None}
    ranked = sorted(scores, key=lambda case: (scores[case], case))
    if groups["median"]:
        first, last = ranked.index(groups["median"][0]), ranked.index(groups["median"][-1])
        assert last - first + 1 == len(groups["median"])
        assert abs(first - (len(ranked) - 1 - last)) <= 1


@pytest.mark.parametrize(
    ("n", "sizes"),
    [
        (0, (0, 0, 0)),
        (1, (0, 1, 0)),
        (2, (1, 0, 1)),
        (3, (1, 1, 1)),
        (4, (1, 2, 1)),
        (8, (3, 2, 3)),
        (50, (3, 3, 3)),
    ],
)
def test_few_images_are_shared_evenly(n, sizes):
    groups = select_cases([{"case": f"{index:02d}", "dice": index / 50} for index in range(n)])
    assert tuple(len(group) for group in groups.values()) == sizes


def test_classes_of_an_image_are_averaged():
    table = [
        {"case": "even", "dice": 0.6},
        {"case": "even", "dice": 0.6},
        {"case": "torn", "dice": 1.0},
        {"case": "torn", "dice": 0.0},
    ]
    assert select_cases(table, 1) == {"best": ["even"], "median": [], "worst": ["torn"]}


def test_count_below_one_is_refused():
    with pytest.raises(InputError, match="`count`"):
        select_cases([], 0)
