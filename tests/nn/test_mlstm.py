"""All forms of the mLSTM are one function: that of the oracle."""

from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import tmunet.nn.mlstm as mlstm_module
from tmunet.nn.gates import ForgetGate
from tmunet.nn.mlstm import MLSTMState, mlstm_recurrent

from . import oracle
from .tokens import GATES, Draw, Tokens, chunkwise, distance, each, extreme_positive, fast, forms, recurrent, trained

LENGTHS = (1, 2, 15, 16, 17, 255, pytest.param(1024, marks=pytest.mark.slow))
FORMS = forms(4)


def to_array(x: Tensor) -> oracle.Array:
    array: oracle.Array = x.double().numpy()
    return array


def to_float64(tokens: Tokens) -> Tokens:
    return each(Tensor.double, tokens)


@pytest.mark.parametrize("T", LENGTHS)
@pytest.mark.parametrize("draw", [trained, extreme_positive])
@pytest.mark.parametrize("forget_gate", GATES)
def test_every_form_is_the_oracle(T: int, draw: Draw, forget_gate: ForgetGate) -> None:
    tokens = draw(T, forget_gate)
    expected = torch.from_numpy(oracle.mlstm(*each(to_array, tokens), forget_gate)[0])
    for name, form in forms(1, 16, 32, 64).items():
        assert distance(form(to_float64(tokens), forget_gate), expected) < 1e-10, name
        assert distance(form(tokens, forget_gate), expected) < 1e-4, name
    one_chunk = partial(chunkwise, chunk_size=T + 1)
    assert distance(one_chunk(to_float64(tokens), forget_gate), expected) < 1e-10
    # extreme log gates of 1024 tokens sum to -12,000, where float32 resolves only 1e-3
    assert distance(one_chunk(tokens, forget_gate), expected) < (1e-4 if T < 1024 else 1e-3)


@pytest.mark.parametrize("forget_gate", GATES)
def test_the_stabilizer_does_not_change_the_function(forget_gate: ForgetGate) -> None:
    arrays = each(to_array, trained(9, forget_gate))
    stabilized, _ = oracle.mlstm(*arrays, forget_gate)
    assert stabilized == pytest.approx(oracle.mlstm_unstabilized(*arrays, forget_gate), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("forget_gate", GATES)
def test_the_memory_left_is_that_of_the_oracle(forget_gate: ForgetGate) -> None:
    tokens = trained(20, forget_gate, dtype=torch.float64)
    _, state = mlstm_recurrent(*tokens, forget_gate)
    _, expected = oracle.mlstm(*each(to_array, tokens), forget_gate)
    for name in MLSTMState._fields:
        assert distance(getattr(state, name), torch.from_numpy(getattr(expected, name))) < 1e-12, name


@pytest.mark.parametrize("forget_gate", GATES)
@pytest.mark.parametrize("T1", [1, 7, 19])
def test_the_recurrent_form_resumes_bit_for_bit(forget_gate: ForgetGate, T1: int) -> None:
    tokens = trained(20, forget_gate)
    whole, last = mlstm_recurrent(*tokens, forget_gate)
    first, state = mlstm_recurrent(*each(lambda x: x[:, :, :T1], tokens), forget_gate)
    second, resumed = mlstm_recurrent(*each(lambda x: x[:, :, T1:], tokens), forget_gate, state)
    assert torch.equal(torch.cat([first, second], dim=2), whole)
    assert all(torch.equal(a, b) for a, b in zip(resumed, last, strict=True))


@given(data=st.data(), T=st.integers(2, 40), forget_gate=st.sampled_from(GATES), seed=st.integers(0, 2**31))
def test_no_output_depends_on_later_tokens(data: st.DataObject, T: int, forget_gate: ForgetGate, seed: int) -> None:
    chunk_size = data.draw(st.integers(1, T + 1), label="chunk size")
    t = data.draw(st.integers(1, T - 1), label="token that changes")
    torch.manual_seed(seed)
    tokens = trained(T, forget_gate)
    changed = each(Tensor.clone, tokens)
    for x in changed:
        x[:, :, t] = torch.randn_like(x[:, :, t])
    for name, form in forms(chunk_size).items():
        before, after = form(tokens, forget_gate), form(changed, forget_gate)
        if name.startswith("fast"):  # the scale of a chunk is that of all its tokens, and so is its rounding
            before, after = form(to_float64(tokens), forget_gate), form(to_float64(changed), forget_gate)
            assert torch.allclose(before[:, :, :t], after[:, :, :t], rtol=1e-9, atol=1e-12), name
        else:
            assert torch.equal(before[:, :, :t], after[:, :, :t]), name
        assert not torch.equal(before[:, :, t], after[:, :, t]), name


@pytest.mark.parametrize("T", [1, 16, 17])
@pytest.mark.parametrize("forget_gate", GATES)
@pytest.mark.parametrize("name", FORMS)
def test_images_and_heads_do_not_see_each_other(name: str, forget_gate: ForgetGate, T: int) -> None:
    tokens = trained(T, forget_gate)
    before = FORMS[name](tokens, forget_gate)
    for x in tokens:
        x[1, 0] = torch.randn_like(x[1, 0])
    after = FORMS[name](tokens, forget_gate)
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[1, 1], after[1, 1])
    assert not torch.equal(before[1, 0], after[1, 0])


