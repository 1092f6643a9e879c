"""Memory that a prediction or a training step needs, and the limit that keeps one too large from taking the machine down."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from tmunet.errors import BackendError, UsageError
from tmunet_lab.bench.model_spec import parse_model_spec
from tmunet_lab.bench.workload import Conditions, exported, inference, network_of

STATUS = Path("/proc/self/status")
REFERENCES = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Peak:
    """The memory of one prediction, in bytes; on the CPU of the process, on a GPU of its memory.

    Attributes:
        before: in use when the network is loaded and nothing is predicted yet.
        highest: in use at the worst moment of the prediction.
        seconds: how long the first prediction took.
    """

    before: int
    highest: int
    seconds: float


@dataclass(frozen=True)
class LimitExceeded:
    """A prediction that did not fit a limit, or that its backend could not make.

    Attributes:
        reason: for example "needs more memory than 4 GB".
    """

    reason: str


Alone = Callable[[str, int, int, Conditions], Peak | LimitExceeded]
"""Predicts in a process of its own: label of the network, size, batch, conditions."""


def measure_peak(label: str, size: int, batch: int, conditions: Conditions) -> Peak | LimitExceeded:
    """Predict one batch, and read how much memory this took; call it once, first thing in a fresh process.

    On the CPU this is the highest resident set of the process (VmHWM of Linux). It includes the interpreter and torch (about
    0.3 GB), the weights, the image, every feature map that is alive at once, and what the allocator keeps for later. On CUDA it
    is the largest sum of tensors on the device: weights, image and feature maps.

    Raises:
        UsageError: the system does not tell the resident set.
    """
    try:
        with memory_limit(conditions.memory_limit if conditions.device == "cpu" else None):
            candidate = parse_model_spec(label)
            file = exported(candidate, size, conditions)
            predict = inference(network_of(candidate, conditions), size, batch, conditions, candidate.backend, file)
            _forget_peak(conditions.device)
            before = _bytes("VmRSS", conditions.device)
            start = time.perf_counter()
            predict()
            conditions.synchronize()
            seconds = time.perf_counter() - start
            return Peak(before, _bytes("VmHWM", conditions.device), seconds)
    except BackendError as error:
        return LimitExceeded(str(error))
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        limit = "the GPU has" if conditions.device == "cuda" else f"{conditions.memory_limit / 1e9:g} GB"
        return LimitExceeded(f"needs more memory than {limit}")


def _forget_peak(device: str) -> None:
    """Let the peak begin here: building a network can take more than its prediction."""
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
    """Let allocations of this process fail beyond a limit, in bytes, where the system can (Linux); None sets no limit."""
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
    """Say whether an error of torch means that memory was not to be had; on the CPU it has no class of its own."""
    signs = ("can't allocate memory", "bad_alloc", "out of memory", "could not create a primitive")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(sign in str(error) for sign in signs)
