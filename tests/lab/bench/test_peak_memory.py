"""Memory of a process of its own, and limits that hold."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tmunet.errors import TMUNetError, UsageError
from tmunet_lab.bench import peak_memory as memory
from tmunet_lab.bench.peak_memory import LimitExceeded, Peak, is_out_of_memory, measure_peak, memory_limit
from tmunet_lab.bench.subprocess_probe import measure_in_subprocess
from tmunet_lab.bench.workload import Conditions, inference

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_a_process_of_its_own_holds_at_least_the_weights_and_the_maps() -> None:
    peak = measure_in_subprocess("unet", 128, 1, Conditions())
    assert isinstance(peak, Peak)
    maps = 4 * 64 * 128 * 128  # one map of the finest resolution
    assert peak.before > 4 * 13_395_329  # the weights, besides Python and torch
    assert peak.highest > peak.before + 2 * maps
    assert peak.seconds > 0


@pytest.mark.slow
def test_what_building_a_network_takes_is_not_the_peak_of_its_prediction() -> None:
    peak = measure_in_subprocess("rolling_unet_l", 32, 1, Conditions())
    assert isinstance(peak, Peak)
    assert peak.highest - peak.before < 60e6  # with the building: 107 MB


def test_a_failure_of_another_kind_is_an_error() -> None:
    with pytest.raises(TMUNetError, match="ValueError"):
        measure_in_subprocess("tmunet_t", 16, 1, Conditions())


def test_a_process_that_never_ends_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tmunet_lab.bench.subprocess_probe.START", 0.05)
    found = measure_in_subprocess("tmunet_t", 64, 1, Conditions(seconds=0.05))
    assert isinstance(found, LimitExceeded)
    assert found.kind == "time"


def test_a_process_killed_by_the_system_needs_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], capture_output=True, text=True
    )
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: killed)
    found = measure_in_subprocess("tmunet_t", 64, 1, Conditions())
    assert isinstance(found, LimitExceeded)
    assert found.kind == "killed"


def test_the_limit_holds_and_ends() -> None:
    gigabyte = 1_000_000_000
    with memory_limit(300_000_000), pytest.raises((RuntimeError, MemoryError)) as error:
        torch.empty(gigabyte, dtype=torch.uint8)
    assert is_out_of_memory(error.value)
    assert torch.empty(gigabyte, dtype=torch.uint8).numel() == gigabyte
    with memory_limit(None):
        assert torch.empty(gigabyte, dtype=torch.uint8).numel() == gigabyte


@pytest.mark.slow  # `tmunet bench --growth` meets the same limit in tests/cli
def test_a_network_beyond_the_memory_limit_is_an_answer_of_the_subprocess() -> None:
    found = measure_in_subprocess("tmunet_t", 64, 1, Conditions(memory_limit=20_000_000))
    assert isinstance(found, LimitExceeded)
    assert found.kind == "memory"


def test_only_memory_is_out_of_memory() -> None:
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not is_out_of_memory(RuntimeError("Given groups=1, expected input to have 3 channels"))


def test_peak_of_this_process_and_of_a_system_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = torch.get_num_threads()
    conditions = Conditions(memory_limit=10**12, threads=threads)
    peak = measure_peak("tmunet_t", 32, 1, conditions)
    assert isinstance(peak, Peak)
    assert peak.highest >= peak.before > 10_000_000
    monkeypatch.setattr(memory, "STATUS", Path("nowhere"))
    with pytest.raises(UsageError):
        measure_peak("tmunet_t", 32, 1, conditions)


def test_the_call_that_is_timed_meets_its_conditions() -> None:
    threads = torch.get_num_threads()
    seen: list[tuple[torch.dtype, bool, int]] = []
    network = nn.Conv2d(3, 1, 1).eval()

    def look(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen.append((output.dtype, output.is_inference(), torch.get_num_threads()))

    network.register_forward_hook(look)
    try:
        logits = inference(network, 32, 3, Conditions(threads=2, precision="bfloat16"))()
        again = inference(network, 32, 3, Conditions(threads=1))
        assert torch.equal(again(), again())
    finally:
        torch.set_num_threads(threads)
    assert logits.shape == (3, 1, 32, 32)
    assert seen == [(torch.bfloat16, True, 2), (torch.float32, True, 1), (torch.float32, True, 1)]


@pytest.mark.parametrize("wrong", [{"threads": 0}, {"memory_limit": 0}, {"seconds": 0.0}])
def test_conditions_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Conditions(**wrong)
