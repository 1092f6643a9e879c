"""The multi-scale token-memory (MSTM) block: TM-UNet section 2.3, Eq. 7-8, Table 2."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmunet.nn.gates import ForgetGate
from tmunet.nn.layers import ConvBNReLU, LayerNorm2d, to_map, to_tokens
from tmunet.nn.xlstm import BidirectionalXLSTM

MAX_LAYERS = 64  # a configuration read from a file may ask for any number


@dataclass(frozen=True)
class MSTMConfig:
    """Configuration of the MSTM block: its parts (rows of Table 2) and what the paper leaves open."""

    xlstm: bool = True
    """The xLSTM layers; without them there is no block at all (Table 2, row 1)."""
    pooling: bool = True
    """Multi-scale pooling (row 3)."""
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
    """Tokens S in a chunk of the mLSTM; None is the fastest for the width of a head."""

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
    """Multi-scale pooling: f_pool(x) = sum over scales of (AvgPool(x) - x), same size, padding not counted.

    The paper says "differential contextual cues at multiple receptive-field scales" and gives no formula; this is our reading.
    In float32 under autocast too: where x is flat the terms cancel, and LayerNorm(p) would amplify the rounding errors.
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
            for k in self.scales:  # the mean of a k x k window is the mean of its rows' means
                rows = F.avg_pool2d(x, (k, 1), 1, (k // 2, 0), count_include_pad=False)
                p += F.avg_pool2d(rows, (1, k), 1, (0, k // 2), count_include_pad=False)
        return p if torch.is_autocast_enabled(x.device.type) else p.to(dtype)


class MSTMBlock(nn.Module):
    """MSTM block: multi-scale pooling, then L times DWConv and an xLSTM layer, then the residual form of Eq. 8.

    Args:
        dim: channels d of the map.
        config: the block's parts; see `MSTMConfig`.
    """

    def __init__(self, dim: int, config: MSTMConfig) -> None:
        super().__init__()
        L = range(config.layers)
        self.pool = MultiScalePooling(config.scales) if config.pooling else nn.Identity()
        self.dwconv = nn.ModuleList(ConvBNReLU(dim, dim, groups=dim) if config.dwconv else nn.Identity() for _ in L)
        self.xlstm = nn.ModuleList(
            BidirectionalXLSTM(dim, config.heads, config.forget_gate, config.chunk_size) for _ in L
        )
        self.norm = LayerNorm2d(dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, d, H, W) -> (B, d, H, W)."""
        H, W = x.shape[2:]
        p = self.pool(x)  # f_pool(x)
        h = p
        # Eq. 7 prints DWConv before xLSTM, as here; the text of section 2.3 says that it follows each xLSTM layer.
        for dwconv, xlstm in zip(self.dwconv, self.xlstm, strict=True):
            h = to_map(xlstm(to_tokens(dwconv(h))), H, W)  # Eq. 7
        out: Tensor = self.norm(p) + x + h  # Eq. 8
        return out
