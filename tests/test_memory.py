"""The allocator's setting, in processes of their own: it is one of the whole process."""

import subprocess
import sys

import pytest

LARGE = """
import resource
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        bytearray(2**26)  # above the largest threshold that glibc chooses by itself
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
"""
glibc = pytest.mark.skipif(sys.platform != "linux", reason="glibc is the C library of Linux")


def output(program: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", LARGE + program], capture_output=True, text=True, check=True)
    return done.stdout.split()


@glibc
def test_freed_memory_is_used_again_once_it_was_asked_for() -> None:
    before, taken, first, after = output("import tmunet\nprint(faults(), tmunet.keep_memory(), faults(), faults())")
    assert taken == "True"
    assert int(after) < 100 < int(first)
    assert int(before) >= 3 * 2**26 // 2**21  # new pages for each block, of at most 2 MB


@glibc
def test_the_library_leaves_the_allocator_alone() -> None:
    (found,) = output("import tmunet\ntmunet.optimize_for_inference, tmunet.Predictor\nfaults()\nprint(faults())")
    assert int(found) >= 3 * 2**26 // 2**21


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from tmunet.memory import keep_memory

    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_memory() is False
