"""BatchNorm as part of a convolution, against the two layers one after the other."""

import pytest
import torch
from torch import nn

from tmunet.nn.inference.optimize import optimize_for_inference
from tmunet.registry import create_model

from .random_weights import randomized


def layers() -> list[nn.Module]:
    return [
        nn.Conv2d(4, 6, 3, padding=1, groups=2, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.ConvTranspose2d(6, 4, 2, stride=2),
        nn.BatchNorm2d(4),
    ]


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_convolutions_and_their_norms_become_one_layer() -> None:
    network = randomized(nn.Sequential(nn.Sequential(*layers()), nn.Conv2d(4, 1, 1)))
    form, x = optimize_for_inference(network), torch.randn(2, 4, 7, 9, dtype=torch.float64)
    assert (norms(network), norms(form)) == (2, 0)
    torch.testing.assert_close(form(x), network(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("between", [nn.ReLU(), nn.MaxPool2d(2)])
def test_a_norm_behind_another_layer_stays(between: nn.Module) -> None:
    convolution, norm, *_ = layers()
    network = randomized(nn.Sequential(convolution, between, norm))
    form, x = optimize_for_inference(network), torch.randn(2, 4, 8, 8, dtype=torch.float64)
    assert norms(form) == 1
    assert torch.equal(form(x), network(x))


def test_the_network_itself_goes_on_training() -> None:
    network = nn.Sequential(*layers()).train()
    optimize_for_inference(network)
    assert norms(network) == 2
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_the_form_for_inference_runs_where_gradients_are_on_and_is_its_own_form() -> None:
    network, image = create_model("tmunet_t").eval(), torch.rand(1, 3, 64, 64)
    form = optimize_for_inference(network)
    assert not form(image).requires_grad
    torch.testing.assert_close(form(image), network(image), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(optimize_for_inference(form)(image), form(image))
