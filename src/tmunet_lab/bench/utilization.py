"""Model FLOPs utilization (MFU), against a large matrix product that is timed in turns with the networks."""

from collections.abc import Callable, Sequence
from statistics import median

import torch
from torch import Tensor

from tmunet.prediction.backends.precision import matmul_precision
from tmunet_lab.bench.workload import Conditions

# rows and columns: on two cores of a server 0.3 s, far above what starting it costs
SIDES = {"cpu": 3072, "cuda": 8192}
PRODUCT = "matrix product"


def matrix_product(conditions: Conditions) -> Callable[[], Tensor]:
    """Build a call that multiplies two square matrices, in the precision and on the device of the networks."""
    side = SIDES[conditions.device]
    dtype = torch.bfloat16 if conditions.precision == "bfloat16" else torch.float32
    a, b = (torch.full((side, side), 0.5, dtype=dtype, device=conditions.device) for _ in range(2))

    def multiply() -> Tensor:
        with matmul_precision(a.device, conditions.precision):
            return a @ b

    return multiply


def compute_utilization(macs: int, times: Sequence[float], product: Sequence[float], device: str) -> float:
    """Compute the MFU: MACs a second over those of the matrix product on this device, median over the rounds.

    >>> compute_utilization(SIDES["cpu"] ** 3 // 4, [1.0, 1.0], [0.5, 0.5], "cpu")
    0.125
    """
    return median(macs / own * other / SIDES[device] ** 3 for own, other in zip(times, product, strict=False))
