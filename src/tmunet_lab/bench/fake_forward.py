"""Run a network on shapes alone: nothing is computed and no memory is taken, however large the image."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call


@contextmanager
def traced(model: nn.Module, training: bool = False) -> Iterator["Tracer"]:
    """A stand-in for the network that has its shapes and no values; the network itself is left as it was.

    Args:
        model: a network that takes (B, C, H, W).
        training: trace it as it trains; otherwise as it predicts.
    """
    was_training = model.training
    model.train(training)
    try:
        with FakeTensorMode() as fake:
            tensors = [*model.named_parameters(), *model.named_buffers()]
            yield Tracer(model, {name: fake.from_tensor(tensor) for name, tensor in tensors})
    finally:
        model.train(was_training)


class Tracer:
    """Calls the network with the shapes of its tensors.

    Attributes:
        tensors: parameters and buffers by name, without values.
    """

    def __init__(self, model: nn.Module, tensors: dict[str, torch.Tensor]) -> None:
        self.model, self.tensors = model, tensors
        self.device = next(model.parameters()).device

    def __call__(self, batch: int, in_channels: int, size: tuple[int, int]) -> object:
        """Pass images (B, C, H, W) through the network; what it gives has shapes and no values."""
        return functional_call(self.model, self.tensors, torch.empty(batch, in_channels, *size, device=self.device))
