"""The two mixing layers of Zig-RiR: spatial mix (a WKV attention along two zigzag paths) and channel mix.

Chen et al., "Zig-RiR: Zigzag RWKV-in-RWKV for Efficient Medical Image Segmentation", IEEE TMI 2025. What the paper leaves open
follows facts measured on the authors' code, its oddities included: no path is ever undone, so what a spatial mix adds to a token
was read at other tokens.
"""

from math import isqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmunet_lab.baselines.wkv import wkv

PASSES = 2  # WKV attentions in one spatial mix, each with its own decay and bonus
EXPANSION = 4  # of the hidden layer in a channel mix


def quad_shift(x: Tensor) -> Tensor:
    """Move four quarters of the channels by one pixel: right, left, down and up; zeros enter at the border.

    Args:
        x: map (B, H, W, C). The C mod 4 last channels stay where they are.

    Returns:
        The shifted map (B, H, W, C).

    >>> quad_shift(torch.arange(1.0, 5.0).reshape(1, 1, 4, 1).expand(1, 1, 4, 4))[0, 0].T
    tensor([[0., 1., 2., 3.],
            [2., 3., 4., 0.],
            [0., 0., 0., 0.],
            [0., 0., 0., 0.]])
    """
    q = x.shape[-1] // 4
    right = F.pad(x[:, :, :-1, :q], (0, 0, 1, 0))
    left = F.pad(x[:, :, 1:, q : 2 * q], (0, 0, 0, 1))
    down = F.pad(x[:, :-1, :, 2 * q : 3 * q], (0, 0, 0, 0, 1, 0))
    up = F.pad(x[:, 1:, :, 3 * q : 4 * q], (0, 0, 0, 0, 0, 1))
    return torch.cat([right, left, down, up, x[..., 4 * q :]], dim=-1)


def zigzag(n: int, along_columns: bool, device: torch.device | None = None) -> Tensor:
    """A path through an n x n grid: position i of the path visits token z[i], tokens being numbered row by row.

    Along rows: from the top row to the bottom row, even rows left to right, odd rows right to left.
    Along columns: from the right column to the left column, even columns top to bottom, odd columns bottom to top.

    >>> zigzag(3, along_columns=False)
    tensor([0, 1, 2, 5, 4, 3, 6, 7, 8])
    >>> zigzag(3, along_columns=True)
    tensor([2, 5, 8, 7, 4, 1, 0, 3, 6])
    """
    grid = torch.arange(n * n, device=device).reshape(n, n)
    if along_columns:
        grid = grid.T
    odd = torch.arange(n, device=device)[:, None] % 2 == 1
    path = torch.where(odd, grid.flip(1), grid)
    return (path.flip(0) if along_columns else path).flatten()


class SpatialMix(nn.Module):
    """Two WKV attentions in sequence, each along a zigzag path.

        y = Q(x)[z]     k, v, r = W_k y, W_v y, W_r y          Q is the quad shift, z the path
        v = WKV(k, v)   k, v = k[z], v[z]   v = WKV(k, v)      the path a second time, on top of the first
        output = W_o (sigmoid(r) v)                            r still in the order of the first path

    Args:
        dim: channels C.
        along_columns: which of the two paths; see `zigzag`.
    """

    def __init__(self, dim: int, along_columns: bool) -> None:
        super().__init__()
        self.along_columns = along_columns
        self.decay = nn.Parameter(torch.randn(PASSES, dim))
        self.bonus = nn.Parameter(torch.randn(PASSES, dim))
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim, bias=False)
        self.receptance = nn.Linear(dim, dim, bias=False)
        self.output = nn.Linear(dim, dim, bias=False)
        self.idle_convolution = nn.Conv2d(dim, dim, 3, padding=1, groups=dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, T, C) of a square grid, T = n n -> tokens (B, T, C)."""
        T = x.shape[1]
        n = isqrt(T)
        z = zigzag(n, self.along_columns, x.device)
        y = quad_shift(torch.unflatten(x, 1, (n, n))).flatten(1, 2)[:, z]  # (B, T, C)
        k, v, r = self.key(y), self.value(y), self.receptance(y)
        v = wkv(self.decay[0] / T, self.bonus[0] / T, k, v)
        k, v = k[:, z], v[:, z]
        v = wkv(self.decay[1] / T, self.bonus[1] / T, k, v)
        out: Tensor = self.output(torch.sigmoid(r) * v)
        return out


class ChannelMix(nn.Module):
    """sigmoid(W_r y) * W_v relu(W_k y)^2 with y = Q(x), the quad shift.

    Args:
        dim: channels C; the hidden layer has 4 C.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.key = nn.Linear(dim, EXPANSION * dim, bias=False)
        self.value = nn.Linear(EXPANSION * dim, dim, bias=False)
        self.receptance = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, T, C) of a square grid, T = n n -> tokens (B, T, C)."""
        n = isqrt(x.shape[1])
        y = quad_shift(torch.unflatten(x, 1, (n, n))).flatten(1, 2)  # (B, T, C)
        hidden = F.relu(self.key(y)).square()  # (B, T, 4 C)
        out: Tensor = torch.sigmoid(self.receptance(y)) * self.value(hidden)  # (B, T, C)
        return out
