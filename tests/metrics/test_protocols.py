"""Protocols: the policy for empty masks cell by cell, `paper` against the released formulas, counts, absent classes."""

import json
import math
import statistics
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.distance import directed_hausdorff

from tmunet.errors import InputError, UsageError
from tmunet.metrics import (
    EMPTY_POLICY,
    METRIC_LABELS,
    METRICS,
    OBJECT_COLUMNS,
    PROTOCOLS,
    UNSCORED,
    CaseScores,
    EmptyRow,
    PaperProtocol,
    Presence,
    StrictProtocol,
    confusion,
    count_objects,
    get_protocol,
    hausdorff_distance,
    image_diagonal,
    is_absent,
    mean_over_classes,
    policy_as_markdown,
    presence,
    scored_classes,
)

NOTHING = np.zeros((8, 9), dtype=bool)
LEFT, RIGHT = NOTHING.copy(), NOTHING.copy()
LEFT[1:7, 1:5] = True
RIGHT[1:7, 3:8] = True


EMPTY = np.zeros((30, 40), dtype=bool)
OBJECT = EMPTY.copy()
OBJECT[10:20, 5:15] = True

DIAGONAL = 50.0  # of 30 x 40 pixels

CELLS = [
    (
        EMPTY,
        EMPTY,
        "both_empty",
        {"dice": 1, "iou": 1, "f1": 1, "precision": 1, "recall": 1, "hd": 0, "hd95": 0},
    ),
    (
        OBJECT,
        EMPTY,
        "missed",
        {"dice": 0, "iou": 0, "f1": 0, "precision": 0, "recall": 0, "hd": 50, "hd95": 50},
    ),
    (
        EMPTY,
        OBJECT,
        "false_alarm",
        {"dice": 0, "iou": 0, "f1": 0, "precision": 0, "recall": 0, "hd": 50, "hd95": 50},
    ),
    (
        OBJECT,
        OBJECT,
        "found",
        {"dice": 1, "iou": 1, "f1": 1, "precision": 1, "recall": 1, "hd": 0, "hd95": 0},
    ),
]


@pytest.mark.parametrize(("reference", "prediction", "outcome", "scores"), CELLS)
@pytest.mark.parametrize("metric", METRICS)
def test_each_cell_of_the_policy(reference, prediction, outcome, scores, metric):
    case = StrictProtocol().score(preds=prediction, target=reference)
    assert case.outcome == outcome == presence(prediction, reference)
    assert getattr(case, metric) == scores[metric]


def test_the_table_itself():
    assert dict(EMPTY_POLICY) == {
        Presence.NEITHER: EmptyRow(reference="empty", prediction="empty", overlap=1.0, distance=0.0),
        Presence.MISSED: EmptyRow(reference="object", prediction="empty", overlap=0.0, distance=1.0),
        Presence.FALSE_ALARM: EmptyRow(reference="empty", prediction="object", overlap=0.0, distance=1.0),
    }
    with pytest.raises(TypeError):
        EMPTY_POLICY[Presence.MISSED] = EMPTY_POLICY[Presence.NEITHER]


def test_every_outcome_is_measured_or_in_the_table():
    assert set(EMPTY_POLICY) | {Presence.BOTH, Presence.IGNORED} == set(Presence)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.1, 0.1), (4.0, 3.0)])
def test_a_miss_costs_the_diagonal_in_units_of_the_spacing(spacing):
    case = StrictProtocol().score(preds=EMPTY, target=OBJECT, spacing=spacing)
    expected = float(np.sqrt((30 * spacing[0]) ** 2 + (40 * spacing[1]) ** 2))
    assert case.hd == case.hd95 == image_diagonal((30, 40), spacing) == pytest.approx(expected, abs=1e-12)


def test_documentation_has_a_line_for_each_row():
    lines = policy_as_markdown().splitlines()
    assert len(lines) == 2 + len(EMPTY_POLICY)
    assert len({line.count("|") for line in lines}) == 1
    for line, (outcome, row) in zip(lines[2:], EMPTY_POLICY.items(), strict=True):
        assert line.startswith(f"| {row.reference} | {row.prediction} |")
        assert line.endswith(f"| {outcome.value} |")