@pytest.mark.parametrize("group", [2, 3])
@pytest.mark.parametrize("forget_gate", GATES)
@pytest.mark.parametrize("draw", [trained, extreme_positive])
def test_memories_joined_by_groups_are_the_same(
    group: int, forget_gate: ForgetGate, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    for T in (5, 12, 37, 64):
        tokens = to_float64(draw(T, forget_gate))
        monkeypatch.setattr(mlstm_module, "CHUNKS_PER_GROUP", 1000)
        ungrouped = chunkwise(tokens, forget_gate, 2)
        monkeypatch.setattr(mlstm_module, "CHUNKS_PER_GROUP", group)
        assert distance(chunkwise(tokens, forget_gate, 2), ungrouped) < 1e-11


@pytest.mark.parametrize(("input_gate", "kept"), [(0.0, True), (1e3, False)])
def test_one_scale_a_chunk_gives_way_to_the_specification_where_it_would_lose_digits(
    input_gate: float, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        mlstm_module, "mlstm_chunkwise", lambda *tokens: asked.append(1) or chunkwise(tokens[:5], *tokens[5:])
    )
    tokens = trained(20, "sigmoid", dtype=torch.float64)
    tokens[3][:, :, 10] = input_gate
    assert distance(fast(tokens, "sigmoid", 8), recurrent(tokens, "sigmoid")) < 1e-10
    assert bool(asked) != kept


def test_the_fast_form_keeps_only_its_inputs_for_the_gradient() -> None:
    tokens = each(Tensor.requires_grad_, trained(64, "sigmoid"))
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x):
        fast(tokens, "sigmoid", 16)
    assert {x.data_ptr() for x in kept} == {x.data_ptr() for x in tokens}


@pytest.mark.parametrize("name", FORMS)
def test_an_unknown_forget_gate_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match=r"Expected `forget_gate` to be 'sigmoid' or 'exponential', but got 'tanh'\."):
        FORMS[name](trained(3, "sigmoid"), "tanh")  # type: ignore[arg-type]


def test_one_token_is_its_value_up_to_the_size_of_its_weight() -> None:
    """T = 1 by hand: h = exp(i) (k . q) v / max(|exp(i) (k . q)|, 1)."""
    q, k, v, i, f = trained(1, "sigmoid", dtype=torch.float64)
    weight = i.exp()[..., None] * (k * q).sum(-1, keepdim=True)
    assert torch.allclose(recurrent((q, k, v, i, f), "sigmoid"), weight * v / weight.abs().clamp(min=1))


def test_a_chunk_has_tokens() -> None:
    x = torch.randn(3, 1, 1, 5, 4)
    with pytest.raises(ValueError, match="Expected `chunk_size` to be at least 1, but got 0"):
        mlstm_module.mlstm_chunkwise(*x, *torch.randn(2, 1, 1, 5), chunk_size=0)
