"""The xLSTM layer for inference: consecutive linear maps fused into one matrix, and a head norm without a mean to subtract.

Differs from `tmunet.nn.xlstm.BidirectionalXLSTM`, whose notation is used, by rounding alone. With n = LayerNorm(x) before its
scale and shift,

    u, o~, i~, f~ are linear in n                      two matrices for each direction
    q, k, v are linear in the channels of u of a head  one D x 3D matrix; v without its mean over the head, as the norm has it
    norm(h) = h / sqrt(mean(h^2) + eps)                since the mean of h is 0
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmunet.nn.mlstm import mlstm
from tmunet.nn.xlstm import BidirectionalXLSTM

EPS = 1e-5  # of both norms


class InferenceXLSTM(nn.Module):
    """A `BidirectionalXLSTM` whose heads are whole blocks of channels; both directions run as one mLSTM of twice the heads.

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
    def __init__(self, layer: BidirectionalXLSTM) -> None:
        super().__init__()
        linears = (layer.forward_linear, layer.backward_linear)
        cells = (layer.forward_mlstm, layer.backward_mlstm)
        self.heads, self.forget_gate, self.chunk_size = cells[0].heads, cells[0].forget_activation, cells[0].chunk_size

        to_u = torch.stack([linear.weight.mT for linear in linears])  # (2, d, d)
        u_bias = (layer.norm.bias @ to_u + torch.stack([linear.bias for linear in linears]))[:, None]  # (2, 1, d)
        to_u = layer.norm.weight[:, None] * to_u
        to_gates = torch.stack([torch.cat([cell.input_gate.weight, cell.forget_gate.weight]).mT for cell in cells])
        gate_bias = torch.stack([torch.cat([cell.input_gate.bias, cell.forget_gate.bias]) for cell in cells])[:, None]
        to_o = torch.stack([cell.output_gate.weight.mT for cell in cells])
        buffers = {
            "in_weight": torch.cat([to_u, to_u @ to_gates], dim=-1),  # (2, d, d + 2 heads)
            "in_bias": torch.cat([u_bias, u_bias @ to_gates + gate_bias], dim=-1),
            "out_gate_weight": to_u @ to_o,  # (2, d, d)
            "out_gate_bias": u_bias @ to_o + torch.stack([cell.output_gate.bias for cell in cells])[:, None],
            "qkv_weight": torch.cat([_dense_qkv(cell.qkv.weight, self.heads) for cell in cells]),  # (2 heads, D, 3 D)
            "norm_weight": torch.cat([cell.norm.weight for cell in cells]).reshape(2 * self.heads, 1, 1, -1),
            "norm_bias": torch.cat([cell.norm.bias for cell in cells]).reshape(2 * self.heads, 1, 1, -1),
        }
        for name, value in buffers.items():
            self.register_buffer(name, value)
        self.out_linear = layer.out_linear

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, T, d) -> tokens (B, T, d)."""
        B, T, d = x.shape
        heads, D = self.heads, d // self.heads
        n = F.layer_norm(x, (d,), eps=EPS)
        n = torch.stack([n, n.flip(1)]).reshape(2, B * T, d)  # the backward direction reads from the end
        y = torch.baddbmm(self.in_bias, n, self.in_weight)  # (2, B T, d + 2 heads)
        u = y[..., :d].reshape(2, B * T, heads, D).transpose(1, 2).reshape(2 * heads, B * T, D)
        q, k, v = torch.bmm(u, self.qkv_weight).reshape(2 * heads, B, T, 3 * D).chunk(3, dim=-1)
        gates = self._gates(n, y).reshape(2, B, T, 2, heads).permute(3, 0, 4, 1, 2).reshape(2, 2 * heads, B, T)
        h = mlstm(q, k, v, gates[0], gates[1], self.forget_gate, self.chunk_size)  # (2 heads, B, T, D)
        h = h.mul_(torch.rsqrt((h * h).mean(-1, keepdim=True) + EPS)).mul_(self.norm_weight).add_(self.norm_bias)
        h = h.reshape(2, heads, B * T, D).transpose(1, 2).reshape(2, B * T, d)
        o = torch.baddbmm(self.out_gate_bias, n, self.out_gate_weight).sigmoid_()
        forward, backward = o.mul_(h).reshape(2, B, T, d)
        tokens: Tensor = self.out_linear(forward * backward.flip(1))
        return tokens.add_(x)

    def _gates(self, n: Tensor, y: Tensor) -> Tensor:
        """Return i~ and f~ (2, B T, 2 heads): computed with u, or in float32 again where autocast lowers u."""
        d = n.shape[-1]
        if not torch.is_autocast_enabled(n.device.type):
            return y[..., d:]
        with torch.autocast(n.device.type, enabled=False):
            bias, weight = self.in_bias[..., d:], self.in_weight[..., d:]
            return torch.baddbmm(bias, n.to(weight.dtype), weight)


def _dense_qkv(blocks: Tensor, heads: int) -> Tensor:
    """Write blocks (blocks, 4, 3 * 4) as matrices of heads (heads, D, 3 D), k over sqrt(D), v without its mean."""
    size = blocks.shape[1]
    count = len(blocks) // heads  # blocks of a head
    D = count * size
    weight = blocks.new_zeros(heads, count, size, 3, count, size)
    for block in range(count):
        weight[:, block, :, :, block] = blocks.reshape(heads, count, size, 3, size)[:, block]
    q, k, v = weight.reshape(heads, D, 3, D).unbind(2)
    return torch.cat([q, k / math.sqrt(D), v - v.mean(-1, keepdim=True)], dim=-1)