def papers_case(prediction, reference):
    """The released evaluation of one image, written anew from its formulas on 0/1 arrays."""
    y, p = reference.astype(float), prediction.astype(float)
    both = (y * p).sum()
    case = {
        "dice": (2 * both + 1) / (y.sum() + p.sum() + 1),
        "iou": (both + 1) / (y.sum() + p.sum() - both + 1),
        "precision": both / p.sum() if p.sum() else 0.0,
        "recall": both / y.sum() if y.sum() else 0.0,
        "hd": math.nan,
    }
    if y.sum() and p.sum():
        u, v = (np.argwhere(mask ^ ndimage.binary_erosion(mask)) for mask in (reference, prediction))
        case["hd"] = max(directed_hausdorff(u, v)[0], directed_hausdorff(v, u)[0])
    return case


def papers_table(cases):
    """The released evaluation's means: F1 of means, infinite and undefined HD dropped."""
    table = {name: float(np.mean([case[name] for case in cases])) for name in ("dice", "iou", "precision", "recall")}
    table["f1"] = 2 * table["precision"] * table["recall"] / (table["precision"] + table["recall"])
    table["hd"] = float(np.nanmean([case["hd"] for case in cases]))
    return table


@pytest.fixture(scope="session")
def scored(pairs):
    """The scores of all pairs under each protocol."""
    return {
        name: [protocol.score(preds=preds, target=target) for preds, target in pairs]
        for name, protocol in PROTOCOLS.items()
    }


def test_paper_scores_equal_the_released_formulas(pairs, scored):
    for pair, scores in zip(pairs, scored["paper"], strict=True):
        for name, expected in papers_case(*pair).items():
            assert getattr(scores, name) == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_paper_summary_equals_the_released_table(pairs, scored):
    summary = PaperProtocol().summarize(scored["paper"])
    for name, expected in papers_table([papers_case(*pair) for pair in pairs]).items():
        assert summary.metrics[name].mean == pytest.approx(expected, abs=1e-12)


def test_paper_f1_is_made_of_means_and_has_no_spread(scored):
    summary = PaperProtocol().summarize(scored["paper"])
    made_of_means = summary.metrics["f1"]
    assert made_of_means.mean != pytest.approx(statistics.fmean(case.f1 for case in scored["paper"]), abs=1e-3)
    assert (made_of_means.sd, made_of_means.median, made_of_means.low, made_of_means.high) == (None,) * 4


def test_paper_leaves_images_with_an_empty_mask_out_of_the_distances(pairs, scored):
    summary = PaperProtocol().summarize(scored["paper"])
    empty = sum(not (reference.any() and prediction.any()) for prediction, reference in pairs)
    assert summary.n_hd_left_out == empty > 50
    kept = [case.hd95 for case in scored["paper"] if case.outcome is Presence.BOTH]
    assert summary.metrics["hd95"].mean == pytest.approx(statistics.fmean(kept), abs=1e-12)
    assert summary.metrics["hd95"].sd == pytest.approx(statistics.stdev(kept), abs=1e-12)


def test_paper_has_no_distance_and_no_f1_to_speak_of_when_every_image_is_missed():
    reference = np.eye(4, dtype=bool)
    scores = [PaperProtocol().score(preds=np.zeros_like(reference), target=reference) for _ in range(3)]
    summary = PaperProtocol().summarize(scores)
    assert (summary.n, summary.n_missed, summary.n_hd_left_out) == (3, 3, 3)
    nothing = dict.fromkeys(("mean", "sd", "median", "low", "high"))
    assert summary.to_dict()["metrics"]["hd"] == summary.to_dict()["metrics"]["hd95"] == nothing
    assert summary.metrics["f1"].mean == 0.0


