"""The paper's figures, against copies that were typed from the paper a second time."""

import pytest

from tmunet.datasets.importers import list_sets
from tmunet.errors import UsageError
from tmunet_lab.bench.paper_flops import FIGURES
from tmunet_lab.experiments.paper_values import paper_row, paper_tables, paper_value

from ...coded_errors import coded

# Dice, IoU, F1, HD of CVCCDB, MoNuSeg, ColonDB, UDIAT, as the row reads in Table 1
ROWS = {
    "U-Net": "80.73 73.88 83.65 79.06 77.57 63.78 78.95 38.33 76.47 68.45 77.82 99.76 71.74 62.36 74.23 51.17",
    "TinyU-Net": "85.19 77.68 87.12 48.22 79.72 66.84 80.73 34.99 76.87 69.65 78.44 91.25 75.12 64.08 77.85 46.92",
    "Zig-RiR": "85.44 78.01 87.57 49.57 83.71 71.86 83.42 30.45 78.06 71.38 79.87 85.94 76.12 64.97 78.53 45.28",
    "TM-UNet": "86.57 79.89 88.83 35.35 85.63 74.10 85.95 25.66 80.62 74.43 82.13 72.70 77.40 66.82 80.40 39.74",
}
DATA = ("CVC-ClinicDB", "MoNuSeg", "CVC-ColonDB", "UDIAT")


@pytest.mark.parametrize("row", ROWS)
def test_rows_of_table_1(row: str) -> None:
    found = [paper_value("table1", row, data, metric) for data in DATA for metric in ("dice", "iou", "f1", "hd")]
    assert found == [float(figure) for figure in ROWS[row].split()]


@pytest.mark.parametrize(
    ("table", "row", "line"),
    [
        ("table2", "none", "5.82 89.15 82.47 70.31 81.68 29.87"),
        ("table2", "xLSTM, pooling, DWConv", "6.55 87.55 85.63 74.10 84.95 25.66"),
        ("table3", "8 to 128", "0.49 104.23 82.95 70.89 83.24 29.62"),
        ("table3", "32 to 512", "6.55 87.55 85.63 74.10 85.95 25.66"),
    ],
)
def test_rows_of_tables_2_and_3(table: str, row: str, line: str) -> None:
    found = paper_row(table, row)
    assert found is not None
    assert [found.flops, found.fps, *found.scores["MoNuSeg"].values()] == [float(figure) for figure in line.split()]


def test_the_tables_are_whole_and_name_data_sets_as_the_importers_do() -> None:
    tables = paper_tables()
    assert {table: len(rows) for table, rows in tables.items()} == {"table1": 7, "table2": 4, "table3": 3}
    rows = [row for of_table in tables.values() for row in of_table.values()]
    assert all(list(scores) == ["dice", "iou", "f1", "hd"] for row in rows for scores in row.scores.values())
    assert {data for row in rows for data in row.scores} == set(DATA) <= set(list_sets())
    assert all(set(row.scores) == set(DATA) for row in tables["table1"].values())


def test_the_best_and_the_second_are_those_that_the_paper_marks() -> None:
    table = paper_tables()["table1"]
    for data in DATA:
        for metric in ("dice", "iou", "f1"):
            order = sorted(table, key=lambda name: -table[name].scores[data][metric])
            assert order[:2] == ["TM-UNet", "Zig-RiR"]


def test_the_cost_table_of_the_benchmark_has_the_same_figures() -> None:
    for figure in FIGURES:
        row = paper_row(f"table{figure.table}", figure.row)
        assert row is not None
        assert row.flops == figure.flops


def test_what_the_paper_does_not_have() -> None:
    assert paper_row("table1", "") is None
    assert paper_value("table1", "", "MoNuSeg", "dice") is None
    assert paper_value("table1", "U-Net", "BUSI", "dice") is None
    with pytest.raises(UsageError, check=coded("row")):
        paper_value("table1", "nnUNet", "MoNuSeg", "dice")
