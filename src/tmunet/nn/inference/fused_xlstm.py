"""The xLSTM layer for inference: whatever is linear in a row becomes one matrix, and the norm of the heads has no mean to take.

Nothing but rounding differs from `tmunet.nn.xlstm.XLSTMLayer`, whose notation is used. With n = LayerNorm(x) before its weights,

    u, o~, i~, f~ are linear in n                      two matrices for each direction
    q, k, v are linear in the channels of u of a head  one D x 3D matrix; v without its mean over the head, as the norm has it
    norm(h) = h / sqrt(mean(h^2) + eps)                so that the norm is a length alone
"""

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmunet.nn.kernels.chunkwise import mlstm

if TYPE_CHECKING:
    from tmunet.nn.xlstm import XLSTMLayer

EPS = 1e-5  # of both norms


class InferenceXLSTM(nn.Module):
    """An `XLSTMLayer` whose heads have whole blocks of channels, without a gradient.

    Args:
        layer: stays as it is.
    """

    in_weight: Tensor
    in_bias: Tensor
    out_gate_weight: Tensor
    out_gate_bias: Tensor
    qkv_weight: Tensor
    norm_weight: Tensor
    norm_bias: Tensor

    @torch.no_grad()
    def __init__(self, layer: "XLSTMLayer") -> None:
        super().__init__()
        mlstm, d = layer.mlstm, layer.norm.weight.shape[0]
        self.heads, self.forget_gate, self.chunk_size = mlstm.heads, mlstm.forget_gate, mlstm.chunk_size
        to_u = layer.project_in.weight.view(2, d, d).mT  # (2, d, d)
        u_bias = (layer.norm.bias @ to_u + layer.project_in.bias.view(2, d))[:, None]  # (2, 1, d)
        to_u = layer.norm.weight[:, None] * to_u
        gate_bias = torch.cat([mlstm.input_gate_bias, mlstm.forget_gate_bias], dim=-1)[:, None]  # (2, 1, 2 heads)
        buffers = {
            "in_weight": torch.cat([to_u, to_u @ mlstm.gate_weight], dim=-1),  # (2, d, d + 2 heads)
            "in_bias": torch.cat([u_bias, u_bias @ mlstm.gate_weight + gate_bias], dim=-1),
            "out_gate_weight": to_u @ mlstm.output_gate_weight,  # (2, d, d)
            "out_gate_bias": u_bias @ mlstm.output_gate_weight + mlstm.output_gate_bias[:, None],
            "qkv_weight": _of_heads(mlstm.qkv_weight, 2 * self.heads),  # (2 heads, D, 3 D)
            "norm_weight": mlstm.norm_weight.reshape(2 * self.heads, 1, 1, -1).clone(),
            "norm_bias": mlstm.norm_bias.reshape(2 * self.heads, 1, 1, -1).clone(),
        }
        for name, value in buffers.items():
            self.register_buffer(name, value)
        self.project_out = layer.project_out

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, T, d) -> tokens (B, T, d)."""
        B, T, d = x.shape
        heads, D = self.heads, d // self.heads
        n = F.layer_norm(x, (d,), eps=EPS)
        n = torch.stack([n, n.flip(1)]).reshape(2, B * T, d)  # each direction in its own order
        y = torch.baddbmm(self.in_bias, n, self.in_weight)  # (2, B T, d + 2 heads)
        u = y[..., :d].reshape(2, B * T, heads, D).transpose(1, 2).reshape(2 * heads, B * T, D)
        q, k, v = torch.bmm(u, self.qkv_weight).reshape(2 * heads, B, T, 3 * D).chunk(3, dim=-1)
        gates = self._gates(n, y).reshape(2, B, T, 2, heads).permute(3, 0, 4, 1, 2).reshape(2, 2 * heads, B, T)
        h = mlstm(q, k, v, gates[0], gates[1], self.forget_gate, self.chunk_size)  # (2 heads, B, T, D)
        h = h.mul_(torch.rsqrt((h * h).mean(-1, keepdim=True) + EPS)).mul_(self.norm_weight).add_(self.norm_bias)
        h = h.reshape(2, heads, B * T, D).transpose(1, 2).reshape(2, B * T, d)
        o = torch.baddbmm(self.out_gate_bias, n, self.out_gate_weight).sigmoid_()
        forward, backward = o.mul_(h).reshape(2, B, T, d)
        tokens: Tensor = self.project_out(forward * backward.flip(1))
        return tokens.add_(x)

    def _gates(self, n: Tensor, y: Tensor) -> Tensor:
        """i~ and f~ (2, B T, 2 heads): with u, or again in float32 where u comes in a lower type."""
        d = n.shape[-1]
        if not torch.is_autocast_enabled(n.device.type):
            return y[..., d:]
        with torch.autocast(n.device.type, enabled=False):
            bias, weight = self.in_bias[..., d:], self.in_weight[..., d:]
            return torch.baddbmm(bias, n.to(weight.dtype), weight)


def _of_heads(blocks: Tensor, heads: int) -> Tensor:
    """Weights of blocks of channels (blocks, 4, 3 * 4) -> of heads (heads, D, 3 D), k over sqrt(D), v without its mean."""
    size = blocks.shape[1]
    count = len(blocks) // heads  # blocks of a head
    D = count * size
    weight = blocks.new_zeros(heads, count, size, 3, count, size)
    for block in range(count):
        weight[:, block, :, :, block] = blocks.reshape(heads, count, size, 3, size)[:, block]
    q, k, v = weight.reshape(heads, D, 3, D).unbind(2)
    return torch.cat([q, k / math.sqrt(D), v - v.mean(-1, keepdim=True)], dim=-1)
