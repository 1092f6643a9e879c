"""The mLSTM stays finite whatever the gates are, in float32 and bfloat16, forward and backward."""

import pytest
import torch
from torch import Tensor

from tmunet.nn.gates import ForgetGate

from .tokens import GATES, Draw, Tokens, distance, each, extreme, forms, trained

FORMS = forms(16, 64)


def constant(i: float, f: float) -> Draw:
    """Tokens whose gates never change: the decays add up to 150 T; exp(150) is infinite in float32."""

    def draw(T: int, forget_gate: ForgetGate) -> Tokens:
        q, k, v, gate, _ = trained(T, forget_gate)
        return q, k, v, torch.full_like(gate, i), torch.full_like(gate, f)

    return draw


ENDS, BETWEEN = (-150, 150), (-50, 50)
CORNERS: dict[str, Draw] = {f"i = {i}, f = {f}": constant(i, f) for i in ENDS for f in ENDS}
OTHERS: dict[str, Draw] = {
    f"i = {i}, f = {f}": constant(i, f) for i in ENDS + BETWEEN for f in ENDS + BETWEEN if {i, f} & {*BETWEEN}
}
DRAWS: dict[str, Draw] = {"random": extreme, **CORNERS, **OTHERS}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("forget_gate", GATES)
@pytest.mark.parametrize(
    "draw", [pytest.param(draw, marks=[pytest.mark.slow] if draw in OTHERS else []) for draw in DRAWS]
)
@pytest.mark.parametrize("name", FORMS)
def test_output_and_gradients_are_finite(name: str, draw: str, forget_gate: ForgetGate, dtype: torch.dtype) -> None:
    tokens = each(lambda x: x.to(dtype).requires_grad_(), DRAWS[draw](100, forget_gate))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        h = FORMS[name](tokens, forget_gate)
    assert h.dtype == dtype
    assert h.isfinite().all()
    for name, gradient in zip("qkvif", torch.autograd.grad(h, tokens, torch.randn_like(h)), strict=True):
        assert gradient.isfinite().all(), name


@pytest.mark.parametrize("forget_gate", GATES)
@pytest.mark.parametrize("name", FORMS)
def test_bfloat16_is_float32_but_for_the_last_rounding(name: str, forget_gate: ForgetGate) -> None:
    tokens = each(Tensor.bfloat16, trained(100, forget_gate))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        h = FORMS[name](tokens, forget_gate)
    expected = FORMS[name](each(Tensor.float, tokens), forget_gate)
    torch.testing.assert_close(h.float(), expected, rtol=2**-8, atol=1e-6)  # bfloat16 keeps 8 bits


@pytest.mark.parametrize("name", FORMS)
def test_a_shut_forget_gate_leaves_the_token_alone(name: str) -> None:
    """f = 0 forgets everything: each token reads as if it were the only one."""
    q, k, v, i, f = trained(33, "sigmoid", dtype=torch.float64)
    h = FORMS[name]((q, k, v, i, torch.full_like(f, -200.0)), "sigmoid")
    weight = i.exp()[..., None] * (k * q).sum(-1, keepdim=True)
    assert distance(h, weight * v / weight.abs().clamp(min=1)) < 1e-12
