"""Fast chunkwise mLSTM for the CPU: one scale for each chunk, and a hand-written gradient that keeps only the inputs.

The same function as `tmunet.nn.mlstm.mlstm_chunkwise`, whose notation is used. There each token t has its scale mu_t, so that no
gate can overflow, which takes S x S exponentials in each chunk. Here chunk n has one scale c_n, the largest of its mu_t, and the
gates go into the values: v'_s = exp(g_s - c_n) [v_s, 1]. With b_n, the sum of log f over all chunks before chunk n, what is left
are products with triangular matrices:

    U_n = sum of k_s v'_s^T over the tokens s of chunk n                              addition of the chunk to the memory
    C_n = sum over chunks j < n of M_nj U_j,  M_nj = exp((b_n - c_n) - (b_j - c_j))   the memory that enters the chunk
    [N_t, d_t] = sum_{s <= t} (q_t . k_s) v'_s + q_t C_n                              h_t = N_t / max(|d_t|, exp(-F_t - c_n))

This is exact while mu grows by less than `RANGE` in every chunk, so that exp(mu_t - c_n) does not vanish. Gates that forget
almost everything at once break this; then the caller's fallback, the specification, is computed.

The gradient follows product by product; with r_t that of [N_t, d_t], that of U is R = M^T (sum of q_t r_t^T). Gates need no
more: the result depends on them only through q_t exp(F_t) and k_s exp(log i_s - F_s), F summed over the whole sequence, so that

    d log i_s = k_s . dk_s      dF_t = q_t . dq_t - k_t . dk_t      d log f_t = sum_{s >= t} dF_s = -sum_{s < t} dF_s

where the tokens of earlier chunks together give -(C_n . R_n + sum of q_t C_n . r_t over the chunk): no sum grows with T.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from tmunet.nn.gates import ForgetGate, chunk_gates, log_gates, normalizer_floor, split_chunks

RANGE = 60.0  # exp(-60) is 1e-26, and float32 keeps all its digits down to 1e-38
GROUP = 64  # chunks that one triangular product combines; more are combined group by group

Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
"""q, k, v, i~, f~ of the mLSTM."""


def chunkwise_kernel(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    i: Tensor,
    f: Tensor,
    forget_gate: ForgetGate,
    chunk_size: int,
    fallback: Callable[..., Tensor],
) -> Tensor:
    """Compute the mLSTM; it can be differentiated once.

    Args:
        q: queries (B, NH, T, D).
        k: keys (B, NH, T, D), already divided by sqrt(D).
        v: values (B, NH, T, D).
        i: input gate pre-activations (B, NH, T).
        f: forget gate pre-activations (B, NH, T).
        forget_gate: "sigmoid" or "exponential".
        chunk_size: tokens S of a chunk.
        fallback: the same function of the arguments above, for gates that one scale per chunk does not fit.
    """
    h: Tensor = _ChunkwiseMLSTM.apply(q, k, v, i, f, forget_gate, chunk_size, fallback)  # type: ignore[no-untyped-call]
    return h


class _ChunkwiseMLSTM(torch.autograd.Function):
    """The function and its gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        i: Tensor,
        f: Tensor,
        forget_gate: ForgetGate,
        chunk_size: int,
        fallback: Callable[..., Tensor],
    ) -> Tensor:
        ctx.save_for_backward(q, k, v, i, f)
        ctx.settings, ctx.fallback = (forget_gate, chunk_size), fallback
        with torch.autocast(q.device.type, enabled=False):
            x = _scale(q, k, v, i, f, forget_gate, chunk_size)
            ctx.scaled = x is not None
            if x is None:
                return fallback(q, k, v, i, f, forget_gate, chunk_size)
            N, divisor = numerator_and_denominator(x, readout(x)[0])
            return _join_chunks(N / divisor, q.shape[2]).to(q.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dh: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.scaled:
            with torch.autocast(dh.device.type, enabled=False):
                gradients = tuple(_gradients(ctx.saved_tensors, dh, *ctx.settings))
        else:
            with torch.enable_grad():
                again = [x.detach().requires_grad_() for x in ctx.saved_tensors]
                gradients = torch.autograd.grad(ctx.fallback(*again, *ctx.settings), again, dh)
        return (*gradients, None, None, None)


class _Scaled(NamedTuple):
    """The inputs in chunks, the gates in the values."""

    q: Tensor  # (B, NH, N, S, D)
    k: Tensor  # (B, NH, N, S, D)
    v: Tensor  # v', (B, NH, N, S, D + 1)
    gate: Tensor  # exp(g - c), (B, NH, N, S, 1)
    F_t: Tensor  # (B, NH, N, S)
    c: Tensor  # (B, NH, N)


def _scale(
    q: Tensor, k: Tensor, v: Tensor, i: Tensor, f: Tensor, forget_gate: ForgetGate, chunk_size: int
) -> _Scaled | None:
    """Split into chunks and scale the values; None where one scale does not fit a chunk, or tensors have no values."""
    S = min(chunk_size, q.shape[2])
    q, k, v, log_i, log_f = log_gates(q, k, v, i, f, forget_gate)
    F_t, g = chunk_gates(log_i, log_f, S)  # (B, NH, N, S)
    b = exclusive_cumsum(F_t[..., -1])  # (B, NH, N)
    highest = g.amax(-1)
    m = b + F.pad((highest - b).cummax(-1).values[..., :-1], (1, 0), value=-torch.inf)  # of the memory that enters
    c = torch.maximum(highest, m)
    growth = c - torch.maximum(g[..., 0], m)
    if type(q) is not Tensor or not bool((growth < RANGE).all()):
        return None
    gate = torch.exp(g - c[..., None])[..., None]
    q, k, v = (split_chunks(y, S) for y in (q, k, v))
    scaled = v.new_empty(*v.shape[:-1], v.shape[-1] + 1)
    torch.mul(v, gate, out=scaled[..., :-1])
    scaled[..., -1:] = gate
    return _Scaled(q, k, scaled, gate, F_t, c)


def readout(x: _Scaled) -> tuple[Tensor, Tensor, Tensor]:
    """Return [N, d] (B, NH, N, S, D + 1), the products q . k (B, NH, N, S, S) and the memories C (B, NH, N, D, D + 1)."""
    C = inter_chunk_states(x, x.k.mT @ x.v)
    products = (x.q @ x.k.mT).tril_()
    read = x.q @ C
    read.flatten(0, 2).baddbmm_(products.flatten(0, 2), x.v.flatten(0, 2))
    return read, products, C


def numerator_and_denominator(x: _Scaled, read: Tensor) -> tuple[Tensor, Tensor]:
    """Return N and max(|d|, exp(-F - c)), (B, NH, N, S, 1), kept above 0 for padded tokens."""
    least = normalizer_floor(x.F_t + x.c[..., None])[..., None]
    d = read[..., -1:]
    return read[..., :-1], torch.maximum(d.abs(), least).clamp_(min=torch.finfo(d.dtype).tiny)


def _gradients(inputs: Inputs, dh: Tensor, forget_gate: ForgetGate, chunk_size: int) -> list[Tensor]:
    """Compute the gradients of q, k, v, i~, f~ from that of h."""
    x = _scale(*inputs, forget_gate, chunk_size)
    assert x is not None  # the forward pass checked it
    read, products, C = readout(x)
    d, (N, divisor) = read[..., -1:], numerator_and_denominator(x, read)
    dN = split_chunks(dh.to(d.dtype), x.q.shape[3]) / divisor
    dd = -(dN * N).sum(-1, keepdim=True) / divisor * d.sign() * (d.abs() == divisor)
    r = torch.cat([dN, dd], dim=-1)  # (B, NH, N, S, D + 1)

    R = inter_chunk_states(x, x.q.mT @ r, transposed=True)
    dproducts = (r @ x.v.mT).tril_()
    from_memory = r @ C.mT  # (B, NH, N, S, D)
    dq = (dproducts @ x.k).add_(from_memory)
    dk = (dproducts.mT @ x.q).add_(x.v @ R.mT)
    dv = (products.mT @ dN).add_(x.k @ R[..., :-1]).mul_(x.gate)
    di = (x.k * dk).sum(-1)  # (B, NH, N, S)
    dF = (x.q * dq).sum(-1) - di
    entering = (C * R).sum((-2, -1)) + (x.q * from_memory).sum((-2, -1))  # (B, NH, N)
    df = entering[..., None] - F.pad(dF.cumsum(-1)[..., :-1], (1, 0))
    T = dh.shape[2]
    gradients = [_join_chunks(y, T) for y in (dq, dk, dv, di, df)]
    if forget_gate == "sigmoid":
        gradients[-1] = gradients[-1] * torch.sigmoid(-inputs[4].to(df.dtype))
    return [y.to(one.dtype) for y, one in zip(gradients, inputs, strict=True)]


def inter_chunk_states(x: _Scaled, U: Tensor, transposed: bool = False) -> Tensor:
    """Compute M U or M^T U for U (B, NH, N, D, D + 1), group by group of chunks."""
    N = U.shape[2]
    if N <= GROUP:
        M = chunk_decay(x, 0, N)
        return apply_decay(M.mT if transposed else M, U)
    out = torch.empty_like(U)
    starts = range(0, N, GROUP)
    for start in reversed(starts) if transposed else starts:
        stop = min(start + GROUP, N)
        end = min(stop + 1, N)  # a group reaches to the first chunk of the next one
        M = chunk_decay(x, start, end)
        if transposed:
            out[:, :, start:stop] = apply_decay(M[..., : stop - start, : stop - start].mT, U[:, :, start:stop])
            if end > stop:
                reach = M[..., -1, :-1, None, None]
                out[:, :, start:stop].addcmul_(reach, (U[:, :, stop] + out[:, :, stop])[:, :, None])
        else:
            first = out[:, :, start].clone() if start else None
            out[:, :, start:end] = apply_decay(M[..., : stop - start], U[:, :, start:stop])
            if first is not None:
                reach = torch.cat([torch.ones_like(M[..., :1, :1]), M[..., 1:, :1]], dim=2)[..., None]
                out[:, :, start:end].addcmul_(reach, first[:, :, None])
    return out


def chunk_decay(x: _Scaled, start: int, end: int) -> Tensor:
    """Compute M between the chunks from `start` to `end`, (B, NH, n, n)."""
    z = exclusive_cumsum(x.F_t[:, :, start:end, -1]) - x.c[..., start:end]
    return torch.exp((z[..., :, None] - z[..., None, :]).tril_(-1)).tril_(-1)


def apply_decay(M: Tensor, U: Tensor) -> Tensor:
    """Multiply (B, NH, n, m) by (B, NH, m, D, E) -> (B, NH, n, D, E)."""
    return (M @ U.flatten(3)).reshape(*M.shape[:3], *U.shape[3:])


def exclusive_cumsum(a: Tensor) -> Tensor:
    """Sum all earlier values, (..., N) -> (..., N)."""
    return F.pad(a.cumsum(-1)[..., :-1], (1, 0))


def _join_chunks(x: Tensor, T: int) -> Tensor:
    """Join chunks and drop the padding: (B, NH, N, S, ...) -> (B, NH, T, ...)."""
    return x.flatten(2, 3)[:, :, :T]
