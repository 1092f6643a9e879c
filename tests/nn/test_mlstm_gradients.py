"""The gradients of all forms, against finite differences and against each other."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

import tmunet.nn.kernels.chunkwise as fast_module
import tmunet.nn.mlstm as mlstm_module
from tmunet.nn.gates import ForgetGate

from .tokens import GATES, Form, chunkwise, distance, each, fast, forms, recurrent, trained

FORMS = forms(2, 4)


def gradients(form: Form, forget_gate: ForgetGate) -> tuple[Tensor, ...]:
    torch.manual_seed(1)
    tokens = each(Tensor.requires_grad_, trained(50, forget_gate, dtype=torch.float64))
    h = form(tokens, forget_gate)
    return torch.autograd.grad(h, tokens, torch.randn_like(h))


@pytest.mark.parametrize("forget_gate", GATES)
@pytest.mark.parametrize("name", FORMS)
def test_gradients_are_finite_differences(name: str, forget_gate: ForgetGate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlstm_module, "CHUNKS_PER_GROUP", 2)
    monkeypatch.setattr(fast_module, "GROUP", 2)
    T = 6 if name in ("recurrent", "parallel") else 9  # 9 tokens in chunks of 2: groups of groups
    tokens = trained(T, forget_gate, B=1, NH=2, D=2, dtype=torch.float64)

    def function(q: Tensor, k: Tensor, v: Tensor, i: Tensor, f: Tensor) -> Tensor:
        return FORMS[name]((q, k, v, i, f), forget_gate)

    assert torch.autograd.gradcheck(function, each(Tensor.requires_grad_, tokens))


@pytest.mark.parametrize("group", [2, 32])
@pytest.mark.parametrize("chunk_size", [1, 3, 16, 100])
@pytest.mark.parametrize("forget_gate", GATES)
@pytest.mark.parametrize("form", [chunkwise, fast])
def test_chunkwise_gradients_are_the_recurrent_ones(
    form: Callable[..., Tensor], group: int, chunk_size: int, forget_gate: ForgetGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlstm_module, "CHUNKS_PER_GROUP", group)
    monkeypatch.setattr(fast_module, "GROUP", group)
    expected = gradients(recurrent, forget_gate)
    result = gradients(partial(form, chunk_size=chunk_size), forget_gate)
    for name, a, b in zip("qkvif", result, expected, strict=True):
        assert distance(a, b) < 1e-8, name


@pytest.mark.parametrize("name", forms(2, 16, 64))
def test_float32_keeps_the_gradients_of_gates_that_shut_by_more_than_it_can_tell(name: str) -> None:
    """exp(150) is infinite in float32; q and k are positive, so that n . q does not cancel."""
    q, k, v, i, f = trained(50, "sigmoid", dtype=torch.float64)
    exact = each(Tensor.requires_grad_, (q.abs(), k.abs(), v, i.uniform_(-150, 150), f.uniform_(-150, 150)))
    rounded = each(lambda x: x.detach().float().requires_grad_(), exact)
    weights = torch.randn_like(v)
    expected = torch.autograd.grad(recurrent(exact, "sigmoid"), exact, weights)
    result = torch.autograd.grad(forms(2, 16, 64)[name](rounded, "sigmoid"), rounded, weights.float())
    for one, a, b in zip("qkvif", result, expected, strict=True):
        assert distance(a, b) < 1e-3, one
