"""Measure parameters, MACs, memory and latency of networks, interleaved in one run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from tmunet.errors import BackendError
from tmunet.macs import count_macs, count_parameters
from tmunet.model import serialize
from tmunet.nn.input_size import input_size_of
from tmunet.prediction.backends.names import TORCH
from tmunet.text import pluralize
from tmunet_lab.bench.activation_memory import activation_memory
from tmunet_lab.bench.model_spec import ModelSpec
from tmunet_lab.bench.peak_memory import LimitExceeded, MemoryProbe
from tmunet_lab.bench.subprocess_probe import measure_in_subprocess
from tmunet_lab.bench.thop import hooked
from tmunet_lab.bench.timing import Quartiles, ratio, time_interleaved
from tmunet_lab.bench.utilization import PRODUCT, compute_utilization, matrix_product
from tmunet_lab.bench.workload import Conditions, export, export_path, inference, network_of

TOLERANCE = 1e-3  # of the largest logit: far above rounding in float32

Call = Callable[[], Tensor]
Progress = Callable[[str], object]
"""Takes a line before each step."""


@dataclass(frozen=True)
class Measurement:
    """One network at one size and batch. Quantities that were not measured are None, and `note` says why.

    Attributes:
        network: its label.
        size: side of the square images, in pixels.
        batch: images in a call.
        backend: what ran the network.
        device: where.
        precision: of the network.
        work: what a call does.
        parameters: learnable values.
        weights_bytes: of the safetensors file.
        macs: MACs of one image.
        macs_thop: MACs of one image as thop counts them.
        activation_bytes: activation memory of a training step.
        difference: the largest of a logit from PyTorch's in float32 on the same noise, relative to the largest logit.
        peak_bytes: peak memory of a call; see `measure_peak` for what it includes.
        seconds: of a call.
        times_reference: relative latency: seconds over those of the reference, by rounds.
        utilization: MFU of a prediction; operations beyond `macs` do not count.
        note: why it was not run, or ran fewer rounds; or nothing.
    """

    network: str
    size: int
    batch: int
    backend: str
    device: str
    precision: str
    work: Literal["Prediction", "Training step"]
    parameters: int
    weights_bytes: int
    macs: int | None = None
    macs_thop: int | None = None
    activation_bytes: int | None = None
    difference: float | None = None
    peak_bytes: int | None = None
    seconds: Quartiles | None = None
    times_reference: Quartiles | None = None
    utilization: float | None = None
    note: str = ""

    @property
    def images_per_second(self) -> float | None:
        """Throughput: images of a call over its median time."""
        return None if self.seconds is None else self.batch / self.seconds.median


@dataclass(frozen=True)
class MeasurePlan:
    """Sizes, batches and rounds of a benchmark.

    Attributes:
        sizes: sides of square images, in pixels.
        batches: images in a call.
        rounds: timed calls of each network.
        warm_up: calls in each turn before the timed one.
        reference: label of the network that times are divided by.
    """

    sizes: Sequence[int]
    batches: Sequence[int]
    rounds: int
    warm_up: int
    reference: str


def measure(
    specs: Sequence[ModelSpec],
    plan: MeasurePlan,
    conditions: Conditions,
    probe: MemoryProbe | None = measure_in_subprocess,
    progress: Progress = lambda _: None,
) -> list[Measurement]:
    """Measure networks at every size and batch; at each they take turns.

    Args:
        specs: the networks.
        plan: sizes, batches, rounds.
        conditions: device, precision, threads, limits.
        probe: measures the peak memory and finds what exceeds the limit; None leaves both out.
        progress: takes a line before each step.

    Returns:
        One measurement for each network, size and batch, in the order network within batch within size.
    """
    networks = {spec.label: network_of(spec, conditions) for spec in specs}
    found: list[Measurement] = []
    for size in plan.sizes:
        progress(f"{size} px: MACs of {pluralize(len(networks), 'network')}")
        costs = [_count(spec, networks[spec.label], size, conditions) for spec in specs]
        for batch in plan.batches:
            calls: dict[str, Call] = {}
            rows = []
            for spec, cost in zip(specs, costs, strict=True):
                network = networks[spec.label]
                row = replace(cost, batch=batch)
                try:
                    if not row.note:
                        row = _measure_memory(spec, network, row, conditions, probe, progress)
                    if not row.note:
                        row, calls[row.network] = _start(spec, network, row, conditions)
                except BackendError as error:
                    row = replace(row, note=f"not run: {error}")
                except torch.OutOfMemoryError:  # of a GPU: the CPU has the limit of the subprocess
                    row = replace(row, note="not run: needs more memory than the GPU has")
                rows.append(row)
            found += _time(calls, rows, plan, conditions, progress)
    return found


def _count(spec: ModelSpec, network: nn.Module, size: int, conditions: Conditions) -> Measurement:
    """Count parameters and MACs; no MACs where the network does not take the size."""
    row = Measurement(
        network=spec.label,
        size=size,
        batch=1,
        backend=spec.backend,
        device=conditions.device,
        precision=conditions.precision,
        work="Training step" if conditions.training else "Prediction",
        parameters=count_parameters(network),
        weights_bytes=len(serialize(network)),
    )
    sizes = input_size_of(network)
    if not sizes.admits(size, size):
        return replace(row, note=f"not run: takes {sizes}")
    with hooked(network) as thop:  # one forward pass for both counts
        macs = count_macs(network, (size, size))
    return replace(row, macs=macs, macs_thop=sum(thop))


def _measure_memory(
    spec: ModelSpec,
    network: nn.Module,
    row: Measurement,
    conditions: Conditions,
    probe: MemoryProbe | None,
    progress: Progress,
) -> Measurement:
    """Measure activation and peak memory; with a note if a limit is exceeded or the network cannot be exported."""
    lower = conditions.precision == "bfloat16"
    row = replace(row, activation_bytes=activation_memory(network, (row.size, row.size), row.batch, bfloat16=lower))
    try:
        export(spec, network, row.size, conditions)
    except BackendError as error:
        return replace(row, note=f"not run: {error}")
    if probe is None:
        return row
    progress(f"{row.size} px, batch {row.batch}: memory of {row.network}")
    peak = probe(row.network, row.size, row.batch, conditions)
    if isinstance(peak, LimitExceeded):
        return replace(row, note=f"not run: {peak.reason}")
    return replace(row, peak_bytes=peak.highest)


def _start(spec: ModelSpec, network: nn.Module, row: Measurement, conditions: Conditions) -> tuple[Measurement, Call]:
    """Build the timed call, and compare its logits with PyTorch's in float32; BackendError if they differ too much."""
    size, batch, full = row.size, row.batch, replace(conditions, precision="float32")
    call = inference(network, size, batch, conditions, spec.backend, export_path(spec, size, conditions))
    if conditions.training or (spec.backend, conditions) == (TORCH, full):
        return row, call
    expected, found = inference(network, size, batch, full)(), call().float()
    difference = float((found - expected).abs().max() / expected.abs().max())
    if conditions.precision == "float32" and not difference <= TOLERANCE:  # nor is NaN
        raise BackendError(f"does not compute what PyTorch computes: a logit is off by {difference:.0e} of the largest")
    return replace(row, difference=difference), call


