"""Make splits by a plan, and report them."""

import numpy as np
import pytest

from tmunet.data.split.planner import SplitPlan, describe_split, make_splits
from tmunet.data.split.scan import DatasetScan
from tmunet.data.split.splits import Split
from tmunet.data.split.strategies import cross_validation, grouped_split, official_split, random_split, singletons
from tmunet.errors import UsageError

from ...coded_errors import coded


def scan(cases: int = 30) -> DatasetScan:
    """Cases of three-case groups; every tenth has an empty mask, and the last two are one picture."""
    names = [f"case{n}" for n in range(cases)]
    signatures = dict(zip(names, np.eye(cases, dtype=np.float32), strict=True))
    signatures[names[-1]] = signatures[names[-2]]
    groups = {name: f"patient {n // 3}" for n, name in enumerate(names) if n < cases - 3}
    return DatasetScan(groups, signatures, {name: (n % 10) / 10 for n, name in enumerate(names)})


def test_clusters_join_groups_and_images_of_the_same_scene():
    found = scan()
    assert len(found.clusters) == 9 + 1 + 1
    assert found.clusters[0] == ("case0", "case1", "case2")
    assert found.clusters[-2:] == (("case27",), ("case28", "case29"))
    bridged = DatasetScan({**found.groups, "case28": "patient 0"}, found.signatures, found.foreground_shares)
    assert ("case0", "case1", "case2", "case28", "case29") in bridged.clusters


@pytest.mark.parametrize("stratified", [True, False])
def test_a_plan_of_each_kind_is_carried_out(stratified):
    known = scan()
    strata = known.strata if stratified else None
    official = Split(tuple(f"case{n}" for n in range(24)), (), tuple(f"case{n}" for n in range(24, 30)))

    def made(kind, folds=None):
        return make_splits(SplitPlan(kind, folds, seed=2, stratified=stratified), known, official)

    assert made("random") == (random_split(known.signatures, 2, strata=strata),)
    assert made("grouped") == (grouped_split(known.clusters, 2, strata=strata),)
    assert made("official") == (official_split(official, known.clusters, 2, strata=strata),)
    assert made("grouped", 3) == cross_validation(known.clusters, 3, 2, strata=strata)
    assert made("random", 5) == cross_validation(singletons(known.signatures), 5, 2, strata=strata)
    folds = made("official", 4)
    assert [split.test for split in folds] == [official.test] * 4
    assert sorted(name for split in folds for name in split.val) == sorted(official.train)


def test_a_plan_that_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="`ratios`"):
        SplitPlan(ratios=(0, 1, 1))
    with pytest.raises(UsageError, match=r"`folds` .* 0"):
        SplitPlan(folds=0)
    with pytest.raises(UsageError, check=coded("missing")):
        make_splits(SplitPlan("official"), scan())


def test_a_split_is_described_by_what_is_known_of_its_cases():
    split = Split(("case0", "case1", "case3", "case28"), (), ("case2", "case29"))
    report = describe_split(split, scan())
    train, test = report.sides["train"], report.sides["test"]
    assert (train.cases, train.share, train.groups) == (4, 4 / 6, 2)
    assert train.mean_foreground_share == pytest.approx((0 + 0.1 + 0.3 + 0.8) / 4)
    assert test.mean_foreground_share == pytest.approx((0.2 + 0.9) / 2)
    assert report.sides["val"].mean_foreground_share is None
    assert (report.units, report.without_group, report.left_out) == (3, 2, 24)
    content = report.to_dict()
    assert content["sha256"] == split.sha256
    assert [leak["case"] for leak in content["leaks"][0]["leaks"]] == ["case2", "case29"]
    assert report.to_dict(pairs=False)["leaks"]["test in train"] == {
        "images": 2,
        "same_group": 1,
        "same_scene": 1,
        "groups_known": False,
    }


def test_the_shares_of_a_plan_and_all_that_is_not_its_test_reach_the_split():
    known = DatasetScan({}, scan().signatures, scan().foreground_shares)
    names = list(known.signatures)  # the last two are one picture
    official = Split(tuple(names[:12]), (), tuple(names[24:]))

    def sizes(kind, folds=None):
        made = make_splits(SplitPlan(kind, folds, ratios=(1, 1, 1), stratified=False), known, official)
        return [(len(split.train), len(split.val), len(split.test)) for split in made]

    assert sizes("random") == sizes("grouped") == [(10, 10, 10)]
    assert sizes("official") == [(6, 6, 6)]
    assert sizes("random", 3) == sizes("grouped", 3) == [(10, 10, 10)] * 3
    whole = Split(tuple(names[:12]), tuple(names[12:24]), tuple(names[24:]))
    folds = make_splits(SplitPlan("official", 4), known, whole)
    assert sorted(name for split in folds for name in split.val) == sorted(names[:24])
    assert all(sorted(split.train + split.val) == sorted(names[:24]) for split in folds)
