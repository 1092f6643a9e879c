"""The cost of networks, measured side by side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from tmunet.errors import BackendError
from tmunet.model import serialize
from tmunet.nn.input_size import input_size_of
from tmunet.prediction.backends.names import TORCH
from tmunet.text import pluralize
from tmunet_lab.bench.activation_memory import activation_memory
from tmunet_lab.bench.macs import count_macs, count_parameters
from tmunet_lab.bench.model_spec import ModelSpec
from tmunet_lab.bench.peak_memory import Alone, LimitExceeded
from tmunet_lab.bench.thop import hooked
from tmunet_lab.bench.timing import Spread, ratio, time_interleaved
from tmunet_lab.bench.utilization import PRODUCT, matrix_product, utilization
from tmunet_lab.bench.workload import Conditions, export, exported, inference, network_of

OFF = 1e-3  # of the largest logit: far above rounding in float32

Call = Callable[[], Tensor]

Watch = Callable[[str], object]
"""Told what is done next."""


@dataclass(frozen=True)
class Measurement:
    """One network at one size and batch. Quantities that were not measured are None, and `note` says why.

    Attributes:
        network: its label.
        size: side of the square images, in pixels.
        batch: images in a call.
        backend: what ran the network.
        device: where.
        precision: arithmetic.
        work: what a call does.
        parameters: learnable values.
        weights_bytes: of the safetensors file.
        macs: multiply-accumulates of one image, counted in full.
        macs_thop: as the papers' tool counts.
        activation_bytes: what a training step keeps for its backward pass.
        difference: the largest of a logit from PyTorch's in float32 on the same noise, relative to the largest logit.
        peak_bytes: highest memory of a call; see `measure_peak` for what it includes.
        seconds: of a call.
        times_reference: seconds over those of the reference, by rounds.
        utilization: multiply-accumulates a second of a prediction over those of a large matrix product, by rounds; what an
            backend computes beyond `macs` does not count.
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
    seconds: Spread | None = None
    times_reference: Spread | None = None
    utilization: float | None = None
    note: str = ""

    @property
    def images_per_second(self) -> float | None:
        """Images of a call over its median time."""
        return None if self.seconds is None else self.batch / self.seconds.median


