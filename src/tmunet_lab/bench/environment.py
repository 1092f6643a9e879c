"""Environment of a benchmark: machine, versions, conditions."""

import datetime
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tmunet.versions import versions
from tmunet_lab.bench.workload import Conditions


def run_environment(conditions: Conditions, command: str) -> dict[str, Any]:
    """Collect command, date, machine, conditions and package versions as plain data."""
    return {
        "command": command,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "device": torch.cuda.get_device_name() if conditions.device == "cuda" else "cpu",
        "precision": conditions.precision,
        "threads": conditions.threads,
        "memory_limit_bytes": conditions.memory_limit,
        "seconds_limit": conditions.seconds,
        "versions": versions(),
    }


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Name the processor from /proc/cpuinfo, or its architecture where there is none."""
    if cpuinfo.is_file():
        for line in cpuinfo.read_text("utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def machine(about: Mapping[str, Any]) -> str:
    """Summarize in one line the machine of a `run_environment`.

    >>> machine({"device": "cpu", "processor": "Z80", "threads": 1, "precision": "float32"})
    'Z80, 1 thread, float32'
    """
    if about["device"] != "cpu":
        return f"{about['device']}, {about['precision']}"
    threads = f"{about['threads']} thread{'s' if about['threads'] > 1 else ''}"
    return f"{about['processor']}, {threads}, {about['precision']}"
