"""Random queries, keys, values and gates for the mLSTM, and its forms under one signature."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

from tmunet.nn.gates import ForgetGate
from tmunet.nn.mlstm import mlstm, mlstm_chunkwise, mlstm_parallel, mlstm_recurrent

GATES: tuple[ForgetGate, ...] = ("sigmoid", "exponential")
Tokens = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]  # q, k, v (B, NH, T, D), i, f (B, NH, T)
Form = Callable[[Tokens, ForgetGate], Tensor]
Draw = Callable[[int, ForgetGate], Tokens]
Changed = TypeVar("Changed")


def each(change: Callable[[Tensor], Changed], tokens: Tokens) -> tuple[Changed, Changed, Changed, Changed, Changed]:
    """The same change for q, k, v, i and f."""
    q, k, v, i, f = tokens
    return change(q), change(k), change(v), change(i), change(f)


def recurrent(tokens: Tokens, forget_gate: ForgetGate) -> Tensor:
    return mlstm_recurrent(*tokens, forget_gate)[0]


def parallel(tokens: Tokens, forget_gate: ForgetGate) -> Tensor:
    return mlstm_parallel(*tokens, forget_gate)


def chunkwise(tokens: Tokens, forget_gate: ForgetGate, chunk_size: int) -> Tensor:
    return mlstm_chunkwise(*tokens, forget_gate, chunk_size)


def fast(tokens: Tokens, forget_gate: ForgetGate, chunk_size: int) -> Tensor:
    return mlstm(*tokens, forget_gate, chunk_size, impl="kernel")


def forms(*chunk_sizes: int) -> dict[str, Form]:
    """The three forms and the one that the network runs, the chunkwise ones with each chunk size."""
    chunked = {f"chunkwise {S}": partial(chunkwise, chunk_size=S) for S in chunk_sizes}
    quick = {f"fast {S}": partial(fast, chunk_size=S) for S in chunk_sizes}
    return {"recurrent": recurrent, "parallel": parallel, **chunked, **quick}


def trained(
    T: int, forget_gate: ForgetGate, B: int = 2, NH: int = 2, D: int = 4, dtype: torch.dtype = torch.float32
) -> Tokens:
    """Gates as after training: the memory lasts for some tens of tokens; everything Gaussian."""
    q, k, v = (torch.randn(B, NH, T, D, dtype=dtype) for _ in range(3))
    noise = torch.randn(B, NH, T, dtype=dtype)
    f = 3 + noise if forget_gate == "sigmoid" else -noise.abs() / 10
    return q, k / D**0.5, v, torch.randn(B, NH, T, dtype=dtype), f


def extreme(T: int, forget_gate: ForgetGate, dtype: torch.dtype = torch.float32) -> Tokens:
    """Gates that open and shut by factors of exp(50); everything else Gaussian."""
    q, k, v, i, f = trained(T, forget_gate, dtype=dtype)
    return q, k, v, torch.empty_like(i).uniform_(-50, 50), torch.empty_like(f).uniform_(-50, 50)


def extreme_positive(T: int, forget_gate: ForgetGate) -> Tokens:
    """Extreme gates with n . q >= 0: with Gaussian q and k it cancels, and even float64 loses 7 digits of h."""
    q, k, v, i, f = extreme(T, forget_gate)
    return q.abs(), k.abs(), v, i, f


def distance(result: Tensor, expected: Tensor) -> float:
    """The largest difference, relative to the largest expected value."""
    return float((result.double() - expected.double()).abs().max() / expected.double().abs().max())
