"""Exponential gating of the mLSTM in log space: TM-UNet section 2.1, Eq. 2 and 3. Every form of the mLSTM starts here."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

ForgetGate = Literal["sigmoid", "exponential"]


def log_gates(
    q: Tensor, k: Tensor, v: Tensor, i: Tensor, f: Tensor, forget_gate: ForgetGate
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return q, k, v, log i and log f in the type of the memory: float64 for float64 input, else float32."""
    if forget_gate not in ("sigmoid", "exponential"):
        raise ValueError(f"Expected `forget_gate` to be 'sigmoid' or 'exponential', but got {forget_gate!r}.")
    dtype = torch.float64 if q.dtype == torch.float64 else torch.float32
    q, k, v, log_i, log_f = (x.to(dtype) for x in (q, k, v, i, f))  # Eq. 2: i = exp(i~)
    if forget_gate == "sigmoid":  # Eq. 3
        # logsigmoid(f~); ONNX exports that as the logarithm of a sigmoid, which is -inf for f~ < -104
        log_f = -F.softplus(-log_f, threshold=50.0)
    return q, k, v, log_i, log_f


def normalizer_floor(m: Tensor) -> Tensor:
    """Return exp(-m), the least |n . q| that h is divided by, kept finite: infinity would give gradients of 0 * inf."""
    return torch.exp((-m).clamp(max=math.log(torch.finfo(m.dtype).max) - 1))


def split_chunks(x: Tensor, S: int, padding: float = 0.0) -> Tensor:
    """Split tokens into chunks: (B, NH, T, ...) -> (B, NH, N, S, ...), the last chunk padded at its end."""
    T = x.shape[2]
    if T % S:
        x = F.pad(x, (0, 0) * (x.ndim - 3) + (0, -T % S), value=padding)
    return x.reshape(*x.shape[:2], -1, S, *x.shape[3:])


def chunk_gates(log_i: Tensor, log_f: Tensor, S: int) -> tuple[Tensor, Tensor]:
    """Split gates (B, NH, T) into chunks and sum them: F_t = sum of log f up to t, g_t = log i_t - F_t, both (B, NH, N, S)."""
    F_t = split_chunks(log_f, S).cumsum(-1)
    return F_t, split_chunks(log_i, S, padding=-torch.inf) - F_t
