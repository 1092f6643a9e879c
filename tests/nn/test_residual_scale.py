"""A residual block with a learned scale a channel."""

import torch
from torch import nn

from tmunet.nn.residual_scale import ResidualScale


def test_each_channel_goes_its_own_part_of_the_way_from_x_to_the_block() -> None:
    layer = ResidualScale(nn.Softplus(), channels=3, initial=0.25)
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    assert layer.scale.flatten().tolist() == [0.25] * 3
    with torch.no_grad():
        layer.scale.copy_(torch.tensor([0.0, 1.0, 0.5]).reshape(3, 1, 1))
    y, block = layer(x), torch.log(1 + torch.exp(x))
    assert torch.equal(y[:, 0], x[:, 0])
    torch.testing.assert_close(y[:, 1], block[:, 1])
    torch.testing.assert_close(y[:, 2], (x[:, 2] + block[:, 2]) / 2)


def test_the_scale_learns_and_so_does_the_block() -> None:
    layer = ResidualScale(nn.Conv2d(3, 3, 1), channels=3)
    layer(torch.randn(2, 3, 4, 5)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in layer.parameters())
