"""The matrix LSTM (mLSTM), the token memory of TM-UNet: recurrent, parallel and chunkwise form of one function.

TM-UNet section 2.1, Eq. 1-3, and section 2.2; Beck et al., "xLSTM: Extended Long Short-Term Memory", NeurIPS 2024.
For each head, with query q_t, key k_t (already divided by sqrt(D)), value v_t and the gate pre-activations i~_t, f~_t:

    log i_t = i~_t          log f_t = logsigmoid(f~_t) or f~_t                                              (Eq. 2, 3)
    m_t = max(log f_t + m_{t-1}, log i_t)                                  the stabilizer: no exponent is above 0
    C_t = exp(log f_t + m_{t-1} - m_t) C_{t-1} + exp(log i_t - m_t) k_t v_t^T      the D x D memory, c_t of Eq. 1
    n_t = exp(log f_t + m_{t-1} - m_t) n_{t-1} + exp(log i_t - m_t) k_t                              its normalizer
    h_t = C_t^T q_t / max(|n_t . q_t|, exp(-m_t))                   the output gate o_t of Eq. 1 is in `tmunet.nn.xlstm`

Departs from Eq. 2: the gates have no recurrent term r_i h_{t-1}, as in the mLSTM of xLSTM. Only so can the tokens of a
sequence be computed together, which the chunkwise mode of section 2.2 does.

All forms take q, k, v (B, NH, T, D) and i~, f~ (B, NH, T) with T >= 1; images and heads may come in any order. The result h has
the shape of v and the type of q. They compute in float32 (float64 for float64 input) under autocast too, and raise ValueError for
an unknown forget gate or a chunk size below 1.

- `mlstm_recurrent`: one step a token, O(T D^2), with a state to resume from. The specification.
- `mlstm_parallel`: all pairs of tokens, O(T^2 D). For tests and very short sequences.
- `mlstm_chunkwise`: all pairs inside chunks of S tokens, states between chunks, O(T S D + T D^2).
- `mlstm`: what the network calls; chooses between `mlstm_chunkwise` and its fast kernel.

The chunkwise form: with F_t = log f_1 + ... + log f_t and g_s = log i_s - F_s, the recurrence for m solves to m_t = F_t + mu_t,
mu_t = max_{s <= t} g_s, and token s enters C_t and n_t with the weight exp(g_s - mu_t) <= 1. The result does not depend on the
stabilizer (it divides numerator and denominator alike), so no gradient flows through mu.
"""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tmunet.nn.gates import ForgetGate, chunk_gates, log_gates, normalizer_floor, split_chunks
from tmunet.nn.kernels.chunkwise import chunkwise_kernel

CHUNKS_PER_GROUP = 64  # chunk states that one triangular product combines; more are combined group by group


def mlstm(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    i: Tensor,
    f: Tensor,
    forget_gate: ForgetGate,
    chunk_size: int,
    impl: Literal["auto", "chunkwise", "kernel"] = "auto",
) -> Tensor:
    """Compute the mLSTM of a sequence: the one place that chooses an implementation. Arguments as in `mlstm_chunkwise`.

    ``impl="chunkwise"`` is the specification. ``"kernel"`` is faster and keeps only its inputs for the gradient, but can be
    differentiated only once. ``"auto"`` is the specification under a compiler or exporter, which can neither branch on values nor
    read a hand-written gradient, and in inference on a GPU, where a branch on values waits for the device; else the kernel.
    """
    if impl == "auto":
        gpu_inference = q.device.type != "cpu" and not torch.is_grad_enabled()
        impl = "chunkwise" if torch.compiler.is_compiling() or gpu_inference else "kernel"
    if impl == "chunkwise":
        return mlstm_chunkwise(q, k, v, i, f, forget_gate, chunk_size)
    return chunkwise_kernel(q, k, v, i, f, forget_gate, chunk_size, fallback=mlstm_chunkwise)


class MLSTMState(NamedTuple):
    """State of the recurrence: memory C (B, NH, D, D), normalizer n (B, NH, D), stabilizer m (B, NH)."""

    C: Tensor
    n: Tensor
    m: Tensor


