"""WKV, the linear attention of Vision-RWKV and Zig-RiR, in both directions along a sequence of T tokens and in linear time.

    y_t = sum_i W_{t,i} e^{k_i} v_i / (sum_i W_{t,i} e^{k_i} + eps)          for each channel by itself, decay w, bonus u

Duan et al., "Vision-RWKV", ICLR 2025, print the weights W_{t,t} = e^u and W_{t,i} = e^{-(|t-i|-1) w}. What networks were trained
with is the sum of the authors' CUDA kernel (Apache-2.0; its values were measured, no line of it is used), which differs a
little. It cuts the tokens into segments of L = ceil(T / 32); with t0 the first token of the segment of t,

    W_{t,i} = e^{-|t-i| w}                                      for i < t0 and for i > t
    W_{t,i} = e^{-(t-1-i) w} + [i > t0] (1 - e^w) e^{(t-i) w}    for t0 <= i < t
    W_{t,t} = e^u            + [t > t0] (1 - e^w)
    eps     = 1e-6 max_i (the summands of the denominator)

This module computes that sum. Up to eps it is symmetric, W_{t,i} = e^{-|t-i| w}, for T <= 32, and nearly so for the small w that
Zig-RiR uses.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SEGMENTS = 32  # at most; between them every pair is visited, inside them running sums do
EPSILON = 1e-6


def wkv(decay: Tensor, bonus: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Compute the bidirectional WKV attention: for each token a mean of the values, weighted by keys and distance.

    Time and memory are O(B T C). No Python loop over tokens or segments. Inside, everything is float32 (float64 for float64
    input) whatever the autocast type is. Keys may be of any size, since the largest one of a channel is taken out. The decay over
    the whole sequence, T w, is about 1 in Zig-RiR and may lie between -80 and 20 in float32; above, weights of the kernel itself
    become negative.

    Args:
        decay: w of each channel for one step, (C,), of any sign.
        bonus: u of each channel, (C,).
        k: keys (B, T, C).
        v: values (B, T, C).

    Returns:
        y (B, T, C), of the type of v.

    >>> k, v = torch.zeros(1, 3, 1), torch.tensor([0.0, 3.0, 6.0]).reshape(1, 3, 1)
    >>> wkv(torch.zeros(1), torch.zeros(1), k, v).flatten()  # no decay, equal keys: the mean
    tensor([3.0000, 3.0000, 3.0000])
    """
    with torch.autocast(v.device.type, enabled=False):
        dtype = torch.float64 if v.dtype == torch.float64 else torch.float32
        w, u = decay.to(dtype)[:, None, None], bonus.to(dtype)[:, None, None]  # (C, 1, 1)
        keys, values = k.to(dtype).permute(2, 1, 0), v.to(dtype).permute(2, 1, 0)  # (C, T, B)
        pivot = keys.detach().amax(1, keepdim=True)  # (C, 1, B)
        e = torch.exp(keys - pivot)
        x = torch.cat([e * values, e], dim=2)  # (C, T, 2 B)
        num, den = (_by_pairs if k.shape[1] <= SEGMENTS else _by_segments)(x, w, u).chunk(2, dim=2)  # (C, T, B)
        eps = EPSILON * torch.exp(_largest_exponent(keys.detach(), w.detach(), u.detach()) - pivot)
        return (num / (den + eps)).permute(2, 1, 0).to(v.dtype)  # (B, T, C)


def _by_pairs(x: Tensor, w: Tensor, u: Tensor) -> Tensor:
    """sum_i W_{t,i} x_i for x (C, T, X) and w, u (C, 1, 1), where a segment is one token."""
    i = torch.arange(x.shape[1], device=x.device)
    apart = (i[:, None] - i).abs()
    weights = torch.where(apart == 0, torch.exp(u), torch.exp(-apart * w))  # (C, T, T)
    return weights @ x


def _by_segments(x: Tensor, w: Tensor, u: Tensor) -> Tensor:
    """The same for any number of tokens, in linear time."""
    T = x.shape[1]
    L = -(-T // SEGMENTS)
    x = torch.unflatten(F.pad(x, (0, 0, 0, -T % L)), 1, (-1, L))  # (C, N, L, X): token t is the j-th of segment s
    N = x.shape[1]
    j = torch.arange(L, device=x.device, dtype=x.dtype)
    rise = torch.exp(j * w)[..., None]  # (C, 1, L, 1)
    fall = 1 / rise

    # Inside each segment, from sums that run from its start and from its end.
    past = fall * (rise * x).cumsum(2)  # sum over i <= t of e^{-(t-i) w} x_i
    falling = fall * x
    after = falling.flip(2).cumsum(2).flip(2)  # sum over i >= t
    since = F.pad(falling[:, :, 1:].cumsum(2), (0, 0, 1, 0))  # sum over t0 < i <= t
    residue, own = torch.expm1(w)[..., None], torch.exp(u)[..., None]
    inside = _exclusive_cumsum(past) + rise * (_behind(after) - residue * since) + own * x

    # Between segments, from one sum of each: the decay splits into a factor of either end and one of the pair.
    s = torch.arange(N, device=x.device)
    gap = ((s[:, None] - s).abs() - 1) * L + 1  # steps from the last token of one segment to the first of the other
    link = torch.exp(-gap * w)  # (C, N, N)
    earlier = (link.tril(-1) @ past[:, :, -1])[:, :, None]  # (C, N, 1, X)
    later = (link.triu(1) @ after[:, :, 0])[:, :, None]
    return (inside + fall * earlier + fall.flip(2) * later).flatten(1, 2)[:, :T]


def _largest_exponent(k: Tensor, w: Tensor, u: Tensor) -> Tensor:
    """The logarithm of each token's largest summand, (C, T, B): max(u + k_t, max_i (k_i - |t-i| w))."""
    traveled = torch.arange(k.shape[1], device=k.device)[:, None] * w  # (C, T, 1)
    earlier = _exclusive_cumsum((k + traveled).cummax(1).values, -torch.inf) - traveled
    later = _behind((k - traveled).flip(1).cummax(1).values.flip(1), -torch.inf) + traveled
    return torch.maximum(torch.maximum(earlier, later), u + k)


def _exclusive_cumsum(x: Tensor, edge: float = 0.0) -> Tensor:
    """Each token (last axis but one) takes the value of the one before it."""
    return F.pad(x[..., :-1, :], (0, 0, 1, 0), value=edge)


def _behind(x: Tensor, edge: float = 0.0) -> Tensor:
    """Each token takes the value of the one behind it."""
    return F.pad(x[..., 1:, :], (0, 0, 0, 1), value=edge)
