"""The cost of a plan's networks: counted by shapes, timed once."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tmunet.files import write_json
from tmunet.macs import count_macs, count_parameters
from tmunet.registry import create_model
from tmunet_lab.bench.thop import count_macs_thop
from tmunet_lab.experiments import costs as cost_module
from tmunet_lab.experiments.costs import NetworkCost, count_costs, model_spec_of, time_costs
from tmunet_lab.experiments.plan import PlannedNetwork

from .small_plans import small_plan

PLAN = small_plan(
    networks={
        "bare": PlannedNetwork("tmunet_t", {"mstm": {"xlstm": False, "pooling": False, "dwconv": False}}),
        "broken": PlannedNetwork("tmunet_t", {"nonsense": 1}),
    }
)
BARE = "tmunet_t:mstm.xlstm=false,mstm.pooling=false,mstm.dwconv=false"


def bench_file(folder: Path, **changes: Any) -> None:
    row = {"network": BARE, "size": 512, "batch": 1, "device": "cpu", "images_per_second": 12.5, **changes}
    about = {"device": "cpu", "processor": "Z80", "threads": 1, "precision": "float32"}
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "bench.json", {**about, "measurements": [row]})


def test_networks_are_counted_with_their_options_and_broken_ones_are_told() -> None:
    costs, reasons = count_costs(PLAN)
    network = create_model("tmunet_t", mstm={"xlstm": False, "pooling": False, "dwconv": False}).eval()
    expected = count_parameters(network), count_macs(network), count_macs_thop(network)
    assert costs == {"bare": NetworkCost(*expected, None, "")}
    assert list(reasons) == ["broken"]
    assert "'nonsense'" in reasons["broken"]
    assert model_spec_of(PLAN.networks["bare"]).label == BARE


def test_times_that_are_there_are_taken_and_others_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs = {"bare": NetworkCost(1, 2, 3, None, "")}
    benchmarked: list[list[str]] = []

    def bench(networks: list[str], device: str, folder: Path, seconds: float | None) -> str:
        benchmarked.append(networks)
        bench_file(folder)
        return ""

    monkeypatch.setattr(cost_module, "_benchmark", bench)
    timed = {"bare": NetworkCost(1, 2, 3, 12.5, "Z80, 1 thread, float32", "bench/table1/bench.csv")}
    assert time_costs(PLAN, costs, "cpu", tmp_path, "table1", None) == (timed, "")
    assert time_costs(PLAN, costs, "cpu", tmp_path, "figure1", None) == (timed, "")
    assert benchmarked == [[BARE]]
    for other in ({"network": "unet"}, {"device": "cuda"}, {"size": 256}):
        bench_file(tmp_path / "bench" / "table1", **other)
        assert time_costs(PLAN, costs, "cpu", tmp_path, "table1", None) == (timed, "")
    assert len(benchmarked) == 4


def test_a_benchmark_of_other_networks_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench_file(tmp_path / "bench" / "table1", network="unet")
    before = (tmp_path / "bench" / "table1" / "bench.json").read_bytes()

    def bench(networks: list[str], device: str, folder: Path, seconds: float | None) -> str:
        bench_file(folder)
        return ""

    monkeypatch.setattr(cost_module, "_benchmark", bench)
    found, _ = time_costs(PLAN, {"bare": NetworkCost(1, 2, 3, None, "")}, "cpu", tmp_path, "table2", None)
    assert found["bare"].bench == "bench/table2/bench.csv"
    assert (tmp_path / "bench" / "table1" / "bench.json").read_bytes() == before


def test_a_benchmark_that_fails_or_has_no_time_leaves_the_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs = {"bare": NetworkCost(1, 2, 3, None, "")}
    found, fault = time_costs(PLAN, costs, "cpu", tmp_path, "table1", 0.0)
    assert found == costs
    assert fault
    failing = tmp_path / "failing"
    failing.write_text("#!/bin/sh\nexit 3\n")
    failing.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(failing))
    found, fault = time_costs(PLAN, costs, "cpu", tmp_path, "table1", None)
    assert found == costs
    assert "exit code 3" in fault