def _time(
    calls: Mapping[str, Call],
    rows: Sequence[Measurement],
    plan: MeasurePlan,
    conditions: Conditions,
    progress: Progress,
) -> list[Measurement]:
    """Time all networks that fit at one size and batch, interleaved."""
    progress(f"{rows[0].size} px, batch {rows[0].batch}: time of {pluralize(len(calls), 'network')}, interleaved")
    product = {} if conditions.training or not calls else {PRODUCT: matrix_product(conditions)}
    times = time_interleaved(
        {**calls, **product}, plan.rounds, plan.warm_up, conditions.seconds, conditions.synchronize
    )
    return [_timed(row, times, plan) for row in rows]


def _timed(row: Measurement, times: Mapping[str, Sequence[float]], plan: MeasurePlan) -> Measurement:
    if row.network not in times:
        return row
    own, reference = times[row.network], times.get(plan.reference)
    fewer = f"{len(own)} of {plan.rounds} rounds: its time was up" if len(own) < plan.rounds else ""
    product = times.get(PRODUCT)
    return replace(
        row,
        seconds=Quartiles.of(own),
        times_reference=ratio(own, reference) if reference else None,
        utilization=compute_utilization(row.macs * row.batch, own, product, row.device)
        if product and row.macs
        else None,
        note=fewer,
    )
