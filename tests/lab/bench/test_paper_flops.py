"""The FLOPs columns of the paper beside ours: what is reproduced, and that the tool's numbers are."""

import pytest
from torch import Tensor, nn

from tmunet.registry import create_model
from tmunet_lab.baselines.tmunet_released import MemoryStage, ReleasedMSTMBlock, TMUNetReleased
from tmunet_lab.bench.paper_flops import FIGURES, ComparedFlops, compare, paper_table
from tmunet_lab.bench.thop import count_macs_thop

TOOL = {  # thop 0.1.1 on the authors' code at 3 x 512 x 512, one class
    "unet": 124_476_456_960,
    "ulite": 3_027_828_736,
    "tinyunet": 6_636_699_648,
    "rolling_unet_l": 131_481_993_216,
    "zigrir": 13_227_261_952,
    "tmunet_released_t": 486_120_192,
    "tmunet_released_s": 1_739_798_016,
    "tmunet_released_b": 6_549_826_560,
}
REPRODUCED = {
    *("unet", "tinyunet", "rolling_unet_l", "tmunet_t"),
    *("tmunet_released_t", "tmunet_released_s", "tmunet_released_b"),
}


@pytest.fixture(scope="module")
def rows() -> list[ComparedFlops]:
    pytest.importorskip("dynamic_network_architectures")
    return compare()


@pytest.mark.parametrize("name", ["ulite", "tinyunet", "tmunet_released_t"])
def test_the_tool_counts_the_same_on_small_networks(name: str) -> None:
    assert count_macs_thop(create_model(name)) == TOOL[name]


@pytest.mark.slow
def test_the_tool_counts_the_same_on_the_authors_code(rows: list[ComparedFlops]) -> None:
    found = {row.printed.network: row.macs_thop for row in rows}
    assert {name: found[name] for name in TOOL} == TOOL
    assert (
        round(found["nnunet"] / 1e9, 2) == 67.50
    )  # each layer once; the tool itself counts the package's twice and more


@pytest.mark.slow
def test_seven_of_the_papers_figures_follow_from_hooks(rows: list[ComparedFlops]) -> None:
    assert {row.printed.network for row in rows if row.reproduced} == REPRODUCED


@pytest.mark.slow
def test_the_table_says_every_figure_and_what_does_not_follow(rows: list[ComparedFlops]) -> None:
    text = paper_table(rows)
    lines = text.splitlines()
    assert [line.split(",")[0] for line in lines if line.startswith("Table")] == ["Table 1", "Table 2", "Table 3"]
    for figure in FIGURES:
        assert any(figure.row in line and f"{figure.flops:.2f}" in line and figure.network in line for line in lines)
    for name in ("nnUnet, 97.62", "U-Lite, 13.68", "Zig-RiR, 17.89", "Table 2, rows 1 to 3"):
        assert f"- {name}" in text


def test_the_papers_figures_are_those_printed() -> None:
    columns = [
        list(dict.fromkeys((figure.row, figure.flops) for figure in FIGURES if figure.table == table))
        for table in (1, 2, 3)
    ]
    assert [[flops for _, flops in column] for column in columns] == [
        [124.48, 97.62, 13.68, 6.63, 131.48, 17.89, 6.55],
        [5.82, 6.14, 6.14, 6.55],
        [0.49, 1.74, 6.55],
    ]


def test_the_released_network_without_its_memories_is_not_the_papers_first_ablation() -> None:
    class Through(nn.Module):
        def forward(self, x: Tensor, *_: int) -> Tensor:
            return x

    network = create_model("tmunet_released_b")
    assert isinstance(network, TMUNetReleased)
    for stage in (network.encoder4[1], network.encoder5[1], network.memory1, network.memory2):
        assert isinstance(stage, MemoryStage)
        assert isinstance(stage.block, ReleasedMSTMBlock)
        stage.block = Through()  # type: ignore[assignment]
    assert round(count_macs_thop(network) / 1e9, 2) == 4.83
