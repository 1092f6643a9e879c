"""The two protocols: against independent formulas, in their counts, and in what they print."""

import json
import math
import statistics

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.distance import directed_hausdorff

from tmunet.errors import InputError, UsageError
from tmunet.metrics import (
    METRICS,
    OBJECT_COLUMNS,
    PROTOCOLS,
    CaseScores,
    Outcome,
    PaperProtocol,
    StrictProtocol,
    confusion,
    count_objects,
    dice,
    f1,
    get_protocol,
    iou,
    precision,
    recall,
    surface_distances,
)


def papers_case(reference, prediction):
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
    return {name: [protocol.score(*pair) for pair in pairs] for name, protocol in PROTOCOLS.items()}


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
    empty = sum(not (reference.any() and prediction.any()) for reference, prediction in pairs)
    assert summary.n_hd_left_out == empty > 50
    kept = [case.hd95 for case in scored["paper"] if case.outcome is Outcome.FOUND]
    assert summary.metrics["hd95"].mean == pytest.approx(statistics.fmean(kept), abs=1e-12)
    assert summary.metrics["hd95"].sd == pytest.approx(statistics.stdev(kept), abs=1e-12)


def test_paper_has_no_distance_and_no_f1_to_speak_of_when_every_image_is_missed():
    reference = np.eye(4, dtype=bool)
    scores = [PaperProtocol().score(reference, np.zeros_like(reference)) for _ in range(3)]
    summary = PaperProtocol().summarize(scores)
    assert (summary.n, summary.n_missed, summary.n_hd_left_out) == (3, 3, 3)
    nothing = dict.fromkeys(("mean", "sd", "median", "low", "high"))
    assert summary.to_dict()["metrics"]["hd"] == summary.to_dict()["metrics"]["hd95"] == nothing
    assert summary.metrics["f1"].mean == 0.0


def test_strict_scores_are_the_plain_metrics_of_the_pair(found_pairs):
    for reference, prediction in found_pairs:
        counts = confusion(reference, prediction)
        distances = surface_distances(reference, prediction, (0.5, 2.0))
        expected = CaseScores(
            dice=dice(counts),
            iou=iou(counts),
            f1=f1(counts),
            precision=precision(counts),
            recall=recall(counts),
            hd=distances.hd,
            hd95=distances.hd95,
            outcome=Outcome.FOUND,
            objects=count_objects(reference, prediction),
        )
        assert StrictProtocol().score(reference, prediction, (0.5, 2.0)) == expected


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
    kinds = [(bool(reference.any()), bool(prediction.any())) for reference, prediction in pairs]
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
        assert Outcome(plain["outcome"]) is case.outcome


@pytest.mark.parametrize("name", PROTOCOLS)
def test_no_image_is_refused(name):
    with pytest.raises(InputError, match="`scores` to hold at least one image, but got none"):
        PROTOCOLS[name].summarize([])


def test_scores_of_paper_are_refused_by_strict():
    reference = np.eye(4, dtype=bool)
    missed = PaperProtocol().score(reference, np.zeros_like(reference))
    with pytest.raises(InputError, match=r"`hd` to be finite .* Summarize scores with the protocol that made them"):
        StrictProtocol().summarize([missed])


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
