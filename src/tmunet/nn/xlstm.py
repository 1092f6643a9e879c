"""The bidirectional xLSTM layer: two mLSTMs read the tokens in opposite orders, and their readings are multiplied.

TM-UNet section 2.2, Eq. 4-6; the cell follows Beck et al., "xLSTM", NeurIPS 2024, and Alkin et al., "Vision-LSTM", ICLR 2025.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmunet.nn.inference.fused_xlstm import InferenceXLSTM
from tmunet.nn.kernels.block_diagonal import BLOCK, project_blocks
from tmunet.nn.kernels.chunkwise import mlstm
from tmunet.nn.mlstm import ForgetGate

DIRECTIONS = 2  # forward and backward; both run as one mLSTM with twice the heads


def chunk_of(D: int) -> int:
    """Tokens S of a chunk for heads of D channels: what was fastest (benchmarks/chunk.md)."""
    return 32 if D < 64 else 64


class MatrixLSTM(nn.Module):
    """Projections, gates, memory, normalization and output gate of both directions, each with its own weights.

        q_t, k_t, v_t = Wq x_t, Wk x_t / sqrt(D), Wv x_t          block-diagonal, blocks of 4 channels
        i~_t = w_i . x_t + b_i      f~_t = w_f . x_t + b_f        one scalar a head
        h_t = sigmoid(W_o x_t + b_o) * norm(mLSTM(q, k, v, i~, f~)_t)      norm over the channels of a head

    Args:
        dim: channels d of one direction, a multiple of `heads` and of 4.
        heads: heads NH of one direction; D = d / NH.
        forget_gate: "sigmoid" or "exponential" (Eq. 3).
        chunk_size: tokens S of one chunk; None is what is fastest for the width of a head.
    """

    def __init__(self, dim: int, heads: int, forget_gate: ForgetGate, chunk_size: int | None) -> None:
        super().__init__()
        if dim % heads or dim % BLOCK:
            raise ValueError(f"Expected `dim` to be a multiple of {heads} heads and of {BLOCK}, but got {dim}.")
        self.heads, self.forget_gate = heads, forget_gate
        self.chunk_size = chunk_size or chunk_of(dim // heads)
        blocks = DIRECTIONS * dim // BLOCK
        self.qkv_weight = nn.Parameter(torch.empty(blocks, BLOCK, 3 * BLOCK))
        self.gate_weight = nn.Parameter(torch.empty(DIRECTIONS, dim, 2 * heads))  # i~ of all heads, then f~
        self.input_gate_bias = nn.Parameter(torch.empty(DIRECTIONS, heads))
        self.forget_gate_bias = nn.Parameter(torch.empty(DIRECTIONS, heads))
        self.output_gate_weight = nn.Parameter(torch.empty(DIRECTIONS, dim, dim))
        self.output_gate_bias = nn.Parameter(torch.empty(DIRECTIONS, dim))
        self.norm_weight = nn.Parameter(torch.empty(DIRECTIONS, dim))
        self.norm_bias = nn.Parameter(torch.empty(DIRECTIONS, dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialize as xLSTM does: gates do not depend on the input, and forget gates start open, sigmoid(3) to sigmoid(6)."""
        dim = self.norm_weight.shape[1]
        open_gates = torch.linspace(3.0, 6.0, self.heads)
        if self.forget_gate == "exponential":
            open_gates = F.logsigmoid(open_gates)
        nn.init.normal_(self.qkv_weight, std=math.sqrt(2 / (5 * BLOCK)))
        nn.init.zeros_(self.gate_weight)
        nn.init.normal_(self.input_gate_bias, std=0.1)
        with torch.no_grad():
            self.forget_gate_bias.copy_(open_gates.expand(DIRECTIONS, -1))
        nn.init.normal_(self.output_gate_weight, std=math.sqrt(2 / (5 * dim)))
        nn.init.zeros_(self.output_gate_bias)
        nn.init.ones_(self.norm_weight)
        nn.init.zeros_(self.norm_bias)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens of both directions (B, T, 2, d) -> their readings (B, T, 2, d)."""
        B, T, _, d = x.shape
        NH, D = DIRECTIONS * self.heads, d // self.heads
        to_q, to_k, to_v = self.qkv_weight.reshape(-1, BLOCK, 3, BLOCK).unbind(2)
        weight = torch.cat([to_q, to_k * (1 / math.sqrt(D)), to_v], dim=2)
        q, k, v = project_blocks(x.reshape(B * T, DIRECTIONS * d), weight, NH).reshape(3, NH, B, T, D)
        directions = x.permute(2, 0, 1, 3).reshape(DIRECTIONS, B * T, d)
        with torch.autocast(x.device.type, enabled=False):  # log f near 0 has no digits in bfloat16
            gates = torch.bmm(directions.to(self.gate_weight.dtype), self.gate_weight)
        gates = gates.reshape(DIRECTIONS, B, T, 2, self.heads)
        gates = gates.permute(3, 0, 4, 1, 2).reshape(2, NH, B, T)
        i = gates[0] + self.input_gate_bias.reshape(NH, 1, 1)
        f = gates[1] + self.forget_gate_bias.reshape(NH, 1, 1)
        h = mlstm(q, k, v, i, f, self.forget_gate, self.chunk_size)  # (NH, B, T, D)
        h = F.layer_norm(h, (D,)).reshape(DIRECTIONS, self.heads, B * T, D).transpose(1, 2).flatten(2)  # (2, B T, d)
        h = h * self.norm_weight[:, None] + self.norm_bias[:, None]
        o = torch.baddbmm(self.output_gate_bias[:, None], directions, self.output_gate_weight)  # (2, B T, d)
        return (torch.sigmoid(o) * h).reshape(DIRECTIONS, B, T, d).permute(1, 2, 0, 3)


class XLSTMLayer(nn.Module):
    """Eq. 4-6, with u = LayerNorm(x) before both projections: y = Linear(backward(u) * forward(u)) + x.

    backward(u) = flip(mLSTM_b(flip(Linear_b(u)))), forward(u) = mLSTM_f(Linear_f(u)); flip reverses the order of the tokens.

    Args:
        dim: channels d of the tokens.
        heads: heads of each mLSTM.
        forget_gate: "sigmoid" or "exponential" (Eq. 3).
        chunk_size: tokens S of one chunk; None is what is fastest for the width of a head.
    """

    def __init__(self, dim: int, heads: int, forget_gate: ForgetGate, chunk_size: int | None) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.project_in = nn.Linear(dim, DIRECTIONS * dim)  # Linear_f and Linear_b
        self.mlstm = MatrixLSTM(dim, heads, forget_gate, chunk_size)
        self.project_out = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, T, d) -> tokens (B, T, d)."""
        u = self.project_in(self.norm(x))  # (B, T, 2 d)
        forward, backward = u.chunk(DIRECTIONS, dim=-1)
        read = self.mlstm(torch.stack([forward, backward.flip(1)], dim=2))  # (B, T, 2, d)
        y: Tensor = self.project_out(read[:, :, 1].flip(1) * read[:, :, 0])  # (B, T, d)
        return y + x

    def inference_form(self) -> nn.Module:
        """The same function without a gradient, in fewer steps; itself where blocks of channels do not divide the heads."""
        whole = (self.norm.weight.shape[0] // self.mlstm.heads) % BLOCK == 0
        return InferenceXLSTM(self) if whole else self
