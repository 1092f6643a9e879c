"""The bidirectional xLSTM layer: TM-UNet section 2.2, Eq. 4-6.

The cell follows Beck et al., "xLSTM", NeurIPS 2024, and Alkin et al., "Vision-LSTM", ICLR 2025.
"""

import math

import torch
from torch import Tensor, nn

from tmunet.nn.gates import ForgetGate
from tmunet.nn.layers import BLOCK, BlockDiagonalLinear, FullPrecisionLinear, HeadNorm
from tmunet.nn.mlstm import mlstm


class MLSTMCell(nn.Module):
    """mLSTM of one direction: projections, gates, memory, head norm and output gate.

    The paper leaves q, k, v and the norm to xLSTM [15] and Vision-LSTM [13]: block-diagonal projections in blocks of 4 channels,
    and a LayerNorm of each head. Departs from Eq. 2: the gates have no recurrent term r_i h_{t-1} (see `tmunet.nn.mlstm`).

    Args:
        dim: channels d of the tokens, a multiple of `heads` and of 4.
        heads: heads NH of D = d / NH channels.
        forget_gate: "sigmoid" or "exponential" (Eq. 3).
        chunk_size: tokens S of a chunk (section 2.2); None is the fastest for D. The result does not depend on it.

    Raises:
        ValueError: `dim` is no such multiple.
    """

    def __init__(self, dim: int, heads: int, forget_gate: ForgetGate, chunk_size: int | None) -> None:
        super().__init__()
        if dim % heads or dim % BLOCK:
            raise ValueError(f"Expected `dim` to be a multiple of {heads} heads and of {BLOCK}, but got {dim}.")
        self.heads, self.forget_activation = heads, forget_gate
        self.chunk_size = chunk_size or default_chunk_size(dim // heads)
        self.qkv = BlockDiagonalLinear(dim, outputs=3, heads=heads)
        self.input_gate = FullPrecisionLinear(dim, heads)
        self.forget_gate = FullPrecisionLinear(dim, heads)
        self.norm = HeadNorm(dim)
        self.output_gate = nn.Linear(dim, dim)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialize as xLSTM does: gates ignore the input at first, and forget gates start open, sigmoid(3) to sigmoid(6)."""
        open_gates = torch.linspace(3.0, 6.0, self.heads)
        if self.forget_activation == "exponential":
            open_gates = nn.functional.logsigmoid(open_gates)
        nn.init.zeros_(self.input_gate.weight)
        nn.init.normal_(self.input_gate.bias, std=0.1)
        nn.init.zeros_(self.forget_gate.weight)
        with torch.no_grad():
            self.forget_gate.bias.copy_(open_gates)
        nn.init.normal_(self.output_gate.weight, std=math.sqrt(2 / (5 * self.output_gate.in_features)))
        nn.init.zeros_(self.output_gate.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, d) -> (B, T, d)."""
        q, k, v = self.qkv(x)  # (NH, B, T, D) each
        k = k / math.sqrt(k.shape[-1])
        i = self.input_gate(x).permute(2, 0, 1)  # i~ of Eq. 2 without r_i h_{t-1}, (NH, B, T)
        f = self.forget_gate(x).permute(2, 0, 1)  # f~ of Eq. 3, (NH, B, T)
        h = mlstm(q, k, v, i, f, self.forget_activation, self.chunk_size)  # psi(c_t) of Eq. 1, (NH, B, T, D)
        o = torch.sigmoid(self.output_gate(x))  # (B, T, d)
        y: Tensor = o * self.norm(h)  # Eq. 1, with a norm of each head, (B, T, d)
        return y


class BidirectionalXLSTM(nn.Module):
    """xLSTM layer: the product of a forward and a backward mLSTM, projected, with a residual connection (Eq. 4-6).

    Args:
        dim: channels d of the tokens.
        heads: heads of each mLSTM.
        forget_gate: "sigmoid" or "exponential" (Eq. 3).
        chunk_size: tokens S of a chunk; None is the fastest.
    """

    def __init__(self, dim: int, heads: int, forget_gate: ForgetGate, chunk_size: int | None) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.forward_linear = nn.Linear(dim, dim)
        self.forward_mlstm = MLSTMCell(dim, heads, forget_gate, chunk_size)
        self.backward_linear = nn.Linear(dim, dim)
        self.backward_mlstm = MLSTMCell(dim, heads, forget_gate, chunk_size)
        self.out_linear = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, T, d) -> tokens (B, T, d)."""
        u = self.norm(x)
        x1 = self.forward_linear(u)  # Eq. 4
        x2 = self.backward_mlstm(self.backward_linear(u).flip(1)).flip(1)  # Eq. 5, which prints Linear(x) for u
        y: Tensor = self.out_linear(x2 * self.forward_mlstm(x1)) + x  # Eq. 6
        return y


def default_chunk_size(D: int) -> int:
    """Choose the fastest number of tokens S in a chunk for heads of D channels (benchmarks/chunk.md)."""
    return 32 if D < 64 else 64
