"""The cells of a table: results, the paper's figures, ranks and tests."""

from dataclasses import replace
from pathlib import Path

import pytest

from tmunet.errors import InputError, UsageError
from tmunet_lab.experiments.build_tables import ResultTable, TableBlock, build_table, reference_network
from tmunet_lab.experiments.plan import PlannedNetwork
from tmunet_lab.experiments.statistics import holm, paired_p

from ...coded_errors import coded
from .made_results import COSTS, NETWORKS, all_results, plan, result


def block(table: ResultTable, data: str = "CVC-ClinicDB", split: str = "random", protocol: str = "paper") -> TableBlock:
    (found,) = (one for one in table.blocks if (one.data, one.split, one.protocol) == (data, split, protocol))
    return found


def test_there_is_a_block_for_each_protocol_data_set_and_split_and_a_row_for_each_network(tmp_path: Path) -> None:
    table = build_table("table1", plan(), all_results(tmp_path, plan()), {}, COSTS)
    places = [(one.protocol, one.data, one.split) for one in table.blocks]
    assert places == [
        (p, d, s) for p in ("paper", "strict") for d in ("CVC-ClinicDB", "MoNuSeg") for s in ("random", "grouped")
    ]
    assert all([row.network for row in one.rows] == list(NETWORKS) for one in table.blocks)
    assert all(row.reasons == {} for one in table.blocks for row in one.rows)
    assert len(table.results) == 2 * 2 * 2 * 3 * 2


def test_the_papers_figures_stand_beside_the_random_split_and_the_first_protocol_alone(tmp_path: Path) -> None:
    table = build_table("table1", plan(), all_results(tmp_path, plan()), {}, COSTS)
    assert [one.printed for one in table.blocks] == [True, False, True, False] + [False] * 4
    (row, *_), *_ = block(table, "MoNuSeg").rows, None
    assert {metric: cell.paper for metric, cell in row.cells.items()} == {
        "dice": 77.57,
        "iou": 63.78,
        "f1": 78.95,
        "hd": 38.33,
    }
    printed = table.printed["TM-UNet"]
    assert printed is not None
    assert (printed.flops, printed.fps) == (6.55, 87.55)


def test_ranks_are_those_of_the_means_and_smaller_distances_are_better(tmp_path: Path) -> None:
    table = build_table("table1", plan(), all_results(tmp_path, plan()), {}, COSTS)
    for one in table.blocks:
        for metric, sign in (("dice", -1), ("iou", -1), ("f1", -1), ("hd", 1)):
            means = {row.network: row.cells[metric].ours for row in one.rows}
            order = sorted(means, key=lambda name: sign * means[name].mean)  # type: ignore[union-attr]
            assert {row.network: row.cells[metric].rank for row in one.rows} == {order[0]: 1, order[1]: 2, order[2]: 0}


def test_equal_values_share_a_rank_and_a_column_with_a_hole_has_none(tmp_path: Path) -> None:
    small = plan(data=["MoNuSeg"], splits=["random"], seeds=[0], protocols=["strict"])
    values = {"U-Net": [0.5, 0.7], "TM-UNet (released code)": [0.7, 0.5], "TM-UNet": [0.4, 0.4]}
    results = [result(tmp_path, name, list(of), data="MoNuSeg", protocol="strict") for name, of in values.items()]
    (one,) = build_table("table1", small, results, {}, {}).blocks
    assert [row.cells["dice"].rank for row in one.rows] == [1, 1, 2]
    (one,) = build_table("table1", small, results[:2], {}, {}).blocks
    assert [row.cells["dice"].rank for row in one.rows] == [0, 0, 0]


def test_peers_are_tested_against_tm_unet_with_holms_correction_over_the_column(tmp_path: Path) -> None:
    table = build_table("table1", plan(), all_results(tmp_path, plan()), {}, COSTS)
    one = block(table)
    assert table.reference == "TM-UNet"
    unet, released, ours = one.rows
    assert ours.cells["dice"].test is None
    expected = [paired_p(ours.results, row.results, "dice", {}) for row in (unet, released)]
    tests = [row.cells["dice"].test for row in (unet, released)]
    assert [test and test.p for test in tests] == expected
    assert [test and test.corrected for test in tests] == holm([p for p in expected if p is not None])
    assert unet.cells["f1"].test is None  # one number for the set


def test_the_reference_is_the_last_tm_unet_of_the_text() -> None:
    options = {"mstm": {"dwconv": False}}
    networks = {
        "without": PlannedNetwork("tmunet_b", options),
        "whole": PlannedNetwork("tmunet_b"),
        "x": PlannedNetwork("ulite"),
    }
    assert reference_network(plan(networks=networks)) == "whole"
    assert reference_network(plan(networks={"x": PlannedNetwork("tmunet_released_b")})) is None


def test_what_is_missing_has_its_reason(tmp_path: Path) -> None:
    results = [one for one in all_results(tmp_path, plan()) if (one.network, one.seed) != ("U-Net", 1)]
    missing = {("U-Net", "MoNuSeg", "grouped", 1): "failed: out of memory"}
    table = build_table("table1", plan(), results, missing, {})
    assert block(table, "MoNuSeg", "grouped").rows[0].reasons == {"failed: out of memory": [1]}
    assert block(table).rows[0].reasons == {"there is no run": [1]}
    assert block(table).rows[0].cells["dice"].ours is not None  # of the seed that there is


def test_missed_images_are_counted_by_seed(tmp_path: Path) -> None:
    table = build_table("table1", plan(), all_results(tmp_path, plan()), {}, {})
    assert [row.left_out for row in block(table).rows] == [[1, 1], [0, 0], [0, 0]]
    assert [one.left_out for one in table.blocks] == [True] * 4 + [False] * 4


def test_what_does_not_fit_the_plan_is_an_error(tmp_path: Path) -> None:
    one = result(tmp_path, "U-Net", [0.5, 0.6])
    with pytest.raises(UsageError, check=coded("unplanned")):
        build_table("table1", plan(), [replace(one, network="V-Net")], {}, {})
    with pytest.raises(InputError, check=coded("repeated")):
        build_table("table1", plan(), [one, one], {}, {})
    with pytest.raises(InputError, check=coded("not-comparable")):
        build_table("table1", plan(), [one, result(tmp_path, "TM-UNet", [0.5, 0.6], split_sha256="a" * 64)], {}, {})
    with pytest.raises(UsageError, check=coded("row")):
        build_table("table1", plan(networks={"V-Net": PlannedNetwork("unet", row="V-Net")}), [], {}, {})


@pytest.mark.parametrize("protocols", [["strict"], ["strict", "paper"]])
def test_the_papers_figures_stand_beside_its_own_protocol_only(tmp_path: Path, protocols: list[str]) -> None:
    small = plan(data=["MoNuSeg"], splits=["random"], seeds=[0], protocols=protocols)
    table = build_table("table1", small, [], {}, {})
    assert {one.protocol: one.printed for one in table.blocks} == {name: name == "paper" for name in protocols}
