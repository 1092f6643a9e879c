"""Peak memory of a prediction or a training step, and a memory limit for this process."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from tmunet.errors import BackendError, UsageError
from tmunet_lab.bench.model_spec import parse_model_spec
from tmunet_lab.bench.workload import Conditions, export_path, inference, network_of

STATUS = Path("/proc/self/status")
REFERENCES = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Peak:
    """Peak memory of one prediction, in bytes: resident set of the process on the CPU, allocated memory on a GPU.

    Attributes:
        before: in use when the network is loaded, before the prediction.
        highest: the peak during the prediction.
        seconds: of this first prediction.
    """

    before: int
    highest: int
    seconds: float


@dataclass(frozen=True)
class LimitExceeded:
    """A prediction that exceeded a limit, or that its backend could not run.

    Attributes:
        kind: "memory" or "time" limit, "killed" by the system, no such "backend", or a "size" that the network does not take.
        reason: for example "needs more memory than 4 GB".
    """

    kind: Literal["memory", "time", "killed", "backend", "size"]
    reason: str


MemoryProbe = Callable[[str, int, int, Conditions], Peak | LimitExceeded]
"""Measures the peak memory of one call: label of the network, size, batch, conditions."""


def measure_peak(label: str, size: int, batch: int, conditions: Conditions) -> Peak | LimitExceeded:
    """Measure the peak memory of one batch; call it once, first thing in a fresh process.

    On the CPU this is the highest resident set of the process (VmHWM of Linux). It includes the interpreter and torch (about
    0.3 GB), weights, image, live feature maps, and the cache of the allocator. On CUDA it is the peak of allocated tensors.

    Raises:
        UsageError: the system does not report the resident set (only Linux does).
    """
    try:
        with memory_limit(conditions.memory_limit if conditions.device == "cpu" else None):
            spec = parse_model_spec(label)
            file = export_path(spec, size, conditions)
            predict = inference(network_of(spec, conditions), size, batch, conditions, spec.backend, file)
            _reset_peak(conditions.device)
            before = _bytes("VmRSS", conditions.device)
            start = time.perf_counter()
            predict()
            conditions.synchronize()
            seconds = time.perf_counter() - start
            highest = max(before, _bytes("VmHWM", conditions.device))  # the kernel's two counters differ by some pages
            return Peak(before, highest, seconds)
    except BackendError as error:
        return LimitExceeded("backend", str(error))
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        limit = "the GPU has" if conditions.device == "cuda" else f"{conditions.memory_limit / 1e9:g} GB"
        return LimitExceeded("memory", f"needs more memory than {limit}")


def _reset_peak(device: str) -> None:
    """Start the peak here: building a network can take more than its prediction."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    elif REFERENCES.exists():
        REFERENCES.write_text("5", encoding="ascii")


def _bytes(field: str, device: str) -> int:
    if device == "cuda":
        return torch.cuda.memory_allocated() if field == "VmRSS" else torch.cuda.max_memory_allocated()
    if not STATUS.is_file():
        raise UsageError(
            "Peak memory on the CPU is read from /proc, which only Linux has; leave it out with --memory=false."
        )
    with STATUS.open(encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


@contextmanager
def memory_limit(limit: int | None) -> Iterator[None]:
    """Limit the memory of this process, in bytes, so that allocations beyond it fail (Linux only); None sets no limit."""
    if limit is None or sys.platform != "linux":
        yield
        return
    import resource

    former = resource.getrlimit(resource.RLIMIT_DATA)
    hard = former[1]
    allowed = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, former)


def is_out_of_memory(error: BaseException) -> bool:
    """Detect out-of-memory errors of torch; on the CPU they have no class."""
    signs = ("can't allocate memory", "bad_alloc", "out of memory", "could not create a primitive")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(sign in str(error) for sign in signs)
