"""Figure 1: points, bubbles, panels, notes, and files with the same bytes."""

from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection

from tmunet_lab.experiments.build_tables import ResultTable, build_table
from tmunet_lab.experiments.figure1 import (
    LARGEST,
    UNTIMED,
    EfficiencyPoint,
    bubble_area,
    efficiency_plot,
    efficiency_points,
    figure_notes,
    write_figure1,
)

from .made_results import COSTS, NETWORKS, all_results, plan, result

ONE = plan(data=["CVC-ClinicDB"], splits=["random"], protocols=["paper"])


def points(table: ResultTable) -> list[EfficiencyPoint]:
    return list(efficiency_points(table, table.blocks[0]))


def bubbles(axis: Axes) -> list[tuple[float, float, float, bool]]:
    """(GMACs, Dice, area, whether it is filled) of each bubble of a panel."""
    return [
        (*map(float, one.get_offsets()[0]), float(one.get_sizes()[0]), len(one.get_facecolor()) > 0)
        for one in axis.collections
        if isinstance(one, PathCollection) and len(one.get_offsets())
    ]


def test_points_are_scores_and_costs_and_the_papers_row_is_drawn_once(tmp_path: Path) -> None:
    table = build_table("figure1", ONE, all_results(tmp_path, ONE), {}, COSTS)
    found = points(table)
    papers, ours = [one for one in found if not one.ours], [one for one in found if one.ours]
    assert [one.row for one in papers] == ["U-Net", "TM-UNet"]  # two networks have one row of the paper
    assert [(one.gmacs, one.dice, one.images_per_second) for one in papers][1] == (6.55, 86.57, 87.55)
    assert [one.label for one in ours] == list(NETWORKS)
    for one, row in zip(ours, table.blocks[0].rows, strict=True):
        estimate = row.cells["dice"].ours
        assert estimate is not None
        assert one.dice == pytest.approx(100 * estimate.mean)
        assert one.interval == pytest.approx((100 * (estimate.low or 0), 100 * (estimate.high or 0)))
        assert one.gmacs == COSTS[one.label].macs / 1e9


def test_areas_are_images_per_second_and_ours_are_filled(tmp_path: Path) -> None:
    table = build_table("figure1", ONE, all_results(tmp_path, ONE), {}, COSTS)
    found = points(table)
    (axis, *_) = efficiency_plot(table).axes
    assert bubbles(axis) == [
        (one.gmacs, pytest.approx(one.dice), pytest.approx(LARGEST * (one.images_per_second or 0) / 87.55), one.ours)
        for one in found
    ]
    assert bubble_area(87.55, 87.55) == LARGEST
    assert axis.get_xscale() == "log"
    low, high = axis.get_xlim()
    assert all(low < one.gmacs < high for one in found)


def test_every_data_set_and_split_has_a_panel_and_an_empty_one_its_reason(tmp_path: Path) -> None:
    missing = {(name, "MoNuSeg", "grouped", seed): "no images there" for name in NETWORKS for seed in (0, 1)}
    results = [one for one in all_results(tmp_path, plan()) if (one.data, one.split) != ("MoNuSeg", "grouped")]
    axes = efficiency_plot(build_table("figure1", plan(), results, missing, COSTS)).axes
    assert [axis.get_title() for axis in axes] == [
        f"{data}, split {split}" for data in plan().data for split in plan().splits
    ]
    assert [bool(bubbles(axis)) for axis in axes] == [True, True, True, False]
    assert [text.get_text() for text in axes[3].texts] == ["Empty: no images there."]


def test_without_a_score_of_ours_the_papers_point_has_its_own_label(tmp_path: Path) -> None:
    table = build_table("figure1", ONE, [result(tmp_path, "TM-UNet", [0.8, 0.9])], {}, COSTS)
    assert [one.label for one in points(table)] == ["U-Net (paper)", "TM-UNet", "TM-UNet"]


def test_an_untimed_network_is_the_smallest_dot_and_one_without_cost_is_named(tmp_path: Path) -> None:
    untimed = replace(COSTS["TM-UNet"], images_per_second=None)
    table = build_table("figure1", ONE, all_results(tmp_path, ONE), {}, {"TM-UNet": untimed})
    ((*_, area, _),) = [one for one in bubbles(efficiency_plot(table).axes[0]) if one[3]]
    assert area == UNTIMED
    notes = figure_notes(table)
    assert len(notes) == 4
    assert "TM-UNet (released code), U-Net" in notes[3]


def test_the_figure_can_be_drawn_without_results() -> None:
    bare = plan(data=["BUSI"], splits=["grouped"])
    assert not bubbles(efficiency_plot(build_table("figure1", bare, [], {}, {})).axes[0])


def test_the_files_have_the_same_bytes_every_time(tmp_path: Path) -> None:
    table = build_table("figure1", ONE, all_results(tmp_path, ONE), {}, COSTS)
    first, second = (write_figure1(table, tmp_path / name, "tmunet reproduce") for name in ("a", "b"))
    assert [file.name for file in first] == ["figure1.svg", "figure1.pdf", "figure1.md"]
    assert [file.read_bytes() for file in first[:2]] == [file.read_bytes() for file in second[:2]]
    assert "Z80, 1 thread" in first[2].read_text("utf-8")
