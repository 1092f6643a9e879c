"""Weights that leave nothing at a special value (fresh gates do not depend on the input), for the oracles to take."""

from typing import TypeVar

import torch
from torch import nn

from . import oracle

Network = TypeVar("Network", bound=nn.Module)


def randomized(module: Network) -> Network:
    """The module in float64 and eval mode, every parameter and running statistic drawn anew."""
    module.double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.5)
        for name, buffer in module.named_buffers():
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 2.0)
            elif buffer.is_floating_point():
                buffer.normal_()
    return module


def as_arrays(module: nn.Module) -> dict[str, oracle.Array]:
    """The state_dict for an oracle."""
    return {name: value.double().numpy() for name, value in module.state_dict().items()}
