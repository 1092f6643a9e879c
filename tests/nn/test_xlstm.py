"""The bidirectional xLSTM layer: Eq. 4-6, its initialization and its symmetry."""

import math

import pytest
import torch
from scipy.stats import kstest

from tmunet.nn.gates import ForgetGate
from tmunet.nn.tmunet import SIZES, TMUNet
from tmunet.nn.xlstm import BidirectionalXLSTM, MLSTMCell

from . import oracle
from .random_weights import as_arrays, randomized
from .tokens import GATES, distance


@pytest.mark.parametrize("forget_gate", GATES)
@pytest.mark.parametrize(("dim", "heads", "T", "chunk_size"), [(8, 2, 11, 4), (12, 3, 6, 32), (16, 1, 1, 8)])
@torch.no_grad()
def test_the_layer_is_the_oracle(dim: int, heads: int, T: int, chunk_size: int, forget_gate: ForgetGate) -> None:
    layer = randomized(BidirectionalXLSTM(dim, heads, forget_gate, chunk_size))
    x = torch.randn(2, T, dim, dtype=torch.float64)
    expected = torch.from_numpy(oracle.xlstm_layer(x.numpy(), as_arrays(layer), heads, forget_gate))
    assert distance(layer(x), expected) < 1e-9


@torch.no_grad()
def test_swapped_directions_read_flipped_tokens_to_a_flipped_output() -> None:
    layer, mirrored = (randomized(BidirectionalXLSTM(8, 2, "sigmoid", 4)) for _ in range(2))
    mirrored.load_state_dict({swapped(name): value for name, value in layer.state_dict().items()})
    x = torch.randn(2, 11, 8, dtype=torch.float64)
    assert distance(mirrored(x.flip(1)), layer(x).flip(1)) < 1e-12
    assert distance(layer(x.flip(1)), layer(x).flip(1)) > 1e-3  # the two directions do differ


def swapped(name: str) -> str:
    """Forward in the place of backward, and the other way round."""
    if name.startswith("forward_"):
        return name.replace("forward_", "backward_", 1)
    return name.replace("backward_", "forward_", 1)


@torch.no_grad()
def test_every_output_depends_on_every_token() -> None:
    layer = randomized(BidirectionalXLSTM(8, 2, "sigmoid", 4))
    x = torch.randn(1, 11, 8, dtype=torch.float64)
    for t in range(11):
        changed = x.clone()
        changed[:, t] = torch.randn(8, dtype=torch.float64)
        assert ((layer(changed) - layer(x)).abs().amax(-1) > 1e-12).all()


def cells(name: str) -> list[MLSTMCell]:
    return [module for module in TMUNet(SIZES[name]).modules() if isinstance(module, MLSTMCell)]


@pytest.mark.parametrize("name", SIZES)
def test_fresh_gates_are_open_and_blind(name: str) -> None:
    assert len(cells(name)) == 2 * 4  # two directions in each of E4, E5, D5, D4
    for cell in cells(name):
        assert torch.equal(cell.forget_gate.bias, torch.linspace(3, 6, cell.heads))
        assert not cell.forget_gate.weight.any()
        assert not cell.input_gate.weight.any()
        assert cell.input_gate.bias.abs().min() > 0


def test_fresh_forget_gates_of_both_kinds_are_as_open() -> None:
    sigmoid, exponential = (
        MLSTMCell(16, 4, gate, None).forget_gate.bias.detach() for gate in ("sigmoid", "exponential")
    )
    torch.testing.assert_close(torch.exp(exponential), torch.sigmoid(sigmoid))


@torch.no_grad()
@pytest.mark.parametrize("forget_gate", GATES)
def test_a_fresh_layer_remembers_early_tokens_and_reads_late_ones(forget_gate: ForgetGate) -> None:
    cell = MLSTMCell(32, 4, forget_gate, None).double()
    x = torch.randn(1, 256, 32, dtype=torch.float64)
    last = cell(x)[:, -1]
    for token in (0, 20, 128, 254):
        changed = x.clone()
        changed[:, token] = torch.randn(32, dtype=torch.float64)
        assert 1e-4 < (cell(changed)[:, -1] - last).norm() / last.norm() < 0.5


def test_fresh_input_gate_biases_are_normal_with_deviation_a_tenth() -> None:
    biases = torch.cat([cell.input_gate.bias.detach() for _ in range(5) for cell in cells("tmunet_t")])
    assert len(biases) == 160
    assert kstest(biases.numpy(), "norm", args=(0, 0.1)).pvalue > 0.01


@pytest.mark.parametrize(("dim", "heads"), [(10, 4), (6, 3), (8, 3)])
def test_channels_that_do_not_divide_are_an_error(dim: int, heads: int) -> None:
    with pytest.raises(ValueError, match=f"Expected `dim` to be a multiple of {heads} heads and of 4, but got {dim}"):
        BidirectionalXLSTM(dim, heads, "sigmoid", 32)


def test_fresh_projections_have_the_deviation_of_xlstm_and_norms_change_nothing() -> None:
    for cell in cells("tmunet_b"):
        for weight, fan in ((cell.qkv.weight, 4), (cell.output_gate.weight, cell.output_gate.in_features)):
            assert weight.std().item() == pytest.approx(math.sqrt(2 / (5 * fan)), rel=0.05)
            assert abs(weight.mean().item()) < 0.05 * weight.std().item()
        assert (cell.norm.weight == 1).all()
        assert not cell.norm.bias.any()
        assert not cell.output_gate.bias.any()
