"""The multi-scale token-memory (MSTM) block. TM-UNet section 2.3, Eq. 7-8, Table 2."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmunet.nn.mlstm import ForgetGate
from tmunet.nn.xlstm import XLSTMLayer

MAX_LAYERS = 64  # far beyond any use: a model file that asks for more is damaged or hostile


@dataclass(frozen=True)
class MSTMConfig:
    """The block's parts (Table 2 switches them on one by one) and the choices the paper leaves open."""

    xlstm: bool = True
    """The token memory; without it there is no block at all (Table 2, row 1)."""
    pooling: bool = True
    """Multi-scale pooling before it (row 3)."""
    dwconv: bool = True
    """A depthwise convolution before each xLSTM layer (row 4)."""
    layers: int = 1
    """L, the number of xLSTM layers."""
    scales: tuple[int, ...] = (5, 9, 13)
    """Odd side lengths of the pooling windows, in pixels of the feature map."""
    heads: int = 4
    """Heads NH of each mLSTM."""
    forget_gate: ForgetGate = "sigmoid"
    """"sigmoid" or "exponential" (Eq. 3)."""
    chunk_size: int | None = None
    """Tokens S in one chunk of the mLSTM; None is what is fastest for the width of a head."""

    def __post_init__(self) -> None:
        if not self.xlstm and (self.pooling or self.dwconv):
            raise ValueError(
                "Expected `pooling` and `dwconv` to be false where `xlstm` is false: they feed the token memory."
            )
        if self.layers < 1 or self.heads < 1 or (self.chunk_size is not None and self.chunk_size < 1):
            raise ValueError(
                "Expected `layers`, `heads` and `chunk_size` to be at least 1, but got "
                f"{self.layers}, {self.heads}, {self.chunk_size}."
            )
        if self.layers > MAX_LAYERS:
            raise ValueError(f"Expected `layers` to be at most {MAX_LAYERS}, but got {self.layers}.")
        if self.pooling and (not self.scales or any(scale < 1 or scale % 2 == 0 for scale in self.scales)):
            raise ValueError(f"Expected `scales` to be odd window sides, but got {self.scales}.")


class MultiScalePooling(nn.Module):
    """f_pool(x) = sum over scales of (AvgPool(x) - x), same size, padding not counted: differential contextual cues.

    At least in float32, whatever the autocast type: where x is flat the terms cancel, and LayerNorm(p) would make the rest large.
    """

    def __init__(self, scales: tuple[int, ...]) -> None:
        super().__init__()
        self.scales = scales

    def forward(self, x: Tensor) -> Tensor:
        """(B, d, H, W) -> (B, d, H, W)."""
        dtype = x.dtype
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(torch.promote_types(dtype, torch.float32))
            p = -len(self.scales) * x
            for k in self.scales:  # a square mean is a mean of means
                rows = F.avg_pool2d(x, (k, 1), 1, (k // 2, 0), count_include_pad=False)
                p += F.avg_pool2d(rows, (1, k), 1, (0, k // 2), count_include_pad=False)
        return p if torch.is_autocast_enabled(x.device.type) else p.to(dtype)


class LayerNorm2d(nn.LayerNorm):
    """LayerNorm over the channels of a map."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, d, H, W) -> (B, d, H, W)."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class MSTMBlock(nn.Module):
    """Multi-scale pooling, then L times a depthwise convolution and an xLSTM layer, then the residual of Eq. 8.

    Args:
        dim: channels d of the map.
        config: the block's parts; see `MSTMConfig`.
    """

    def __init__(self, dim: int, config: MSTMConfig) -> None:
        super().__init__()
        self.pool = MultiScalePooling(config.scales) if config.pooling else nn.Identity()
        self.refine = nn.ModuleList(depthwise(dim) if config.dwconv else nn.Identity() for _ in range(config.layers))
        self.xlstm = nn.ModuleList(
            XLSTMLayer(dim, config.heads, config.forget_gate, config.chunk_size) for _ in range(config.layers)
        )
        self.norm = LayerNorm2d(dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, d, H, W) -> (B, d, H, W)."""
        H, W = x.shape[2:]
        p = self.pool(x)
        h = p
        for refine, xlstm in zip(self.refine, self.xlstm, strict=True):  # Eq. 7
            tokens = refine(h).flatten(2).mT  # (B, T, d), T = H W
            h = xlstm(tokens).mT.unflatten(2, (H, W))  # (B, d, H, W)
        out: Tensor = self.norm(p) + x + h  # Eq. 8
        return out


def depthwise(dim: int) -> nn.Sequential:
    """DWConv of Eq. 7: 3x3 depthwise convolution, BatchNorm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(dim, dim, 3, padding=1, groups=dim, bias=False), nn.BatchNorm2d(dim), nn.ReLU(inplace=True)
    )
