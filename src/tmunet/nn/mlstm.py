"""The matrix LSTM (mLSTM): the token memory of TM-UNet, as one function in three forms.

Beck et al., "xLSTM: Extended Long Short-Term Memory", NeurIPS 2024; TM-UNet section 2.1, Eq. 1-3, and section 2.2.
For each head, with query q_t, key k_t (already divided by sqrt(D)), value v_t and the gate pre-activations i~_t, f~_t:

    log i_t = i~_t          log f_t = logsigmoid(f~_t) or f~_t                                              (Eq. 2, 3)
    m_t = max(log f_t + m_{t-1}, log i_t)                                  the stabilizer: no exponent is above 0
    C_t = exp(log f_t + m_{t-1} - m_t) C_{t-1} + exp(log i_t - m_t) k_t v_t^T                      the D x D memory
    n_t = exp(log f_t + m_{t-1} - m_t) n_{t-1} + exp(log i_t - m_t) k_t                              its normalizer
    h_t = C_t^T q_t / max(|n_t . q_t|, exp(-m_t))

One contract for all forms: q, k, v of shape (B, NH, T, D), i~ and f~ of shape (B, NH, T), T >= 1, images and heads in any order;
the result h has the shape of v and the type of q. Inside, everything is float32 (float64 for float64 input) whatever the
autocast type is.

Eq. 2 also feeds h_{t-1} into the gates (r_i h_{t-1}); here, as in the mLSTM of xLSTM, nothing does: only so can the tokens of a
sequence be computed together, as section 2.2 has it.

All forms raise ValueError for another forget gate or chunk size.

- `mlstm_recurrent`: one step a token, O(T D^2), with a state that can be handed on. The specification.
- `mlstm_parallel`: every pair of tokens, O(T^2 D). For checking and for very short sequences.
- `mlstm_chunkwise`: pairs inside chunks of S tokens, states between chunks, O(T S D + T D^2). The network runs it in the faster
  arrangement of `tmunet.nn.kernels.chunkwise`, and as it is here where a compiler or an exporter looks on.

The chunkwise form uses the following. With F_t = log f_1 + ... + log f_t and g_s = log i_s - F_s, the recurrence for m solves to
m_t = F_t + mu_t, mu_t = max_{s <= t} g_s, and token s enters C_t and n_t with the weight exp(g_s - mu_t) <= 1.
The result does not depend on the stabilizer (it divides numerator and denominator alike), so no gradient flows through mu.
"""

import math
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

ForgetGate = Literal["sigmoid", "exponential"]

CHUNKS_PER_GROUP = 64  # how many chunk states one triangular product joins; more chunks are joined group by group


