"""Absent classes and ignored images in results, statistics and pages."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tmunet.metrics import METRICS, UNSCORED, CaseScores, get_protocol, is_absent
from tmunet_lab.experiments.build_tables import build_table
from tmunet_lab.experiments.captions import block_notes
from tmunet_lab.experiments.case_selection import select_cases
from tmunet_lab.experiments.markdown import escape, table_page
from tmunet_lab.experiments.results import RunResult
from tmunet_lab.experiments.statistics import estimate_metrics, paired_p
from tmunet_lab.experiments.tidy_csv import tidy_rows

from . import made_results

N = 6
EMPTY = np.zeros((10, 10), dtype=bool)
REFERENCE = EMPTY.copy()
REFERENCE[2:8, 2:8] = True


def found(width: int) -> CaseScores:
    return get_protocol("strict").score(preds=np.where(np.arange(10) < 2 + width, REFERENCE, False), target=REFERENCE)


NOWHERE = get_protocol("strict").score(preds=EMPTY, target=EMPTY)
ALARM = get_protocol("strict").score(preds=REFERENCE, target=EMPTY)


def result(folder: Path, network: str, a: list[CaseScores], b: list[CaseScores], *, old: bool = False) -> RunResult:
    """A result of two classes; as evaluations were before, class b has an image's 1 for being nowhere."""
    one = made_results.result(folder, network, [0.5] * len(a), protocol="strict", model="unet")
    summaries: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for name, scores in (("a", a), ("b", b)):
        summary = get_protocol("strict").summarize(scores).to_dict()
        empty = dict.fromkeys(METRICS) if is_absent(summary) and not old else {}
        rows += [{"case": f"i{k}", "class": name, **case.to_dict(), **empty} for k, case in enumerate(scores)]
        if old:
            statistics = {"mean": 1.0, "sd": 0.0, "median": 1.0, "low": 1.0, "high": 1.0}
            summary |= {"metrics": dict.fromkeys(METRICS, statistics)} if is_absent(summary) else {}
            summary = {key: value for key, value in summary.items() if key not in NEW}
        summaries[name] = summary
    scores = {**one.scores, "classes": summaries, "per_image": rows}
    return RunResult(one.network, one.model, one.data, one.split, one.seed, one.run, scores)


NEW = (
    "n_ignored",
    "objects_too_small",
    "objects_too_small_predicted",
    "objects_missed_median_px",
    "objects_missed_largest_px",
)


@pytest.mark.parametrize("old", [False, True])
def test_an_absent_class_is_in_no_mean_interval_or_test(tmp_path: Path, old: bool) -> None:
    widths, others = [1, 2, 3, 4, 5, 6], [2, 2, 4, 5, 6, 6]
    one = result(tmp_path, "TM-UNet", [found(w) for w in widths], [NOWHERE] * N, old=old)
    other = result(tmp_path, "U-Net", [found(w) for w in others], [NOWHERE] * N, old=old)
    dice = [found(width).dice for width in widths]
    assert one.classes == ["a"]
    assert one.mean("dice") == pytest.approx(np.mean(dice))
    assert list(one.values("dice").values()) == pytest.approx(dice)
    ours = estimate_metrics([one], ["dice"], {})["dice"]
    assert ours is not None
    assert (ours.mean, ours.images) == (pytest.approx(np.mean(dice)), N)
    assert ours.low is not None
    assert min(dice) < ours.low < ours.mean
    only_a = [
        RunResult(
            r.network, r.model, r.data, r.split, r.seed, r.run, {**r.scores, "classes": {"a": r.scores["classes"]["a"]}}
        )
        for r in (one, other)
    ]
    assert paired_p([one], [other], "dice", {}) == paired_p([only_a[0]], [only_a[1]], "dice", {}) != None  # noqa: E711
    assert estimate_metrics([only_a[0]], ["dice"], {})["dice"] == ours


def test_false_alarms_of_a_class_that_no_reference_shows_are_in_the_mean(tmp_path: Path) -> None:
    one = result(tmp_path, "TM-UNet", [found(6)] * N, [NOWHERE] * (N - 2) + [ALARM] * 2)
    assert one.classes == ["a", "b"]
    assert one.mean("dice") == pytest.approx((1 + 4 / 6) / 2)


def test_pages_count_ignored_images_and_name_absent_classes(tmp_path: Path) -> None:
    plan = made_results.plan(data=["CVC-ClinicDB"], splits=["random"], seeds=[0], protocols=["strict"])
    widths = [1, 2, 3, 4, 5]
    runs = [
        result(tmp_path, label, [UNSCORED, *(found(w) for w in widths)], [UNSCORED, *[NOWHERE] * 5])
        for label in plan.networks
    ]
    table = build_table("table1", plan, runs, {}, {})
    lines = [line for line in tidy_rows(table, tmp_path) if line["metric"] == "dice"]
    assert [(line["images"], line["images_ignored"], line["classes"]) for line in lines] == [(5, "1", "1")] * 3
    mean = 100 * np.mean([found(w).dice for w in widths])
    assert [line["mean"] for line in lines] == pytest.approx([mean] * 3)
    page = table_page(table, tmp_path, "tmunet reproduce")
    notes = block_notes(table, table.blocks[0])
    assert any("1 more test image" in note for note in notes)
    assert any(note.startswith("Class b is absent") and "3 of 3 runs" in note for note in notes)
    assert all(escape(note) in page for note in notes)


def test_no_image_is_chosen_where_none_has_a_dice(tmp_path: Path) -> None:
    assert select_cases([result(tmp_path, "TM-UNet", [NOWHERE] * 2, [NOWHERE] * 2)]) == []
    assert result(tmp_path, "TM-UNet", [NOWHERE] * 2, [NOWHERE] * 2).mean("dice") is None