def mlstm_recurrent(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    i: Tensor,
    f: Tensor,
    forget_gate: ForgetGate = "sigmoid",
    state: MLSTMState | None = None,
) -> tuple[Tensor, MLSTMState]:
    """Compute the mLSTM step by step: the equations of this module's docstring, one by one.

    Args:
        q: queries (B, NH, T, D).
        k: keys (B, NH, T, D), already divided by sqrt(D).
        v: values (B, NH, T, D).
        i: input gate pre-activations i~ (B, NH, T).
        f: forget gate pre-activations f~ (B, NH, T).
        forget_gate: "sigmoid" or "exponential" (Eq. 3).
        state: state after earlier tokens; None is the empty memory.

    Returns:
        h (B, NH, T, D) and the state after the last token.
    """
    with torch.autocast(q.device.type, enabled=False):
        dtype = q.dtype
        q, k, v, log_i, log_f = log_gates(q, k, v, i, f, forget_gate)
        B, NH, T, D = q.shape
        if state is None:
            state = MLSTMState(q.new_zeros(B, NH, D, D), q.new_zeros(B, NH, D), q.new_full((B, NH), -torch.inf))
        C, n, m = state
        h = []
        for t in range(T):
            m_next = torch.maximum(log_f[..., t] + m, log_i[..., t])  # (B, NH)
            keep = torch.exp(log_f[..., t] + m - m_next)
            add = torch.exp(log_i[..., t] - m_next)
            C = keep[..., None, None] * C + add[..., None, None] * k[..., t, :, None] * v[..., t, None, :]
            n = keep[..., None] * n + add[..., None] * k[..., t, :]
            m = m_next
            read = torch.einsum("bhde,bhd->bhe", C, q[..., t, :])
            norm = torch.einsum("bhd,bhd->bh", n, q[..., t, :])
            h.append(read / torch.maximum(norm.abs(), normalizer_floor(m))[..., None])
        return torch.stack(h, dim=2).to(dtype), MLSTMState(C, n, m)


def mlstm_parallel(
    q: Tensor, k: Tensor, v: Tensor, i: Tensor, f: Tensor, forget_gate: ForgetGate = "sigmoid"
) -> Tensor:
    """Compute the mLSTM in quadratic form, T x T weights. Arguments and result as in `mlstm_recurrent`."""
    with torch.autocast(q.device.type, enabled=False):
        dtype = q.dtype
        q, k, v, log_i, log_f = log_gates(q, k, v, i, f, forget_gate)
        T = q.shape[2]
        earlier = torch.ones(T, T, dtype=torch.bool, device=q.device).tril(-1)  # token s before token t
        decay = log_f[..., None].masked_fill(~earlier, 0.0).cumsum(-2)  # log f_{s+1} + ... + log f_t, (B, NH, T, T)
        later = earlier.mT
        log_weights = (decay + log_i[..., None, :]).masked_fill(later, -torch.inf)
        m = log_weights.detach().amax(-1, keepdim=True)  # (B, NH, T, 1)
        weights = torch.exp(log_weights - m) * (q @ k.mT)
        norm = weights.sum(-1, keepdim=True)
        return (weights @ v / torch.maximum(norm.abs(), normalizer_floor(m))).to(dtype)


def mlstm_chunkwise(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    i: Tensor,
    f: Tensor,
    forget_gate: ForgetGate = "sigmoid",
    chunk_size: int = 32,
) -> Tensor:
    """Compute the mLSTM in linear time: the quadratic form inside chunks of S = `chunk_size` tokens, states between them.

    Arguments and result as in `mlstm_recurrent`; T need not be a multiple of S. In float32 the sums of log f over a chunk lose
    digits where they are large: with gates of -50 and chunks of up to 64 tokens the relative error is about 1e-4.
    """
    with torch.autocast(q.device.type, enabled=False):
        if chunk_size < 1:
            raise ValueError(f"Expected `chunk_size` to be at least 1, but got {chunk_size}.")
        dtype, T = q.dtype, q.shape[2]
        S = min(chunk_size, T)
        q, k, v, log_i, log_f = log_gates(q, k, v, i, f, forget_gate)
        v1 = F.pad(v, (0, 1), value=1.0)  # the column of ones turns sums of weights into the normalizer n . q
        q, k, v1 = (split_chunks(x, S) for x in (q, k, v1))  # (B, NH, N, S, D or D + 1)
        F_t, g = chunk_gates(log_i, log_f, S)  # (B, NH, N, S)

        # Each chunk alone, from the empty memory: what it adds to the memory, at its last token.
        g_max = g.detach().amax(-1)  # (B, NH, N)
        U = (k * torch.exp(g - g_max[..., None])[..., None]).mT @ v1  # (B, NH, N, D, D + 1)
        C, m = inter_chunk_states(U, F_t[..., -1] + g_max, F_t[..., -1])  # the memory that enters each chunk

        # Readout of each token: the memory that enters its chunk, and the tokens of its chunk up to itself.
        g = _causal(g)  # (B, NH, N, S, S)
        mu = torch.maximum(g.detach().amax(-1), m.detach()[..., None])  # (B, NH, N, S)
        q_memory = q * torch.exp(m[..., None] - mu)[..., None]
        read = (torch.exp(g - mu[..., None]) * (q @ k.mT)) @ v1 + q_memory @ C  # (B, NH, N, S, D + 1)
        read, m = read.flatten(2, 3)[:, :, :T], (F_t + mu).flatten(2)[..., :T]  # a padded token could be 0 / 0
        h, norm = read[..., :-1], read[..., -1:]
        return (h / torch.maximum(norm.abs(), normalizer_floor(m)[..., None])).to(dtype)  # (B, NH, T, D)