def test_strict_scores_are_the_functional_metrics_of_the_pair(found_pairs):
    for preds, target in found_pairs:
        counts, spacing = confusion(preds, target), (0.5, 2.0)
        expected = CaseScores(
            dice=counts.dice(),
            iou=counts.iou(),
            f1=counts.dice(),
            precision=counts.precision(),
            recall=counts.recall(),
            hd=hausdorff_distance(preds, target, spacing),
            hd95=hausdorff_distance(preds, target, spacing, percentile=95),
            outcome=Presence.BOTH,
            objects=count_objects(preds, target),
        )
        assert StrictProtocol().score(preds=preds, target=target, spacing=spacing) == expected


def test_strict_summary_counts_every_image_in_every_metric(scored):
    summary = StrictProtocol().summarize(scored["strict"])
    assert summary.n_hd_left_out == 0
    for name in METRICS:
        column = [getattr(case, name) for case in scored["strict"]]
        assert summary.metrics[name].mean == pytest.approx(statistics.fmean(column), abs=1e-12)
        assert summary.metrics[name].median == pytest.approx(statistics.median(column), abs=1e-12)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_summaries_count_the_failures(pairs, scored, name):
    summary = PROTOCOLS[name].summarize(scored[name])
    kinds = [(bool(reference.any()), bool(prediction.any())) for prediction, reference in pairs]
    assert summary.protocol == name
    assert summary.n == len(pairs)
    assert summary.n_missed == kinds.count((True, False)) > 0
    assert summary.n_false_alarm == kinds.count((False, True)) > 0
    assert summary.n_both_empty == kinds.count((False, False)) > 0
    found = [count_objects(*pair) for pair in pairs]
    assert summary.objects == sum(one.reference for one in found)
    assert summary.objects_missed == sum(one.missed for one in found) > 0
    assert summary.objects_false == sum(one.false for one in found) > 0
    assert summary.objects_too_small == sum(one.too_small for one in found) > 0
    assert summary.objects_too_small_predicted == sum(one.too_small_predicted for one in found) > 0
    areas = [area for one in found for area in one.missed_areas]
    assert len(areas) == summary.objects_missed
    assert summary.objects_missed_median_px == statistics.median(areas)
    assert summary.objects_missed_largest_px == max(areas)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_summaries_are_plain_data_and_repeat_with_the_seed(scored, name):
    protocol = PROTOCOLS[name]
    summary = protocol.summarize(scored[name], seed=3)
    assert summary == protocol.summarize(scored[name], seed=3)
    other_seed = protocol.summarize(scored[name], seed=4)
    for metric in ("dice", "hd"):
        assert summary.metrics[metric].low != other_seed.metrics[metric].low
    assert list(summary.metrics) == list(METRICS)
    plain = summary.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert set(plain["metrics"]["iou"]) == {"mean", "sd", "median", "low", "high"}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_case_scores_are_plain_data(scored, name):
    for case in scored[name]:
        plain = case.to_dict()
        assert list(plain) == [*METRICS, "outcome", *OBJECT_COLUMNS]
        assert json.loads(json.dumps(plain, allow_nan=False)) == plain
        assert (plain["hd"] is None) == math.isnan(case.hd)
        assert Presence(plain["outcome"]) is case.outcome


@pytest.mark.parametrize("name", PROTOCOLS)
def test_no_image_is_refused(name):
    with pytest.raises(InputError, match="`scores`"):
        PROTOCOLS[name].summarize([])


def test_scores_of_paper_are_refused_by_strict():
    reference = np.eye(4, dtype=bool)
    missed = PaperProtocol().score(preds=np.zeros_like(reference), target=reference)
    with pytest.raises(InputError, match="`hd`"):
        StrictProtocol().summarize([missed])


def test_every_metric_has_a_label_in_the_order_of_the_columns():
    assert tuple(METRIC_LABELS) == METRICS
    assert len(set(METRIC_LABELS.values())) == len(METRICS)


