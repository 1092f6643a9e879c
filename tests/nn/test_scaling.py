"""Cost in proportion to the pixels: by arithmetic, and by the peak memory of a fresh process."""

import subprocess
import sys
from typing import NamedTuple

import pytest

from tmunet.macs import count_macs
from tmunet.nn.tmunet import SIZES, TMUNet

# VmHWM is the peak of this program alone; ru_maxrss would start at the peak of the process that launched it.
INFERENCE = """
import sys
import torch
from tmunet.nn.tmunet import SIZES, TMUNet

def kilobytes(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field))

torch.set_num_threads(1)
side = int(sys.argv[1])
network = TMUNet(SIZES["tmunet_b"]).eval()
before = kilobytes("VmRSS")
with torch.inference_mode():
    network(torch.rand(1, 3, side, side))
print(before, kilobytes("VmHWM"))
"""


class Memory(NamedTuple):
    """Of a process: resident before the forward pass, and at its peak, in bytes."""

    before: int
    peak: int


def memory_of_inference(side: int) -> Memory:
    """The base network on one image of side x side pixels, in a process of its own."""
    run = subprocess.run([sys.executable, "-c", INFERENCE, str(side)], check=True, capture_output=True, text=True)
    before, peak = (int(word) * 1024 for word in run.stdout.split())
    return Memory(before, peak)


@pytest.mark.slow
def test_twice_the_side_is_at_most_four_times_the_arithmetic() -> None:
    network = TMUNet(SIZES["tmunet_t"])
    small, middle, large = (count_macs(network, (side, side)) for side in (512, 1024, 2048))
    assert 3.9 <= middle / small <= 4.05
    assert 3.9 <= large / middle <= 4.05


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
def test_memory_of_the_base_network_grows_with_the_pixels() -> None:
    small, large = memory_of_inference(512), memory_of_inference(1024)
    assert large.peak < 1.5e9
    assert (large.peak - large.before) / (small.peak - small.before) <= 4.6
