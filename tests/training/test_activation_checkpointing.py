"""Activations that are computed again: the same gradients and statistics, from less memory."""

import pickle
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from tmunet import create_model
from tmunet.nn.tmunet import TMUNet, TMUNetConfig
from tmunet.training.activation_checkpointing import checkpoint_stages
from tmunet_lab.bench.activation_memory import activation_memory


def step(network: nn.Module) -> dict[str, Tensor]:
    """Loss, gradients and buffers after one training step on the same images."""
    network.train()
    torch.manual_seed(0)  # of what is dropped at random
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    output = network(images)
    outputs = [output] if isinstance(output, Tensor) else output
    loss = sum((logits.square().mean() for logits in outputs), torch.zeros(()))
    network.zero_grad()
    torch.autograd.backward([loss])
    gradients = {name: parameter.grad for name, parameter in network.named_parameters() if parameter.grad is not None}
    return {"loss": loss.detach(), **gradients, **dict(network.named_buffers())}


@pytest.mark.parametrize(
    "name",
    ["tmunet_t", "tmunet2_t", "tmunet_lite0", "ulite", "unet", "tinyunet", "rolling_unet_s", "tmunet_released_t"],
)
def test_a_step_is_the_same(name: str) -> None:
    torch.manual_seed(0)
    network = create_model(name, 3, 1)
    other = checkpoint_stages(deepcopy(network))
    expected, found = step(network), step(other)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-4, atol=1e-6, msg=lambda text, key=key: f"{key}: {text}")
    assert list(other.state_dict()) == list(network.state_dict())


def test_much_less_is_kept() -> None:
    network = TMUNet(TMUNetConfig(widths=(8, 16, 32, 64, 128)))
    kept = activation_memory(network, (128, 128))
    assert activation_memory(checkpoint_stages(network), (128, 128)) < kept / 3


def test_a_copy_recomputes_itself_and_not_its_original() -> None:
    network = checkpoint_stages(TMUNet(TMUNetConfig(widths=(4, 4, 8, 8, 8))))
    copy = deepcopy(network)
    with torch.no_grad():
        for parameter in copy.parameters():
            parameter.zero_()
    step(copy)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(parameter.grad is not None for parameter in copy.parameters())
    assert len(pickle.dumps(copy)) > 0


def test_in_evaluation_nothing_is_recomputed() -> None:
    network = checkpoint_stages(TMUNet(TMUNetConfig(widths=(4, 4, 8, 8, 8)))).eval()
    calls: list[str] = []
    network.encoder1.register_forward_hook(lambda *_: calls.append("encoder1"))
    with torch.no_grad():
        network(torch.randn(1, 3, 32, 32))
    assert calls == ["encoder1"]