@dataclass(frozen=True)
class Plan:
    """What to measure.

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
    candidates: Sequence[ModelSpec],
    plan: Plan,
    conditions: Conditions,
    alone: Alone | None,
    watch: Watch = lambda _: None,
) -> list[Measurement]:
    """Measure networks at every size and batch; at each they take turns.

    Args:
        candidates: the networks.
        plan: sizes, batches, rounds.
        conditions: device, precision, threads, limits.
        alone: predicts in a process of its own for the peak memory, and finds what does not fit; None leaves both out.
        watch: told what is done next.

    Returns:
        One measurement for each network, size and batch, in the order network within batch within size.
    """
    networks = {candidate.label: network_of(candidate, conditions) for candidate in candidates}
    found: list[Measurement] = []
    for size in plan.sizes:
        watch(f"{size} px: arithmetic of {pluralize(len(networks), 'network')}")
        costs = [_count(candidate, networks[candidate.label], size, conditions) for candidate in candidates]
        for batch in plan.batches:
            calls: dict[str, Call] = {}
            rows = []
            for candidate, unbatched in zip(candidates, costs, strict=True):
                network = networks[candidate.label]
                row = _weigh(candidate, network, replace(unbatched, batch=batch), conditions, alone, watch)
                try:
                    if not row.note:
                        row, calls[row.network] = _start(candidate, network, row, conditions)
                except BackendError as error:
                    row = replace(row, note=f"not run: {error}")
                except torch.OutOfMemoryError:  # of a GPU: the CPU has the limit of a process of its own
                    row = replace(row, note="not run: needs more memory than the GPU has")
                rows.append(row)
            found += _time(calls, rows, plan, conditions, watch)
    return found


def _count(candidate: ModelSpec, network: nn.Module, size: int, conditions: Conditions) -> Measurement:
    """What needs no clock; without a count where the network does not take the size."""
    row = Measurement(
        network=candidate.label,
        size=size,
        batch=1,
        backend=candidate.backend,
        device=conditions.device,
        precision=conditions.precision,
        work="Training step" if conditions.training else "Prediction",
        parameters=count_parameters(network),
        weights_bytes=len(serialize(network)),
    )
    sizes = input_size_of(network)
    if not sizes.admits(size, size):
        return replace(row, note=f"not run: takes {sizes}")
    with hooked(network) as by_hooks:  # one pass, seen both ways
        macs = count_macs(network, (size, size))
    return replace(row, macs=macs, macs_thop=sum(by_hooks))


def _weigh(
    candidate: ModelSpec,
    network: nn.Module,
    row: Measurement,
    conditions: Conditions,
    alone: Alone | None,
    watch: Watch,
) -> Measurement:
    """The memory of one network at one size and batch, or a note that it does not fit or that its backend does not take it."""
    if row.note:
        return row
    if alone:
        watch(f"{row.size} px, batch {row.batch}: memory of {row.network}")
    lower = conditions.precision == "bfloat16"
    row = replace(row, activation_bytes=activation_memory(network, (row.size, row.size), row.batch, bfloat16=lower))
    try:
        export(candidate, network, row.size, conditions)
    except BackendError as error:
        return replace(row, note=f"not run: {error}")
    peak = alone(row.network, row.size, row.batch, conditions) if alone else None
    if isinstance(peak, LimitExceeded):
        return replace(row, note=f"not run: {peak.reason}")
    return replace(row, peak_bytes=peak.highest) if peak else row


def _start(
    candidate: ModelSpec, network: nn.Module, row: Measurement, conditions: Conditions
) -> tuple[Measurement, Call]:
    """The call that is timed, and how far its logits are from PyTorch's in float32; an BackendError if that is too far."""
    size, batch, full = row.size, row.batch, replace(conditions, precision="float32")
    call = inference(network, size, batch, conditions, candidate.backend, exported(candidate, size, conditions))
    if conditions.training or (candidate.backend, conditions) == (TORCH, full):
        return row, call
    expected, found = inference(network, size, batch, full)(), call().float()
    difference = float((found - expected).abs().max() / expected.abs().max())
    if conditions.precision == "float32" and not difference <= OFF:  # nor is NaN
        raise BackendError(f"does not compute what PyTorch computes: a logit is off by {difference:.0e} of the largest")
    return replace(row, difference=difference), call


def _time(
    calls: Mapping[str, Call], rows: Sequence[Measurement], plan: Plan, conditions: Conditions, watch: Watch
) -> list[Measurement]:
    """The time of all networks that fit at one size and batch, in turns."""
    watch(f"{rows[0].size} px, batch {rows[0].batch}: time of {pluralize(len(calls), 'network')}, in turns")
    product = {} if conditions.training or not calls else {PRODUCT: matrix_product(conditions)}
    times = time_interleaved(
        {**calls, **product}, plan.rounds, plan.warm_up, conditions.seconds, conditions.synchronize
    )
    return [_timed(row, times, plan) for row in rows]


def _timed(row: Measurement, times: Mapping[str, Sequence[float]], plan: Plan) -> Measurement:
    if row.network not in times:
        return row
    own, reference = times[row.network], times.get(plan.reference)
    fewer = f"{len(own)} of {plan.rounds} rounds: its time was up" if len(own) < plan.rounds else ""
    product = times.get(PRODUCT)
    return replace(
        row,
        seconds=Spread.of(own),
        times_reference=ratio(own, reference) if reference else None,
        utilization=utilization(row.macs * row.batch, own, product, row.device) if product and row.macs else None,
        note=fewer,
    )
