"""The gradients of all forms, against finite differences and against each other."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

import tmunet.nn.mlstm as mlstm_module
import tmunet.nn.mlstm_fast as fast_module
from tmunet.nn.mlstm import ForgetGate

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
    monkeypatch.setattr(mlstm_module, "CHUNKS_PER_GROUP", 2)  # 13 tokens in chunks of 2: groups of groups
    monkeypatch.setattr(fast_module, "GROUP", 2)
    tokens = trained(13, forget_gate, B=1, NH=2, D=2, dtype=torch.float64)

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
