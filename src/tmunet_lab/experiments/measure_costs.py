"""The cost of a plan's networks: arithmetic by shapes alone, frames per second through `tmunet bench`."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tmunet.data.json_object import read_json_object
from tmunet.errors import TMUNetError
from tmunet_lab.bench.environment import machine
from tmunet_lab.bench.macs import count_macs, count_parameters
from tmunet_lab.bench.model_spec import ModelSpec, parse_model_spec
from tmunet_lab.bench.thop import hooked
from tmunet_lab.experiments.costs import Cost
from tmunet_lab.experiments.execute_run import last_lines
from tmunet_lab.experiments.nesting import dotted
from tmunet_lab.experiments.plan import Plan, PlannedNetwork

SIZE = 512  # pixels, as in the paper
FOLDER = "bench"
BENCH = "bench.json"


def candidate_of(network: PlannedNetwork) -> ModelSpec:
    """A network of a plan as `tmunet bench` writes it.

    >>> candidate_of(PlannedNetwork("tmunet_b", {"mstm": {"pooling": False}, "widths": [8, 8]})).label
    'tmunet_b:mstm.pooling=false,widths=[8, 8]'
    """
    options = [f"{key}={json.dumps(value)}" for key, value in dotted(network.model_args)]
    return parse_model_spec(f"{network.model}:{','.join(options)}" if options else network.model)


def count_costs(plan: Plan) -> tuple[dict[str, Cost], dict[str, str]]:
    """Parameters and arithmetic of each network of a plan, not timed.

    Returns:
        By label: the costs, and why some are not there.
    """
    costs: dict[str, Cost] = {}
    left_out: dict[str, str] = {}
    for label, planned in plan.networks.items():
        try:
            network = candidate_of(planned).create()
            with hooked(network) as by_hooks:  # one pass, seen both ways
                macs = count_macs(network, (SIZE, SIZE))
        except (TMUNetError, ValueError) as error:
            left_out[label] = str(error)
        else:
            costs[label] = Cost(count_parameters(network), macs, sum(by_hooks), None, "")
    return costs, left_out


def time_costs(
    plan: Plan, costs: Mapping[str, Cost], device: str, out: Path, target: str, seconds: float | None
) -> tuple[dict[str, Cost], str]:
    """Add images per second at batch 1, by `tmunet bench`, unless one in `out` has all the networks on the device.

    Args:
        plan: the plan.
        costs: of those networks of the plan that can be built.
        device: "cpu" or "cuda".
        out: folder of the pages; benchmarks lie in its folder `bench`, one for each target that needed one.
        target: the folder's name if a benchmark is needed now.
        seconds: that it may take; None waits.

    Returns:
        By label: the costs; and why there are no times, or nothing.
    """
    names = {label: candidate_of(plan.networks[label]).label for label in costs}
    timed = _find(out, set(names.values()), device)
    fault = ""
    if timed is None and names:
        fault = _bench(list(dict.fromkeys(names.values())), device, out / FOLDER / target, seconds)
        timed = _find(out, set(names.values()), device)
    speeds, measured_on, bench = timed or ({}, "", "")
    return {
        label: replace(cost, images_per_second=speeds.get(names[label]), machine=measured_on, bench=bench)
        for label, cost in costs.items()
    }, fault


def _bench(networks: list[str], device: str, folder: Path, seconds: float | None) -> str:
    """Measure in a process of its own; says what went wrong, or nothing."""
    flags = [f"--sizes={SIZE}", "--batches=1", "--memory=false", f"--device={device}", f"--out={folder}"]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "bench.log").open("wb") as log:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "tmunet", "bench", *networks, *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            return "images per second were not measured: the time was up"
    if done.returncode:
        return f"images per second were not measured: tmunet bench failed:\n{last_lines(folder / 'bench.log')}"
    return ""


def _find(out: Path, networks: set[str], device: str) -> tuple[dict[str, float | None], str, str] | None:
    """Images per second by network, the machine, and the table; None if other networks were measured, or elsewhere."""
    for file in sorted((out / FOLDER).glob(f"*/{BENCH}")):
        about = read_json_object(file)
        rows = [row for row in about["measurements"] if (row["size"], row["batch"], row["device"]) == (SIZE, 1, device)]
        found = {row["network"]: row["images_per_second"] for row in rows}
        if networks <= found.keys():
            return found, machine(about), file.with_suffix(".csv").relative_to(out).as_posix()
    return None
