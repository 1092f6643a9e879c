"""The cost of a plan's networks: counted by shapes, timed once."""

from pathlib import Path
from typing import Any

import pytest

from tmunet.files import write_json
from tmunet.registry import create_model
from tmunet_lab.bench.macs import count_macs, count_parameters
from tmunet_lab.bench.thop import count_macs_by_hooks
from tmunet_lab.experiments import measure_costs
from tmunet_lab.experiments.costs import Cost
from tmunet_lab.experiments.measure_costs import candidate_of, count_costs, time_costs
from tmunet_lab.experiments.plan import PlannedNetwork

from .small_grids import small_plan

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
    costs, left_out = count_costs(PLAN)
    network = create_model("tmunet_t", model_args={"mstm": {"xlstm": False, "pooling": False, "dwconv": False}}).eval()
    expected = count_parameters(network), count_macs(network), count_macs_by_hooks(network)
    assert costs == {"bare": Cost(*expected, None, "")}
    assert "There is no setting 'nonsense'" in left_out["broken"]
    assert candidate_of(PLAN.networks["bare"]).label == BARE


def test_times_that_are_there_are_taken_and_others_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs = {"bare": Cost(1, 2, 3, None, "")}
    asked: list[list[str]] = []

    def bench(networks: list[str], device: str, folder: Path, seconds: float | None) -> str:
        asked.append(networks)
        bench_file(folder)
        return ""

    monkeypatch.setattr(measure_costs, "_bench", bench)
    timed = {"bare": Cost(1, 2, 3, 12.5, "Z80, 1 thread, float32", "bench/table1/bench.csv")}
    assert time_costs(PLAN, costs, "cpu", tmp_path, "table1", None) == (timed, "")
    assert time_costs(PLAN, costs, "cpu", tmp_path, "figure1", None) == (timed, "")
    assert asked == [[BARE]]
    for other in ({"network": "unet"}, {"device": "cuda"}, {"size": 256}):
        bench_file(tmp_path / "bench" / "table1", **other)
        assert time_costs(PLAN, costs, "cpu", tmp_path, "table1", None) == (timed, "")
    assert len(asked) == 4


def test_a_benchmark_of_other_networks_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench_file(tmp_path / "bench" / "table1", network="unet")
    before = (tmp_path / "bench" / "table1" / "bench.json").read_bytes()

    def bench(networks: list[str], device: str, folder: Path, seconds: float | None) -> str:
        bench_file(folder)
        return ""

    monkeypatch.setattr(measure_costs, "_bench", bench)
    found, _ = time_costs(PLAN, {"bare": Cost(1, 2, 3, None, "")}, "cpu", tmp_path, "table2", None)
    assert found["bare"].bench == "bench/table2/bench.csv"
    assert (tmp_path / "bench" / "table1" / "bench.json").read_bytes() == before


def test_a_benchmark_that_fails_or_has_no_time_leaves_the_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs = {"bare": Cost(1, 2, 3, None, "")}
    found, fault = time_costs(PLAN, costs, "cpu", tmp_path, "table1", 0.0)
    assert (found, fault) == (costs, "images per second were not measured: the time was up")
    failing = tmp_path / "failing"
    failing.write_text("#!/bin/sh\necho no such thing\nexit 3\n")
    failing.chmod(0o755)
    monkeypatch.setattr(measure_costs.sys, "executable", str(failing))
    found, fault = time_costs(PLAN, costs, "cpu", tmp_path, "table1", None)
    assert found == costs
    assert fault.endswith("tmunet bench failed:\n    no such thing")
