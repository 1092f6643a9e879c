"""Eq. 1-8 as plain loops over images, heads, tokens and channels, in float64 and without torch: slow and obvious.

Weights are arrays under the names that the state_dict of the module under test gives them.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Weights = Mapping[str, Array]

EPSILON = 1e-5  # of every normalization
BLOCK = 4  # q, k and v mix channels in blocks of 4


class Memory(NamedTuple):
    """What is left after the last token: C (B, NH, D, D), n (B, NH, D), m (B, NH)."""

    C: Array
    n: Array
    m: Array


def mlstm(q: Array, k: Array, v: Array, i: Array, f: Array, forget_gate: str) -> tuple[Array, Memory]:
    """The stabilized recurrence, token by token. q, k, v: (B, NH, T, D); i, f: (B, NH, T)."""
    B, NH, T, D = q.shape
    h = np.zeros((B, NH, T, D))
    memory = Memory(np.zeros((B, NH, D, D)), np.zeros((B, NH, D)), np.full((B, NH), -math.inf))
    for b in range(B):
        for head in range(NH):
            C, n, m = [[0.0] * D for _ in range(D)], [0.0] * D, -math.inf
            q_, k_, v_, i_, f_ = (x[b, head].tolist() for x in (q, k, v, i, f))
            for t in range(T):
                log_f = _log_forget(f_[t], forget_gate)
                m_next = max(log_f + m, i_[t])
                keep, add = math.exp(log_f + m - m_next), math.exp(i_[t] - m_next)
                m = m_next
                for a in range(D):
                    n[a] = keep * n[a] + add * k_[t][a]
                    for c in range(D):
                        C[a][c] = keep * C[a][c] + add * k_[t][a] * v_[t][c]
                norm = max(abs(sum(n[a] * q_[t][a] for a in range(D))), math.exp(-m))
                for c in range(D):
                    h[b, head, t, c] = sum(C[a][c] * q_[t][a] for a in range(D)) / norm
            memory.C[b, head], memory.n[b, head], memory.m[b, head] = C, n, m
    return h, memory


def mlstm_unstabilized(q: Array, k: Array, v: Array, i: Array, f: Array, forget_gate: str) -> Array:
    """h_t = sum_s w_ts (k_s . q_t) v_s / max(|sum_s w_ts (k_s . q_t)|, 1), w_ts = i_s f_{s+1} ... f_t, s <= t.

    For mild gates only: nothing keeps the weights in range.
    """
    h = np.zeros(v.shape)
    for b, head, t in np.ndindex(v.shape[:3]):
        norm = 0.0
        for s in range(t + 1):
            decay = sum(_log_forget(gate, forget_gate) for gate in f[b, head, s + 1 : t + 1].tolist())
            weight = math.exp(i[b, head, s] + decay) * float(k[b, head, s] @ q[b, head, t])
            h[b, head, t] += weight * v[b, head, s]
            norm += weight
        h[b, head, t] /= max(abs(norm), 1.0)
    return h


def xlstm_layer(x: Array, weights: Weights, heads: int, forget_gate: str) -> Array:
    """Eq. 4-6 for tokens (B, T, d)."""
    u = _layer_norm(x, weights["norm.weight"], weights["norm.bias"])
    outputs = []
    for direction, order in (("forward", slice(None)), ("backward", slice(None, None, -1))):
        tokens = _linear(u, weights[f"{direction}_linear.weight"], weights[f"{direction}_linear.bias"])
        cell = _inside(weights, f"{direction}_mlstm.")
        outputs.append(mlstm_cell(tokens[:, order], cell, heads, forget_gate)[:, order])
    return _linear(outputs[1] * outputs[0], weights["out_linear.weight"], weights["out_linear.bias"]) + x


def multi_scale_pooling(x: Array, scales: Sequence[int]) -> Array:
    """Sum over the scales of (mean of the window - x) for a map (B, d, H, W); a window ends at the border."""
    p = np.zeros(x.shape)
    for b, c, row, column in np.ndindex(x.shape):
        for reach in (scale // 2 for scale in scales):
            rows = slice(max(row - reach, 0), row + reach + 1)
            columns = slice(max(column - reach, 0), column + reach + 1)
            window = x[b, c, rows, columns].ravel().tolist()
            p[b, c, row, column] += sum(window) / len(window) - x[b, c, row, column]
    return p


def mstm_block(
    x: Array, weights: Weights, layers: int, heads: int, scales: Sequence[int], dwconv: bool, forget_gate: str
) -> Array:
    """Eq. 7-8 for a map (B, d, H, W), with the running statistics of BatchNorm; no scales: no pooling, p = x."""
    B, d, H, W = x.shape
    p = multi_scale_pooling(x, scales) if scales else x
    h = p
    for layer in range(layers):
        if dwconv:
            h = _depthwise(h, _inside(weights, f"dwconv.{layer}."))
        tokens = h.transpose(0, 2, 3, 1).reshape(B, H * W, d)
        tokens = xlstm_layer(tokens, _inside(weights, f"xlstm.{layer}."), heads, forget_gate)
        h = tokens.reshape(B, H, W, d).transpose(0, 3, 1, 2)
    norm = _layer_norm(p.transpose(0, 2, 3, 1), weights["norm.weight"], weights["norm.bias"])
    return norm.transpose(0, 3, 1, 2) + x + h


def mlstm_cell(x: Array, weights: Weights, heads: int, forget_gate: str) -> Array:
    """One direction: projections, gates, memory, norm over a head, output gate. (B, T, d) -> (B, T, d)."""
    B, T, d = x.shape
    D = d // heads
    q, k, v = _project(x, weights["qkv.weight"], heads)
    i, f = np.zeros((2, B, heads, T))
    for b, head, t in np.ndindex(B, heads, T):
        i[b, head, t] = weights["input_gate.weight"][head] @ x[b, t] + weights["input_gate.bias"][head]
        f[b, head, t] = weights["forget_gate.weight"][head] @ x[b, t] + weights["forget_gate.bias"][head]
    h, _ = mlstm(q, k / math.sqrt(D), v, i, f, forget_gate)
    y = np.zeros(x.shape)
    for b, t, head in np.ndindex(B, T, heads):
        y[b, t, head * D : (head + 1) * D] = _normalize(h[b, head, t])
    o = _linear(x, weights["output_gate.weight"], weights["output_gate.bias"])
    h_t: Array = (y * weights["norm.weight"] + weights["norm.bias"]) / (1 + np.exp(-o))
    return h_t


def _project(x: Array, weight: Array, heads: int) -> Array:
    """q, k and v (3, B, NH, T, D), each channel from the block of 4 that it is in."""
    B, T, d = x.shape
    D = d // heads
    qkv = np.zeros((3, B, heads, T, D))
    for which, b, t, channel in np.ndindex(3, B, T, d):
        block, place = divmod(channel, BLOCK)
        head, c = divmod(channel, D)
        inputs = x[b, t, block * BLOCK : (block + 1) * BLOCK]
        qkv[which, b, head, t, c] = inputs @ weight[block, :, which * BLOCK + place]
    return qkv


def _depthwise(x: Array, weights: Weights) -> Array:
    """3x3 depthwise convolution (zeros outside the map), BatchNorm with running statistics, ReLU."""
    _, _, H, W = x.shape
    y = np.zeros(x.shape)
    for b, c, row, column in np.ndindex(x.shape):
        total = 0.0
        for dy, dx in np.ndindex(3, 3):
            r, s = row + dy - 1, column + dx - 1
            if 0 <= r < H and 0 <= s < W:
                total += weights["0.weight"][c, 0, dy, dx] * x[b, c, r, s]
        normal = (total - weights["1.running_mean"][c]) / math.sqrt(weights["1.running_var"][c] + EPSILON)
        y[b, c, row, column] = normal * weights["1.weight"][c] + weights["1.bias"][c]
    return np.maximum(y, 0.0)


def _linear(x: Array, weight: Array, bias: Array) -> Array:
    y = np.zeros((*x.shape[:-1], len(bias)))
    for index in np.ndindex(x.shape[:-1]):
        y[index] = weight @ x[index] + bias
    return y


def _layer_norm(x: Array, weight: Array, bias: Array) -> Array:
    y = np.zeros(x.shape)
    for index in np.ndindex(x.shape[:-1]):
        y[index] = _normalize(x[index]) * weight + bias
    return y


def _normalize(x: Array) -> Array:
    mean = sum(x.tolist()) / len(x)
    variance = sum((value - mean) ** 2 for value in x.tolist()) / len(x)
    result: Array = (x - mean) / math.sqrt(variance + EPSILON)
    return result


def _log_forget(f: float, forget_gate: str) -> float:
    return min(f, 0.0) - math.log1p(math.exp(-abs(f))) if forget_gate == "sigmoid" else f


def _inside(weights: Weights, prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
