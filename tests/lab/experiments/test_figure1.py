"""The picture of Dice against arithmetic."""

import math
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tmunet_lab.bench.svg import LIGHT
from tmunet_lab.experiments.figure1 import LARGEST, UNTIMED, efficiency_plot
from tmunet_lab.experiments.fill_tables import build_table
from tmunet_lab.experiments.linear_axis import LinearAxis
from tmunet_lab.experiments.table import Missing

from .made_results import COSTS, NETWORKS, plan, result, whole_grid

ONE = plan(data=["CVC-ClinicDB"], splits=["random"], protocols=["paper"])


def circles(svg: str) -> list[dict[str, str]]:
    root = ElementTree.fromstring(svg)
    return [dict(circle.attrib) for circle in root.iter("{http://www.w3.org/2000/svg}circle")]


def words(svg: str) -> str:
    return " ".join(" ".join(ElementTree.fromstring(svg).itertext()).split())


def test_ours_are_filled_the_papers_hollow_and_areas_are_speeds(tmp_path: Path) -> None:
    svg = efficiency_plot(build_table("figure1", ONE, whole_grid(tmp_path, ONE), {}, COSTS))
    filled = [circle for circle in circles(svg) if circle["fill"] != "none"]
    hollow = [circle for circle in circles(svg) if circle["fill"] == "none" and circle["stroke"] != LIGHT["ink"]]
    assert (len(filled), len(hollow)) == (3, 2)  # two networks stand for one row of the paper
    radii = sorted(float(circle["r"]) for circle in filled)
    speeds = sorted(cost.images_per_second or 0 for cost in COSTS.values())
    assert radii == pytest.approx([LARGEST * math.sqrt(speed / 87.55) for speed in speeds], abs=0.06)
    assert max(float(circle["r"]) for circle in hollow) == pytest.approx(LARGEST, abs=0.06)
    assert all(
        label in words(svg) for label in (*NETWORKS, "CVC-ClinicDB, split random", "Z80, 1 thread", "NVIDIA A100")
    )
    assert "seeds 0, 1, protocol paper" in words(svg)


def test_a_bubble_lies_where_its_numbers_are(tmp_path: Path) -> None:
    svg = efficiency_plot(build_table("figure1", ONE, whole_grid(tmp_path, ONE), {}, COSTS))
    ours = [(float(circle["cx"]), float(circle["cy"])) for circle in circles(svg) if circle["fill"] == LIGHT["c0"]]
    others = [
        (float(circle["cx"]), float(circle["cy"]))
        for circle in circles(svg)
        if circle["fill"] in (LIGHT["c1"], LIGHT["c5"])
    ]
    assert len(ours) == 1
    assert all(ours[0][0] < x and ours[0][1] < y for x, y in others)  # cheapest and best


def test_every_data_set_and_split_has_a_panel_and_an_empty_one_its_reason(tmp_path: Path) -> None:
    missing: Missing = {(name, "MoNuSeg", "grouped", seed): "no images there" for name in NETWORKS for seed in (0, 1)}
    results = [one for one in whole_grid(tmp_path, plan()) if (one.data, one.split) != ("MoNuSeg", "grouped")]
    svg = efficiency_plot(build_table("figure1", plan(), results, missing, COSTS))
    assert all(f"{data}, split {split}" in words(svg) for data in plan().data for split in plan().splits)
    assert words(svg).count("Empty: no images there.") == 1
    assert svg.count("GMAC of one 3 x 512 x 512 image") == 3


def test_where_we_have_no_score_the_papers_point_has_its_own_label(tmp_path: Path) -> None:
    svg = efficiency_plot(build_table("figure1", ONE, [result(tmp_path, "TM-UNet", [0.8, 0.9])], {}, COSTS))
    assert "U-Net (paper)" in words(svg)
    assert "TM-UNet (paper)" not in words(svg)


def test_what_was_not_timed_is_the_smallest_dot_and_what_was_not_counted_is_named(tmp_path: Path) -> None:
    cost = COSTS["TM-UNet"]
    untimed = type(cost)(cost.parameters, cost.macs, cost.macs_thop, None, cost.machine)
    svg = efficiency_plot(build_table("figure1", ONE, whole_grid(tmp_path, ONE), {}, {"TM-UNet": untimed}))
    (ours,) = (circle for circle in circles(svg) if circle["fill"] != "none")
    assert float(ours["r"]) == UNTIMED
    assert re.search(r"cost is not known: TM-UNet \(released code\), U-Net\.", words(svg))


def test_the_picture_can_be_drawn_without_anything(tmp_path: Path) -> None:
    bare = plan(data=["BUSI"], splits=["grouped"])
    assert not circles(efficiency_plot(build_table("figure1", bare, [], {}, {})))


def test_an_axis_covers_its_values_with_round_ends() -> None:
    axis = LinearAxis.around([71.2, 88.9], 300, 0)
    assert (axis.low, axis.high, axis.at(axis.low), axis.at(axis.high)) == (70, 90, 300, 0)
    assert axis.ticks() == [70, 75, 80, 85, 90]
