"""The bidirectional xLSTM layer: Eq. 4-6, its initialization and its symmetry."""

import math

import pytest
import torch
from scipy.stats import kstest
from torch import Tensor

from tmunet.nn.mlstm import ForgetGate
from tmunet.nn.tmunet import SIZES, TMUNet
from tmunet.nn.xlstm import MatrixLSTM, XLSTMLayer

from . import oracle
from .random_weights import as_arrays, randomized
from .tokens import GATES, distance

HALVES = ("project_in.weight", "project_in.bias", "mlstm.qkv_weight")  # forward, then backward, along the first axis


@pytest.mark.parametrize("forget_gate", GATES)
@pytest.mark.parametrize(("dim", "heads", "T", "chunk_size"), [(8, 2, 11, 4), (12, 3, 6, 32), (16, 1, 1, 8)])
@torch.no_grad()
def test_the_layer_is_the_oracle(dim: int, heads: int, T: int, chunk_size: int, forget_gate: ForgetGate) -> None:
    layer = randomized(XLSTMLayer(dim, heads, forget_gate, chunk_size))
    x = torch.randn(2, T, dim, dtype=torch.float64)
    expected = torch.from_numpy(oracle.xlstm_layer(x.numpy(), as_arrays(layer), heads, forget_gate))
    assert distance(layer(x), expected) < 1e-9


@torch.no_grad()
def test_swapped_directions_read_flipped_tokens_to_a_flipped_output() -> None:
    layer, mirrored = (randomized(XLSTMLayer(8, 2, "sigmoid", 4)) for _ in range(2))
    mirrored.load_state_dict({name: swapped(name, value) for name, value in layer.state_dict().items()})
    x = torch.randn(2, 11, 8, dtype=torch.float64)
    assert distance(mirrored(x.flip(1)), layer(x).flip(1)) < 1e-12
    assert distance(layer(x.flip(1)), layer(x).flip(1)) > 1e-3  # the two directions do differ


def swapped(name: str, value: Tensor) -> Tensor:
    """The weights of the forward direction in the place of the backward ones, and the other way round."""
    if name in HALVES:
        return torch.cat(value.chunk(2)[::-1])
    return value.flip(0) if name.startswith("mlstm.") else value


@torch.no_grad()
def test_every_output_depends_on_every_token() -> None:
    layer = randomized(XLSTMLayer(8, 2, "sigmoid", 4))
    x = torch.randn(1, 11, 8, dtype=torch.float64)
    for t in range(11):
        changed = x.clone()
        changed[:, t] = torch.randn(8, dtype=torch.float64)
        assert ((layer(changed) - layer(x)).abs().amax(-1) > 1e-12).all()


def gates(name: str) -> list[MatrixLSTM]:
    return [module for module in TMUNet(SIZES[name]).modules() if isinstance(module, MatrixLSTM)]


@pytest.mark.parametrize("name", SIZES)
def test_fresh_gates_are_open_and_blind(name: str) -> None:
    layers = gates(name)
    assert len(layers) == 4  # one in each of E4, E5, D5, D4
    for layer in layers:
        assert torch.equal(layer.forget_gate_bias, torch.linspace(3, 6, layer.heads).expand(2, -1))
        assert not layer.gate_weight.any()
        assert layer.input_gate_bias.abs().min() > 0


def test_fresh_forget_gates_of_both_kinds_are_as_open() -> None:
    sigmoid, exponential = (
        MatrixLSTM(16, 4, gate, None).forget_gate_bias.detach() for gate in ("sigmoid", "exponential")
    )
    torch.testing.assert_close(torch.exp(exponential), torch.sigmoid(sigmoid))


@torch.no_grad()
@pytest.mark.parametrize("forget_gate", GATES)
def test_a_fresh_layer_remembers_early_tokens_and_reads_late_ones(forget_gate: ForgetGate) -> None:
    layer = MatrixLSTM(32, 4, forget_gate, None).double()
    x = torch.randn(1, 256, 2, 32, dtype=torch.float64)
    last = layer(x)[:, -1, 0]
    for token in (0, 20, 128, 254):
        changed = x.clone()
        changed[:, token] = torch.randn(2, 32, dtype=torch.float64)
        assert 1e-4 < (layer(changed)[:, -1, 0] - last).norm() / last.norm() < 0.5


def test_fresh_input_gate_biases_are_normal_with_deviation_a_tenth() -> None:
    layers = [layer for _ in range(5) for layer in gates("tmunet_t")]
    biases = torch.cat([layer.input_gate_bias.detach().flatten() for layer in layers])
    assert len(biases) == 160
    assert kstest(biases.numpy(), "norm", args=(0, 0.1)).pvalue > 0.01


@pytest.mark.parametrize(("dim", "heads"), [(10, 4), (6, 3), (8, 3)])
def test_channels_that_do_not_divide_are_an_error(dim: int, heads: int) -> None:
    with pytest.raises(ValueError, match=f"Expected `dim` to be a multiple of {heads} heads and of 4, but got {dim}"):
        XLSTMLayer(dim, heads, "sigmoid", 32)


def test_fresh_projections_have_the_deviation_of_xlstm_and_norms_change_nothing() -> None:
    for layer in gates("tmunet_b"):
        dim = layer.norm_weight.shape[1]
        for weight, fan in ((layer.qkv_weight, 4), (layer.output_gate_weight, dim)):
            assert weight.std().item() == pytest.approx(math.sqrt(2 / (5 * fan)), rel=0.05)
            assert abs(weight.mean().item()) < 0.05 * weight.std().item()
        assert (layer.norm_weight == 1).all()
        assert not layer.norm_bias.any()
        assert not layer.output_gate_bias.any()
