"""Cost of the networks of a plan: parameters and MACs by tracing shapes, images per second by `tmunet bench`."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tmunet.config import flatten
from tmunet.data.json_object import read_json_object
from tmunet.errors import TMUNetError
from tmunet.macs import count_macs, count_parameters
from tmunet_lab.bench.environment import machine
from tmunet_lab.bench.model_spec import ModelSpec, parse_model_spec
from tmunet_lab.bench.thop import hooked
from tmunet_lab.experiments.child import run_in_child
from tmunet_lab.experiments.plan import ExperimentPlan, PlannedNetwork
from tmunet_lab.experiments.processes import ProcessGroup

SIZE = 512  # pixels, as in the paper
FOLDER = "bench"
BENCH = "bench.json"


@dataclass(frozen=True)
class NetworkCost:
    """Cost of a network for one 3 x 512 x 512 image.

    Attributes:
        parameters: number of learnable parameters.
        macs: multiply-accumulates of all operations.
        macs_thop: as the paper's tool counts, by hooks on modules.
        images_per_second: at batch size 1; None if not timed.
        machine: that timed it.
        bench: table of the benchmark, relative to the folder of the pages; "" if there is none.
    """

    parameters: int
    macs: int
    macs_thop: int
    images_per_second: float | None
    machine: str
    bench: str = ""


def model_spec_of(network: PlannedNetwork) -> ModelSpec:
    """Write a network of a plan as `tmunet bench` does.

    >>> model_spec_of(PlannedNetwork("tmunet_b", {"mstm": {"pooling": False}, "widths": [8, 8]})).label
    'tmunet_b:mstm.pooling=false,widths=[8, 8]'
    """
    model_args = [f"{key}={json.dumps(value)}" for key, value in flatten(network.model_args)]
    return parse_model_spec(f"{network.model}:{','.join(model_args)}" if model_args else network.model)


def count_costs(plan: ExperimentPlan) -> tuple[dict[str, NetworkCost], dict[str, str]]:
    """Count parameters and MACs of each network of a plan.

    Returns:
        By label: the costs without times; and the reasons for networks without one.
    """
    costs: dict[str, NetworkCost] = {}
    reasons: dict[str, str] = {}
    for label, planned in plan.networks.items():
        try:
            network = model_spec_of(planned).create()
            with hooked(network) as macs_thop:  # one forward pass for both counts
                macs = count_macs(network, (SIZE, SIZE))
        except (TMUNetError, ValueError) as error:
            reasons[label] = str(error)
        else:
            costs[label] = NetworkCost(count_parameters(network), macs, sum(macs_thop), None, "")
    return costs, reasons


def time_costs(
    plan: ExperimentPlan, costs: Mapping[str, NetworkCost], device: str, out: Path, target: str, seconds: float | None
) -> tuple[dict[str, NetworkCost], str]:
    """Add images per second at batch size 1, by `tmunet bench` unless a benchmark in `out` covers all networks on the device.

    Args:
        plan: the plan.
        costs: of the networks of the plan that can be built.
        device: "cpu" or "cuda".
        out: folder of the pages; benchmarks are in its folder `bench`, one for each target that needed one.
        target: folder name of a new benchmark.
        seconds: time limit of a new benchmark; None for no limit.

    Returns:
        By label: the costs; and why there are no times, or "".
    """
    names = {label: model_spec_of(plan.networks[label]).label for label in costs}
    timed = _find_benchmark(out, set(names.values()), device)
    fault = ""
    if timed is None and names:
        fault = _benchmark(list(dict.fromkeys(names.values())), device, out / FOLDER / target, seconds)
        timed = _find_benchmark(out, set(names.values()), device)
    speeds, measured_on, bench = timed or ({}, "", "")
    return {
        label: replace(cost, images_per_second=speeds.get(names[label]), machine=measured_on, bench=bench)
        for label, cost in costs.items()
    }, fault


def _benchmark(networks: list[str], device: str, folder: Path, seconds: float | None) -> str:
    """Run `tmunet bench`; returns what went wrong, or ""."""
    flags = [f"--sizes={SIZE}", "--batches=1", "--memory=false", f"--device={device}", f"--out={folder}"]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "bench.log").open("wb") as log:
        words = ["bench", *networks, *flags]
        try:
            ended = run_in_child(words, os.environ, ProcessGroup(), log, folder / "child.json", seconds)
        except subprocess.TimeoutExpired:
            return "images per second were not measured: the time was up"
    (folder / "child.json").unlink(missing_ok=True)
    if ended.exit_code:
        reason = ended.message or ended.error
        return f"images per second were not measured: tmunet bench: {reason} See {folder / 'bench.log'}"
    return ""


def _find_benchmark(out: Path, networks: set[str], device: str) -> tuple[dict[str, float | None], str, str] | None:
    """Images per second by network, the machine, and the table; None if no benchmark covers these networks on the device."""
    for file in sorted((out / FOLDER).glob(f"*/{BENCH}")):
        about = read_json_object(file)
        rows = [row for row in about["measurements"] if (row["size"], row["batch"], row["device"]) == (SIZE, 1, device)]
        speeds = {row["network"]: row["images_per_second"] for row in rows}
        if networks <= speeds.keys():
            return speeds, machine(about), file.with_suffix(".csv").relative_to(out).as_posix()
    return None
