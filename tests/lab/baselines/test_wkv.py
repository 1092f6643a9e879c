"""WKV: the sums of the original kernel, step by step and in one go; gradients; long sequences; cost."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from tmunet_lab.baselines.wkv import wkv

from .recipes import sequence


def step_by_step(decay: Tensor, bonus: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The original's states, moved from token to token inside a segment and summed anew at the start of each."""
    T = k.shape[1]
    L = -(-T // 32)
    e = torch.exp(k)
    x = torch.stack([e * v, e])  # (2, B, T, C)
    i = torch.arange(T)[:, None]
    rows = []
    for t in range(T):
        far = torch.exp(-(t - i).abs() * decay)  # (T, C)
        if t % L == 0:
            behind, ahead = (x * far * (i < t)).sum(2), (x * far * (i > t)).sum(2)  # (2, B, C)
        else:
            behind = torch.exp(-decay) * behind + x[:, :, t - 1]
            ahead = torch.exp(decay) * (ahead - x[:, :, t])
        num, den = behind + ahead + torch.exp(bonus) * x[:, :, t]
        largest = torch.where(i == t, torch.exp(bonus), far) * e  # (B, T, C)
        rows.append(num / (den + 1e-6 * largest.amax(1)))
    return torch.stack(rows, dim=1)


def tokens(B: int, T: int, C: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    """Decay and bonus of one step, keys and values, of the sizes that a fresh network has."""
    draw = torch.Generator().manual_seed(seed)
    w, u, k, v = (torch.randn(*s, generator=draw, dtype=torch.float64) for s in ((C,), (C,), (B, T, C), (B, T, C)))
    return (w / T).to(dtype), (u / T).to(dtype), k.to(dtype), v.to(dtype)


def relative_error(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected.double()).abs().max() / expected.abs().max())


def test_five_tokens_are_those_of_the_original_kernel() -> None:
    w, u = torch.tensor([0.8, -0.3]).double() / 5, torch.tensor([0.5, -0.7]).double() / 5
    y = wkv(w, u, sequence(10).reshape(1, 5, 2), sequence(10, 100).reshape(1, 5, 2))
    expected = (6.8617678e-01, -4.0394654e-02, 6.8439111e-01, -8.0381765e-02, 6.4136550e-01, -7.3086204e-02)
    # The digits were measured on the kernel's own arithmetic, and differ from exact ones in the eighth.
    assert [float(value) for value in y[0, :3].flatten()] == pytest.approx(expected, rel=1e-7)


def test_forty_tokens_are_those_of_the_original_sum_up_to_epsilon() -> None:
    w, u = torch.tensor([0.8, -0.3]).double() / 40, torch.tensor([0.5, -0.7]).double() / 40
    y = wkv(w, u, sequence(80).reshape(1, 40, 2), sequence(80, 100).reshape(1, 40, 2))
    found = (y[0, 0, 0], y[0, 1, 0], y[0, 20, 0], y[0, 39, 1], y.mean(), y.std(correction=0))
    expected = (8.6583103e-02, 8.5710104e-02, 6.0007088e-02, -1.7532858e-01, -4.5908337e-02, 1.2508046e-01)
    assert [float(value) for value in found] == pytest.approx(expected, rel=1e-6)
    assert float(y[0, 1, 0]) != pytest.approx(8.6546526e-02, rel=1e-3)  # the symmetric sum is another one


@given(
    B=st.integers(1, 3),
    T=st.integers(1, 200),
    decay=st.floats(-20, 20),
    bonus=st.floats(-3, 3),
    seed=st.integers(0, 99),
)
def test_one_go_is_step_by_step(B: int, T: int, decay: float, bonus: float, seed: int) -> None:
    w, u, k, v = tokens(B, T, 3, seed)
    w, u = w + decay / T, u + bonus
    expected = step_by_step(w, u, 3 * k, v)
    assert relative_error(wkv(w, u, 3 * k, v), expected) < 1e-9


@given(T=st.integers(1, 32), seed=st.integers(0, 99))
def test_up_to_32_tokens_both_directions_are_alike(T: int, seed: int) -> None:
    w, u, k, v = tokens(2, T, 3, seed)
    assert torch.allclose(wkv(w, u, k.flip(1), v.flip(1)), wkv(w, u, k, v).flip(1), rtol=1e-10)


def test_equal_values_are_their_own_mean() -> None:
    w, u, k, _ = tokens(2, 77, 5)
    assert relative_error(wkv(w, u, k, torch.full_like(k, 3.0)), torch.full_like(k, 3.0)) < 1.1e-6  # epsilon


@pytest.mark.parametrize("T", [1, 5, 35])
def test_gradients_are_those_of_finite_differences(T: int) -> None:
    inputs = [x.requires_grad_() for x in tokens(1, T, 2)]
    assert torch.autograd.gradcheck(wkv, inputs, atol=3e-6)  # the scale of epsilon is a constant to them


def test_a_long_sequence_in_float32_is_that_in_float64() -> None:
    results = []
    for dtype in (torch.float64, torch.float32):
        inputs = [x.requires_grad_() for x in tokens(1, 16384, 4, dtype=dtype)]
        y = wkv(*inputs)
        (y * sequence(y.numel()).reshape(y.shape).to(dtype)).sum().backward()
        results.append([y.detach(), *(x.grad for x in inputs)])
    for expected, found in zip(*results, strict=True):
        assert found is not None
        assert expected is not None
        assert found.dtype == torch.float32
        assert relative_error(found, expected) < 1e-4


@pytest.mark.parametrize("T", [16, 1000])
@pytest.mark.parametrize("decay", [-70.0, 0.0, 20.0])
@pytest.mark.parametrize("size", [1.0, 100.0, 1e4])
def test_extreme_keys_and_decays_keep_float32_finite_and_right(T: int, decay: float, size: float) -> None:
    w, u, k, v = tokens(2, T, 3, dtype=torch.float32)
    w, k = w + decay / T, (size * k).requires_grad_()
    y = wkv(w, u, k, v)
    y.sum().backward()
    assert k.grad is not None
    assert k.grad.isfinite().all()
    assert relative_error(y.detach(), wkv(w.double(), u.double(), k.detach().double(), v.double())) < 1e-4


def test_autocast_does_not_reach_inside() -> None:
    w, u, k, v = tokens(2, 50, 4, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = wkv(w, u, k.bfloat16(), v.bfloat16())
    assert y.dtype == torch.bfloat16
    assert torch.equal(y, wkv(w, u, k.bfloat16().float(), v.bfloat16().float()).bfloat16())


class Work(TorchDispatchMode):
    """Counts operations and the values that they put out."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = self.values = 0

    def __torch_dispatch__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.operations += 1
        results = result if isinstance(result, (tuple, list)) else [result]
        self.values += sum(x.numel() for x in results if x is not None)
        return result


def work(T: int) -> Work:
    inputs = [x.requires_grad_() for x in tokens(1, T, 2)]
    with Work() as counted:
        wkv(*inputs).sum().backward()
    return counted


def test_work_is_linear_and_has_no_loop() -> None:
    short, long = work(1024), work(4096)
    assert long.operations == short.operations < 400
    assert long.values < 4 * short.values


@pytest.mark.parametrize(
    ("T", "pairs"),
    [(16, 16 * 16), (32, 32 * 32), (70, 2 * 24 * 24), (4096, 2 * 32 * 32)],  # 70: 23 segments of 3 and one of 1
)
def test_matrix_products_are_those_of_pairs(T: int, pairs: int) -> None:
    w, u, k, v = tokens(2, T, 3)
    with FlopCounterMode(display=False) as counter:
        wkv(w, u, k, v)
    assert counter.get_total_flops() // 2 == pairs * 3 * (2 * 2)  # channels; numerator and denominator of two images
