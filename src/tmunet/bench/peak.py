"""What a machine can do at most: a large matrix product, timed in turns with the networks."""

from collections.abc import Callable, Sequence
from statistics import median

import torch
from torch import Tensor

from tmunet.bench.inference import Conditions

SIDE = 3072  # rows and columns: on two cores of a server 0.3 s, far above what starting it costs
PRODUCT_MACS = SIDE**3
PRODUCT = "matrix product"


def matrix_product(conditions: Conditions) -> Callable[[], Tensor]:
    """A call that multiplies two square matrices, in the type and on the device of the networks."""
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[conditions.precision]
    a, b = (torch.full((SIDE, SIDE), 0.5, dtype=dtype, device=conditions.device) for _ in range(2))
    return lambda: a @ b


def peak_share(macs: int, times: Sequence[float], product: Sequence[float]) -> float:
    """Multiply-accumulates a second over those of the matrix product, the median over the rounds.

    >>> peak_share(PRODUCT_MACS // 4, [1.0, 1.0], [0.5, 0.5])
    0.125
    """
    return median(macs / own * other / PRODUCT_MACS for own, other in zip(times, product, strict=False))