def _causal(g: Tensor) -> Tensor:
    """Mask later tokens: g_s for s <= t, -inf for s > t, (..., T) -> (..., T, T) with t before s."""
    T = g.shape[-1]
    later = torch.ones(T, T, dtype=torch.bool, device=g.device).triu(1)
    return g[..., None, :].masked_fill(later, -torch.inf)


def inter_chunk_states(U: Tensor, m: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the memory that enters each of N consecutive segments.

    Args:
        U: additions of the segments to the memory (B, NH, N, D, E), scaled by exp(-m).
        m: their stabilizers (B, NH, N).
        a: log decay over each whole segment (B, NH, N).

    Returns:
        The memories (B, NH, N, D, E), the first one empty, and their stabilizers (B, NH, N), the first one -inf.
    """
    N = m.shape[-1]
    if N == 1:
        return torch.zeros_like(U), torch.full_like(m, -torch.inf)
    if N > CHUNKS_PER_GROUP:
        return _inter_group_states(U, m, a)
    A = a.cumsum(-1)
    g = _causal(m - A)  # (B, NH, N, N)
    mu = g.detach().amax(-1)
    C = (torch.exp(g - mu[..., None]) @ U.flatten(3)).reshape(U.shape)  # the memory that leaves each segment
    C = torch.cat([torch.zeros_like(C[:, :, :1]), C[:, :, :-1]], dim=2)
    return C, F.pad((A + mu)[..., :-1], (1, 0), value=-torch.inf)


def _inter_group_states(U: Tensor, m: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    """Combine the states of many segments inside groups, then (recursively) between groups: linear cost in N."""
    B, NH, N, D, E = U.shape
    G = CHUNKS_PER_GROUP
    extra = -N % G
    U = F.pad(U, (0, 0, 0, 0, 0, extra)).reshape(B, -1, G, D, E)  # (B, NH N / G, G, D, E): a group is like a head
    m = F.pad(m, (0, extra), value=-torch.inf).reshape(B, -1, G)
    a = F.pad(a, (0, extra)).reshape(B, -1, G)
    A = a.cumsum(-1)
    inner, inner_m = inter_chunk_states(U, m, a)
    total, total_m = combine_states(inner[:, :, -1], inner_m[..., -1] + a[..., -1], U[:, :, -1], m[..., -1])
    groups = (B, NH, -1)
    outer, outer_m = inter_chunk_states(
        total.reshape(*groups, D, E), total_m.reshape(groups), A[..., -1].reshape(groups)
    )
    reach = F.pad(A[..., :-1], (1, 0))  # log decay from the start of the group to the start of each segment
    C, m = combine_states(inner, inner_m, outer.flatten(1, 2)[:, :, None], outer_m.flatten(1, 2)[..., None] + reach)
    return C.reshape(B, NH, -1, D, E)[:, :, :N], m.reshape(B, NH, -1)[..., :N]


def combine_states(C1: Tensor, m1: Tensor, C2: Tensor, m2: Tensor) -> tuple[Tensor, Tensor]:
    """Add two memories with stabilizers m1 and m2; two empty ones (m = -inf) give an empty one."""
    m = torch.maximum(m1.detach(), m2.detach())
    pivot = m.clamp(min=torch.finfo(m.dtype).min)  # -inf - (-inf) would be NaN
    C = torch.exp(m1 - pivot)[..., None, None] * C1 + torch.exp(m2 - pivot)[..., None, None] * C2
    return C, m