def test_the_protocols_and_their_sizes():
    assert list(PROTOCOLS) == ["strict", "paper"]
    assert (get_protocol("strict").size, get_protocol("paper").size) == (None, 512)
    assert isinstance(get_protocol("strict"), StrictProtocol)
    assert isinstance(get_protocol("paper"), PaperProtocol)
    for name, protocol in PROTOCOLS.items():
        assert protocol.description.startswith(f"Protocol {name}: ")
        assert "\n" not in protocol.description


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("papper", "Did you mean 'paper'?"),
        ("Strict", "Did you mean 'strict'?"),
        ("x", "The default is 'strict'."),
    ],
)
def test_an_unknown_name_gets_the_list_and_a_hint(name, hint):
    with pytest.raises(UsageError) as caught:
        get_protocol(name)
    assert str(caught.value) == f"Expected `protocol` to be one of 'strict', 'paper', but got '{name}'. {hint}"


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_an_ignored_image_changes_nothing_but_its_own_count(protocol):
    scores = [
        protocol.score(preds=preds, target=target)
        for target, preds in ((LEFT, RIGHT), (LEFT, NOTHING), (NOTHING, RIGHT), (RIGHT, RIGHT))
    ]
    groups = ["a", "a", "b", None]
    alone = protocol.summarize(scores, seed=3, groups=groups)
    beside = protocol.summarize(
        [UNSCORED, *scores[:2], UNSCORED, *scores[2:]], seed=3, groups=["c", *groups[:2], None, *groups[2:]]
    )
    assert beside == replace(alone, n_ignored=2)
    assert (alone.n, alone.n_ignored, alone.n_groups) == (4, 0, 3)
    assert beside.metrics["dice"].mean == pytest.approx(statistics.fmean(score.dice for score in scores))


def test_an_ignored_image_has_no_scores():
    plain = UNSCORED.to_dict()
    assert plain.pop("outcome") == "ignored"
    assert plain == dict.fromkeys((*METRICS, *OBJECT_COLUMNS))


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_images_of_which_none_counts_are_refused(protocol):
    with pytest.raises(InputError):
        protocol.summarize([UNSCORED, UNSCORED])


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_a_class_that_nothing_shows_has_no_scores(protocol):
    empty = protocol.score(preds=NOTHING, target=NOTHING)
    assert empty.outcome is Presence.NEITHER
    summary = protocol.summarize([empty, UNSCORED, empty])
    assert (summary.n, summary.n_ignored, summary.n_both_empty) == (2, 1, 2)
    plain = summary.to_dict()
    assert is_absent(plain)
    assert {value for metric in plain["metrics"].values() for value in metric.values()} == {None}
    assert list(plain["metrics"]) == list(METRICS)


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_a_false_alarm_of_a_class_that_no_reference_shows_is_scored(protocol):
    scores = [protocol.score(preds=NOTHING, target=NOTHING), protocol.score(preds=LEFT, target=NOTHING)]
    plain = protocol.summarize(scores).to_dict()
    assert not is_absent(plain)
    assert plain["n_false_alarm"] == 1
    assert plain["metrics"]["dice"]["mean"] == pytest.approx((1 + (0 if protocol.name == "strict" else 1 / 25)) / 2)


def test_the_mean_is_over_the_classes_that_are_there():
    strict = PROTOCOLS["strict"]
    summaries = {
        "a": strict.summarize([strict.score(preds=RIGHT, target=LEFT)]).to_dict(),
        "nowhere": strict.summarize([strict.score(preds=NOTHING, target=NOTHING)]).to_dict(),
        "b": strict.summarize([strict.score(preds=NOTHING, target=LEFT)]).to_dict(),
    }
    dice = 2 * 12 / (24 + 30)
    assert scored_classes(summaries) == ["a", "b"]
    assert mean_over_classes(summaries, "dice") == pytest.approx(dice / 2)
    assert mean_over_classes({"nowhere": summaries["nowhere"]}, "dice") is None
    paper = PROTOCOLS["paper"]
    missed = {"a": summaries["a"], "b": paper.summarize([paper.score(preds=NOTHING, target=LEFT)]).to_dict()}
    assert mean_over_classes(missed, "hd") is None  # b is there, and has none
    assert math.isfinite(summaries["a"]["metrics"]["hd"]["mean"])
