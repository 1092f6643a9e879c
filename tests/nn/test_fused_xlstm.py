"""The xLSTM layer for inference, against the layer that is trained."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from tmunet.nn import mlstm as mlstm_module
from tmunet.nn import xlstm
from tmunet.nn.gates import ForgetGate
from tmunet.nn.inference import fused_xlstm
from tmunet.nn.inference.fused_xlstm import InferenceXLSTM
from tmunet.nn.inference.optimize import optimize_for_inference
from tmunet.nn.mstm import MSTMBlock, MSTMConfig
from tmunet.nn.xlstm import BidirectionalXLSTM

from .random_weights import randomized
from .tokens import GATES, distance


@given(
    B=st.integers(1, 3),
    T=st.integers(1, 40),
    width=st.sampled_from([(4, 1), (8, 2), (16, 2), (24, 3)]),
    chunk_size=st.sampled_from([1, 4, 16, None]),
    forget_gate=st.sampled_from(GATES),
)
@torch.no_grad()
def test_it_is_the_layer(
    B: int, T: int, width: tuple[int, int], chunk_size: int | None, forget_gate: ForgetGate
) -> None:
    layer = randomized(BidirectionalXLSTM(*width, forget_gate, chunk_size))
    form = optimize_for_inference(layer)
    assert isinstance(form, InferenceXLSTM)
    x = torch.randn(B, T, width[0], dtype=torch.float64)
    assert distance(form(x), layer(x)) < 1e-9


@torch.no_grad()
def test_gates_that_one_scale_does_not_fit_are_read_as_the_layer_reads_them() -> None:
    layer = randomized(BidirectionalXLSTM(8, 2, "exponential", 16))
    for cell in (layer.forward_mlstm, layer.backward_mlstm):
        cell.input_gate.weight.mul_(100)
        cell.forget_gate.weight.mul_(100)  # input gates from exp(-300) to exp(300) in one chunk
    x = torch.randn(2, 50, 8, dtype=torch.float64)
    assert distance(optimize_for_inference(layer)(x), layer(x)) < 1e-9


@torch.no_grad()
def test_heads_narrower_than_a_block_of_channels_keep_the_layer() -> None:
    block = randomized(MSTMBlock(8, MSTMConfig(scales=(3,), heads=4)))
    form, x = optimize_for_inference(block), torch.randn(1, 8, 6, 5, dtype=torch.float64)
    assert [type(layer) for layer in form.xlstm] == [BidirectionalXLSTM]
    assert distance(form(x), block(x)) < 1e-12


@torch.no_grad()
def test_autocast_changes_the_last_digits_only() -> None:
    torch.manual_seed(0)
    layer = BidirectionalXLSTM(32, 4, "sigmoid", None).eval()
    x = torch.randn(1, 70, 32)
    with torch.autocast("cpu", torch.bfloat16):
        lower = optimize_for_inference(layer)(x)
    torch.testing.assert_close(lower.float(), layer(x), rtol=2**-5, atol=2**-5)


@torch.no_grad()
def test_gates_are_float32_under_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = BidirectionalXLSTM(64, 4, "sigmoid", None).eval()
    for cell in (layer.forward_mlstm, layer.backward_mlstm):
        cell.input_gate.weight.normal_()
        cell.forget_gate.weight.normal_()
    gates: list[torch.Tensor] = []

    def mlstm(*inputs: Any) -> torch.Tensor:
        gates.append(F.logsigmoid(inputs[4]))
        return mlstm_module.mlstm(*inputs)

    for module in (xlstm, fused_xlstm):
        monkeypatch.setattr(module, "mlstm", mlstm)
    x = torch.randn(1, 70, 64)
    layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        optimize_for_inference(layer)(x)
        layer(x)
    # the layer runs its backward cell before its forward one, the form both as one
    exact = torch.stack(gates[1::-1]).flatten(0, 1)
    form, plain = gates[2], torch.stack(gates[:2:-1]).flatten(0, 1)
    assert form.dtype == plain.dtype == torch.float32
    for found in (form, plain):
        torch.testing.assert_close(found, exact, rtol=2**-4, atol=2**-4)  # what they come from has 8 bits on the CPU


@pytest.mark.parametrize("forget_gate", GATES)
def test_the_layer_goes_on_training(forget_gate: ForgetGate) -> None:
    layer = BidirectionalXLSTM(8, 2, forget_gate, 4)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    form = optimize_for_inference(layer)
    with torch.no_grad():
        for value in form.buffers():
            value.add_(1)
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
    assert all(parameter.requires_grad for parameter in layer.parameters())


@torch.no_grad()
def test_readings_whose_squares_vanish_stay_finite() -> None:
    """The last token of a chunk outweighs those before it by exp(56): their numerators and divisors are near exp(-56)."""
    torch.manual_seed(0)
    layer = BidirectionalXLSTM(16, 2, "sigmoid", 16).eval()
    token = torch.randn(16)
    for linear, cell in (
        (layer.forward_linear, layer.forward_mlstm),
        (layer.backward_linear, layer.backward_mlstm),
    ):
        linear.bias.zero_()
        cell.input_gate.bias.fill_(28.0)
        cell.forget_gate.bias.fill_(60.0)
        u = linear(layer.norm(token))
        cell.input_gate.weight.copy_((-28 * u / u.square().sum()).expand(2, -1))  # i~ = 0; of -token, 56
    x = torch.cat([token.expand(15, 16), -token[None]])[None]
    found = optimize_for_inference(layer)(x)
    assert found.isfinite().all()
    torch.testing.assert_close(found, layer(x), rtol=1e-4, atol=1e-4)
