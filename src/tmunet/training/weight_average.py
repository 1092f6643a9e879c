"""The exponential moving average of a network's weights (EMA), with a decay that is warmed up."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def warmed_up_decay(highest: float, n: int) -> float:
    """The share of the average that an update leaves, after n optimizer steps that are in it already.

    The first step (n = 0) is taken as it is, so nothing of the random start is left; a fixed decay d would leave d^n of it.

    >>> [round(warmed_up_decay(0.99, n), 3) for n in (0, 1, 2, 90, 1000)]
    [0.0, 0.182, 0.25, 0.91, 0.99]
    """
    return 0.0 if n == 0 else min(highest, (1 + n) / (10 + n))


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """A copy of the network that follows it: `update_parameters` after every optimizer step.

    How many steps are in it is part of its state, so a resumed run goes on in the middle of the warm-up. Buffers are copied:
    BatchNorm's running statistics are moving averages already, and averaged once more they lag behind the weights twice.
    """
    average = AveragedModel(network, multi_avg_fn=partial(_update, decay))
    average.requires_grad_(False)
    return average


@torch.no_grad()
def _update(highest: float, averages: Any, values: Any, n: Tensor | int) -> None:
    """One update of parameters of one type, in place."""
    torch._foreach_lerp_(averages, values, 1 - warmed_up_decay(highest, int(n)))
