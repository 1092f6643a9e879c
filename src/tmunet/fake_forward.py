"""Run a network on fake tensors: shapes without values, so nothing is computed and no memory is taken."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call


@contextmanager
def fake_forward(model: nn.Module, training: bool = False) -> Iterator["FakeForward"]:
    """Yield a callable with the fake parameters and buffers of a network; the network itself does not change.

    Args:
        model: a network that takes (B, C, H, W).
        training: in training mode, else in eval mode.
    """
    was_training = model.training
    model.train(training)
    try:
        with FakeTensorMode() as fake:
            tensors = [*model.named_parameters(), *model.named_buffers()]
            yield FakeForward(model, {name: fake.from_tensor(tensor) for name, tensor in tensors})
    finally:
        model.train(was_training)


class FakeForward:
    """Forward pass on fake tensors.

    Attributes:
        tensors: fake parameters and buffers by name.
    """

    def __init__(self, model: nn.Module, tensors: dict[str, torch.Tensor]) -> None:
        self.model, self.tensors = model, tensors
        self.device = next(model.parameters()).device

    def __call__(self, batch: int, in_channels: int, size: tuple[int, int]) -> object:
        """Pass a fake batch (B, C, H, W) through the network."""
        return functional_call(self.model, self.tensors, torch.empty(batch, in_channels, *size, device=self.device))
