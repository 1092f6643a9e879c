"""Assign CUDA devices and CPU threads to parallel workers."""

import os
from collections.abc import Sequence


def worker_environments(cuda: Sequence[str], workers: int | None, devices: int, cores: int) -> list[dict[str, str]]:
    """Environment variables of each worker.

    Args:
        cuda: names of the CUDA devices, as in CUDA_VISIBLE_DEVICES; empty on the CPU.
        workers: how many; by default one for each CUDA device, or 1 on the CPU.
        devices: devices of each run.
        cores: CPU cores to share.

    >>> worker_environments(["0", "1", "2", "3"], None, 2, 16)
    [{'OMP_NUM_THREADS': '8', 'CUDA_VISIBLE_DEVICES': '0,1'}, {'OMP_NUM_THREADS': '8', 'CUDA_VISIBLE_DEVICES': '2,3'}]
    >>> worker_environments([], 2, 1, 8)
    [{'OMP_NUM_THREADS': '4'}, {'OMP_NUM_THREADS': '4'}]
    """
    groups = [cuda[first : first + devices] for first in range(0, len(cuda) - devices + 1, devices)] or [cuda]
    count = workers or len(groups)
    processes = count * (1 if cuda else devices)
    threads = {"OMP_NUM_THREADS": str(max(1, cores // processes))}
    return [
        {**threads, **({"CUDA_VISIBLE_DEVICES": ",".join(groups[worker % len(groups)])} if cuda else {})}
        for worker in range(count)
    ]


def cuda_devices(device: str) -> list[str]:
    """Names of the CUDA devices for runs on "auto" or "cuda"; empty for other devices."""
    if device not in ("auto", "cuda"):
        return []
    import torch

    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return named[: torch.cuda.device_count()] or [str(index) for index in range(torch.cuda.device_count())]


def cpu_cores() -> int:
    """Number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
