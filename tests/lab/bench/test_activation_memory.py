"""What training keeps: by hand, and against the storages of a pass that really runs."""

import pytest
import torch
from torch import Tensor, nn

from tmunet.registry import create_model
from tmunet_lab.bench.activation_memory import activation_memory

SIZE = (16, 24)
FLOATS = 4 * 16 * 24


def really_kept(network: nn.Module, batch: int, size: tuple[int, int]) -> int:
    """Bytes of the storages that autograd holds after a forward pass in training, with values."""
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    own = {tensor.untyped_storage().data_ptr() for tensor in [*network.parameters(), *network.buffers()]}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = network.train()(torch.randn(batch, 3, *size))
    assert output is not None
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in kept}
    return sum(size for address, size in storages.items() if address not in own)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (nn.Conv2d(3, 5, 1), 3 * FLOATS),  # the image
        (nn.Sequential(nn.Conv2d(3, 5, 1), nn.Sigmoid()), (3 + 5) * FLOATS),  # and the result of the sigmoid
        (nn.Sequential(nn.Conv2d(3, 5, 1), nn.ReLU(), nn.Conv2d(5, 1, 1)), (3 + 5) * FLOATS),  # one map, kept by two
        (nn.Sequential(nn.Conv2d(3, 5, 1), nn.Flatten(), nn.Unflatten(1, (5, 16, 24))), 3 * FLOATS),  # views are free
        (
            nn.Sequential(nn.Conv2d(3, 5, 1), nn.MaxPool2d(2)),
            (3 + 5) * FLOATS + 8 * 5 * 16 * 24 // 4,  # its input, and an index of 8 bytes for each maximum
        ),
    ],
)
def test_small_networks_by_hand(network: nn.Module, expected: int) -> None:
    assert activation_memory(network, SIZE) == expected


@pytest.mark.parametrize("name", ["tmunet_t", "tinyunet", "tmunet_released_t", "unet"])
def test_shapes_keep_what_values_keep(name: str) -> None:
    network = create_model(name)
    assert activation_memory(network, (32, 64), batch=2) == really_kept(network, 2, (32, 64))


def test_bfloat16_keeps_less() -> None:
    network = create_model("ulite")
    full = activation_memory(network, (128, 128))
    assert full / 3 < activation_memory(network, (128, 128), bfloat16=True) < full


def test_gradients_and_statistics_are_left_alone() -> None:
    network = create_model("ulite").eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    activation_memory(network, (32, 32), batch=2)
    assert not network.training
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