class MLSTMState(NamedTuple):
    """The token memory after some tokens: memory C (B, NH, D, D), normalizer n (B, NH, D), stabilizer m (B, NH)."""

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
    """Step by step form, the equations of this module's docstring one by one.

    Args:
        q: queries (B, NH, T, D).
        k: keys (B, NH, T, D), already divided by sqrt(D).
        v: values (B, NH, T, D).
        i: input gate pre-activations i~ (B, NH, T).
        f: forget gate pre-activations f~ (B, NH, T).
        forget_gate: "sigmoid" or "exponential" (Eq. 3).
        state: the memory left by earlier tokens; None is the empty memory.

    Returns:
        h (B, NH, T, D) and the memory after the last token.
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
    """Quadratic form: T x T weights. Arguments and result as in `mlstm_recurrent`, from the empty memory."""
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
    """Linear form: the quadratic form inside chunks of S = `chunk_size` tokens, the memory between them.

    Arguments and result as in `mlstm_recurrent`, from the empty memory; T need not be a multiple of S. Time and memory grow
    in proportion to T. No Python loop over tokens or chunks. In float32 the sums of log f over a chunk lose digits where they
    are large: gates of -50 and chunks up to 64 tokens cost a relative error of about 1e-4, trained gates none that counts.
    """
    with torch.autocast(q.device.type, enabled=False):
        if chunk_size < 1:
            raise ValueError(f"Expected `chunk_size` to be at least 1, but got {chunk_size}.")
        dtype, T = q.dtype, q.shape[2]
        S = min(chunk_size, T)
        q, k, v, log_i, log_f = log_gates(q, k, v, i, f, forget_gate)
        v1 = F.pad(v, (0, 1), value=1.0)  # the column of ones turns sums of weights into the normalizer n . q
        q, k, v1 = (chunks(x, S) for x in (q, k, v1))  # (B, NH, N, S, D or D + 1)
        log_f = chunks(log_f[..., None], S).squeeze(-1)  # (B, NH, N, S)
        log_i = chunks(log_i[..., None], S, padding=-torch.inf).squeeze(-1)

        # Every chunk on its own, from the empty memory: what it adds to the memory, at its last token.
        F_t = log_f.cumsum(-1)
        g = log_i - F_t
        g_max = g.detach().amax(-1)  # (B, NH, N)
        U = (k * torch.exp(g - g_max[..., None])[..., None]).mT @ v1  # (B, NH, N, D, D + 1)
        C, m = carry(U, F_t[..., -1] + g_max, F_t[..., -1])  # the memory that enters each chunk

        # Each token reads the memory that entered its chunk and the tokens of its chunk up to itself.
        g = _causal(g)  # (B, NH, N, S, S)
        mu = torch.maximum(g.detach().amax(-1), m.detach()[..., None])  # (B, NH, N, S)
        q_memory = q * torch.exp(m[..., None] - mu)[..., None]
        read = (torch.exp(g - mu[..., None]) * (q @ k.mT)) @ v1 + q_memory @ C  # (B, NH, N, S, D + 1)
        read, m = read.flatten(2, 3)[:, :, :T], (F_t + mu).flatten(2)[..., :T]  # a padded token could be 0 / 0
        h, norm = read[..., :-1], read[..., -1:]
        return (h / torch.maximum(norm.abs(), normalizer_floor(m)[..., None])).to(dtype)  # (B, NH, T, D)


def log_gates(
    q: Tensor, k: Tensor, v: Tensor, i: Tensor, f: Tensor, forget_gate: ForgetGate
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """q, k, v, log i, log f in the type that the memory is kept in."""
    if forget_gate not in ("sigmoid", "exponential"):
        raise ValueError(f"Expected `forget_gate` to be 'sigmoid' or 'exponential', but got {forget_gate!r}.")
    dtype = torch.float64 if q.dtype == torch.float64 else torch.float32
    q, k, v, log_i, f = (x.to(dtype) for x in (q, k, v, i, f))
    if forget_gate == "sigmoid":
        # log sigmoid; ONNX takes the logarithm of a sigmoid, which is 0 for f < -104
        f = -F.softplus(-f, threshold=50.0)
    return q, k, v, log_i, f


def normalizer_floor(m: Tensor) -> Tensor:
    """exp(-m), kept finite: where gates are so shut that it is not, h is 0 to the last digit, but its gradient 0 * inf."""
    return torch.exp((-m).clamp(max=math.log(torch.finfo(m.dtype).max) - 1))


def _causal(g: Tensor) -> Tensor:
    """g_s for s <= t and -inf for s > t: (..., T) -> (..., T, T), t before s."""
    T = g.shape[-1]
    later = torch.ones(T, T, dtype=torch.bool, device=g.device).triu(1)
    return g[..., None, :].masked_fill(later, -torch.inf)


def chunks(x: Tensor, S: int, padding: float = 0.0) -> Tensor:
    """(B, NH, T, D) -> (B, NH, N, S, D), the last chunk padded at its end."""
    B, NH, T, D = x.shape
    if T % S:
        x = F.pad(x, (0, 0, 0, -T % S), value=padding)
    return x.reshape(B, NH, -1, S, D)


def carry(U: Tensor, m: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    """The memory that enters each of N consecutive segments.

    Args:
        U: what each segment adds to the memory, (B, NH, N, D, E), scaled by exp(-m).
        m: the stabilizer of each addition, (B, NH, N).
        a: the log decay over each whole segment, (B, NH, N).

    Returns:
        The memories (B, NH, N, D, E), the first one empty, and their stabilizers (B, NH, N), the first one -inf.
    """
    N = m.shape[-1]
    if N == 1:
        return torch.zeros_like(U), torch.full_like(m, -torch.inf)
    if N > CHUNKS_PER_GROUP:
        return _carry_by_groups(U, m, a)
    A = a.cumsum(-1)
    g = _causal(m - A)  # (B, NH, N, N)
    mu = g.detach().amax(-1)
    C = (torch.exp(g - mu[..., None]) @ U.flatten(3)).reshape(U.shape)  # the memory that leaves each segment
    C = torch.cat([torch.zeros_like(C[:, :, :1]), C[:, :, :-1]], dim=2)
    return C, F.pad((A + mu)[..., :-1], (1, 0), value=-torch.inf)


def _carry_by_groups(U: Tensor, m: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    """`carry` for many segments: inside groups, then (recursively) between groups, so that the cost stays linear in N."""
    B, NH, N, D, E = U.shape
    G = CHUNKS_PER_GROUP
    extra = -N % G
    U = F.pad(U, (0, 0, 0, 0, 0, extra)).reshape(B, -1, G, D, E)  # (B, NH N / G, G, D, E): a group is like a head
    m = F.pad(m, (0, extra), value=-torch.inf).reshape(B, -1, G)
    a = F.pad(a, (0, extra)).reshape(B, -1, G)
    A = a.cumsum(-1)
    inner, inner_m = carry(U, m, a)
    total, total_m = _join(inner[:, :, -1], inner_m[..., -1] + a[..., -1], U[:, :, -1], m[..., -1])
    groups = (B, NH, -1)
    outer, outer_m = carry(total.reshape(*groups, D, E), total_m.reshape(groups), A[..., -1].reshape(groups))
    reach = F.pad(A[..., :-1], (1, 0))  # log decay from the start of the group to the start of each segment
    C, m = _join(inner, inner_m, outer.flatten(1, 2)[:, :, None], outer_m.flatten(1, 2)[..., None] + reach)
    return C.reshape(B, NH, -1, D, E)[:, :, :N], m.reshape(B, NH, -1)[..., :N]


def _join(C1: Tensor, m1: Tensor, C2: Tensor, m2: Tensor) -> tuple[Tensor, Tensor]:
    """The sum of two memories, each scaled by exp(-m) of its own; two empty ones give an empty one."""
    m = torch.maximum(m1.detach(), m2.detach())
    pivot = m.clamp(min=torch.finfo(m.dtype).min)  # -inf - (-inf) would be NaN
    C = torch.exp(m1 - pivot)[..., None, None] * C1 + torch.exp(m2 - pivot)[..., None, None] * C2
    return C, m
