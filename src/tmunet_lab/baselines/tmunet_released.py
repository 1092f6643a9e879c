"""TM-UNet as its authors released it. Jiao et al., arXiv:2511.12270 (2025); the paper's own network is `tmunet.nn.tmunet`.

The released program differs from the paper's text: skip connections are added, not joined; a decoder stage convolves before it
upsamples; the two directions of a token memory follow each other, without a product; pooling averages over neighboring token
numbers and channels, not over the image; and the mLSTM runs in its quadratic form. Here it is with all of that, since the
accuracy, the FLOPs and the speed that the paper prints are this network's.

Written from the paper and facts measured on the released code, xq141839/TM-UNet (no license; none of its lines are used). Its
layer derives from Alkin et al., "Vision-LSTM", ICLR 2025. Chosen where the facts are silent: the mLSTM keeps float32 under
autocast, and its sums are divided by their normalizer after the product with the values.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmunet.nn.input_size import InputSize
from tmunet_lab.baselines.baseline_layers import init_fan_out

HEADS = 4
BLOCK = 4  # q, k and v mix channels in blocks of 4
WINDOWS = (5, 9, 13)
HISTORY = 4  # kernel of the causal convolution, in tokens


@dataclass(frozen=True)
class TMUNetReleasedConfig:
    """Configuration of released TM-UNet."""

    in_channels: int = 3
    """C0, channels of the image."""
    num_classes: int = 1
    """Channels of the output: 1 is binary (sigmoid), K > 1 is K classes (softmax)."""
    widths: tuple[int, int, int, int, int] = (32, 64, 128, 256, 512)
    """C1..C5, channels of the five stages, the last three multiples of 4."""

    def __post_init__(self) -> None:
        if min(self.widths) < 2 or any(width % HEADS for width in self.widths[2:]):
            raise ValueError(
                f"Expected `widths` of at least 2, the last three multiples of {HEADS}, but got {self.widths}."
            )


class TMUNetReleased(nn.Module):
    """The network of the released program. See `TMUNetReleasedConfig` for its choices.

    Input (B, C0, H, W), H and W multiples of 32; output: logits (B, num_classes, H, W). Time and memory grow with the square of
    H W: a 512 x 512 image has 4096 tokens and four heads of 4096 x 4096 weights.

    Raises:
        ValueError: the image has another size or other channels than C0.
    """

    input_size = InputSize(minimum=32, multiple=32)

    def __init__(self, config: TMUNetReleasedConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or TMUNetReleasedConfig()
        C1, C2, C3, C4, C5 = config.widths
        self.encoder1 = ReleasedConvStage(config.in_channels, C1)
        self.encoder2 = ReleasedConvStage(C1, C2)
        self.encoder3 = ReleasedConvStage(C2, C3)
        self.encoder4 = nn.Sequential(ReleasedPatchEmbedding(C3, C4), MemoryStage(C4))
        self.encoder5 = nn.Sequential(ReleasedPatchEmbedding(C4, C5), MemoryStage(C5))
        self.decoder1 = nn.Sequential(nn.Conv2d(C5, C4, 3, padding=1), nn.BatchNorm2d(C4))
        self.memory1 = MemoryStage(C4)
        self.decoder2 = nn.Sequential(nn.Conv2d(C4, C3, 3, padding=1), nn.BatchNorm2d(C3))
        self.memory2 = MemoryStage(C3)
        self.decoder3 = nn.Sequential(nn.Conv2d(C3, C2, 3, padding=1), nn.BatchNorm2d(C2))
        self.decoder4 = nn.Sequential(nn.Conv2d(C2, C1, 3, padding=1), nn.BatchNorm2d(C1))
        self.decoder5 = nn.Conv2d(C1, C1 // 2, 3, padding=1)
        self.head = nn.Conv2d(C1 // 2, config.num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Image (B, C0, H, W) -> logits (B, num_classes, H, W)."""
        self.input_size.check(x, self.config.in_channels)
        e1 = self.encoder1(x)  # (B, C1, H/2, W/2)
        e2 = self.encoder2(e1)  # (B, C2, H/4, W/4)
        e3 = self.encoder3(e2)  # (B, C3, H/8, W/8)
        e4 = self.encoder4(e3)  # (B, C4, H/16, W/16)
        e5 = self.encoder5(e4)  # (B, C5, H/32, W/32)
        d1 = self.memory1(_enlarge(self.decoder1(e5)) + e4)  # (B, C4, H/16, W/16)
        d2 = self.memory2(_enlarge(self.decoder2(d1)) + e3)  # (B, C3, H/8, W/8)
        d3 = _enlarge(self.decoder3(d2)) + e2  # (B, C2, H/4, W/4)
        d4 = _enlarge(self.decoder4(d3)) + e1  # (B, C1, H/2, W/2)
        d5 = _enlarge(self.decoder5(d4))  # (B, C1/2, H, W)
        logits: Tensor = self.head(d5)  # (B, num_classes, H, W)
        return logits


class ReleasedConvStage(nn.Sequential):
    """3x3 convolution, BatchNorm, max-pooling by 2, ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1),
            nn.BatchNorm2d(out_channels),
            nn.MaxPool2d(2),
            nn.ReLU(inplace=True),
        )


class ReleasedPatchEmbedding(nn.Module):
    """3x3 convolution with stride 2, LayerNorm over channels."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1)
        self.norm = nn.LayerNorm(out_channels)
        init_fan_out(self.convolution)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C', h/2, w/2)."""
        x = self.convolution(x)
        return _as_map(self.norm(_as_tokens(x)), x)


class MemoryStage(nn.Module):
    """A token memory on a map, and the LayerNorm that closes it."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.block = ReleasedMSTMBlock(dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, h, w)."""
        return _as_map(self.norm(self.block(_as_tokens(x), *x.shape[2:])), x)


class ReleasedMSTMBlock(nn.Module):
    """The token memory: first pooling, then the two directions one after the other, each with a residual.

        n = LN(x)     x <- x + sum over k = 5, 9, 13 of (AvgPool_k(n) - n)
        x <- x + DCR_2(ViL_backward(DCR_1(ViL_forward(LN(x)))))

    AvgPool_k takes the tokens of an image as a picture of S rows (token numbers) and C columns (channels). The last step adds
    nothing negative, since DCR ends with a ReLU.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.pool_norm = nn.LayerNorm(dim)
        self.pools = nn.ModuleList(nn.AvgPool2d(k, 1, k // 2, count_include_pad=False) for k in WINDOWS)
        self.norm = nn.LayerNorm(dim)
        self.forward_layer, self.forward_refine = VisionLSTMLayer(dim, backward=False), Refine(dim)
        self.backward_layer, self.backward_refine = VisionLSTMLayer(dim, backward=True), Refine(dim)
        self.idle_refine = Refine(dim)

    def forward(self, x: Tensor, h: int, w: int) -> Tensor:
        """Tokens (B, S, C) of a map of h x w -> tokens (B, S, C), S = h w."""
        n = self.pool_norm(x)
        for pool in self.pools:
            x = x + pool(n[:, None])[:, 0] - n
        update = self.forward_refine(self.forward_layer(self.norm(x)), h, w)
        update = self.backward_refine(self.backward_layer(update), h, w)
        out: Tensor = x + update
        return out


class Refine(nn.Module):
    """DCR: 3x3 depthwise convolution on the map of the tokens, BatchNorm, ReLU."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)
        self.norm = nn.BatchNorm2d(dim)
        init_fan_out(self.convolution)

    def forward(self, x: Tensor, h: int, w: int) -> Tensor:
        """Tokens (B, S, C) of a map of h x w -> tokens (B, S, C)."""
        return _as_tokens(F.relu(self.norm(self.convolution(torch.unflatten(x.mT, 2, (h, w))))))


class VisionLSTMLayer(nn.Module):
    """One direction of the memory, with its own input projection, output gate and output projection.

        a, z = W_in x              c = SiLU(causal convolution of a over 4 tokens)
        q, k, v = blocks of c, c, a, 4 channels each           i~, f~ = W_i [q k v] + b_i, W_f [q k v] + b_f
        y = W_out ((norm(mLSTM(q, k, v, i~, f~)) + s c) SiLU(z))           norm over the channels of a head, gain 1 + g

    Args:
        dim: channels d, a multiple of 4.
        backward: read the tokens from the last to the first.
    """

    def __init__(self, dim: int, backward: bool) -> None:
        super().__init__()
        self.backward = backward
        self.project_in = nn.Linear(dim, 2 * dim, bias=False)
        self.convolution = nn.Conv1d(dim, dim, HISTORY, padding=HISTORY - 1, groups=dim)
        self.query = nn.Parameter(torch.empty(dim // BLOCK, BLOCK, BLOCK))  # (block, out, in)
        self.key = nn.Parameter(torch.empty(dim // BLOCK, BLOCK, BLOCK))
        self.value = nn.Parameter(torch.empty(dim // BLOCK, BLOCK, BLOCK))
        self.input_gate = nn.Linear(3 * dim, HEADS)
        self.forget_gate = nn.Linear(3 * dim, HEADS)
        self.norm_gain_offset = nn.Parameter(torch.zeros(dim))  # g: weight decay pulls the gain to 1
        self.norm_bias = nn.Parameter(torch.zeros(dim))
        self.skip = nn.Parameter(torch.ones(dim))
        self.project_out = nn.Linear(dim, dim, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialize as the released program ends up doing: its gates do not start open, unlike those of xLSTM."""
        for linear in (self.project_in, self.input_gate, self.forget_gate, self.project_out):
            nn.init.normal_(linear.weight, std=0.02)
        nn.init.zeros_(self.input_gate.bias)
        nn.init.zeros_(self.forget_gate.bias)
        for blocks in (self.query, self.key, self.value):
            nn.init.normal_(blocks, std=math.sqrt(2 / (5 * self.skip.numel())))

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, S, d) -> tokens (B, S, d)."""
        if self.backward:
            x = x.flip(1)
        S = x.shape[1]
        a, z = self.project_in(x).chunk(2, dim=-1)  # (B, S, d) each
        c = F.silu(self.convolution(a.mT)[..., :S].mT)  # (B, S, d)
        q, k, v = _blocks(c, self.query), _blocks(c, self.key), _blocks(a, self.value)
        gates = torch.cat([q, k, v], dim=-1)  # (B, S, 3 d)
        i, f = self.input_gate(gates).mT, self.forget_gate(gates).mT  # (B, 4, S)
        q, k, v = (torch.unflatten(t, -1, (HEADS, -1)).transpose(1, 2) for t in (q, k, v))  # (B, 4, S, d/4)
        h = mlstm_quadratic(q, k, v, i, f)  # (B, 4, S, d/4)
        h = F.layer_norm(h, h.shape[-1:]).transpose(1, 2).flatten(2)  # (B, S, d)
        h = h * (1 + self.norm_gain_offset) + self.norm_bias
        y: Tensor = self.project_out((h + self.skip * c) * F.silu(z))  # (B, S, d)
        return y.flip(1) if self.backward else y


def mlstm_quadratic(q: Tensor, k: Tensor, v: Tensor, i: Tensor, f: Tensor) -> Tensor:
    """The mLSTM over all pairs of tokens. It differs from `mlstm_parallel` in the 1e-6 that is added to its normalizer.

        F_t = log sigmoid(f~_1) + ... + log sigmoid(f~_t)      d_{t,s} = F_t - F_s + i~_s for s <= t      m_t = max_s d_{t,s}
        w_{t,s} = exp(d_{t,s} - m_t) q_t . k_s / sqrt(D)        h_t = sum_s w_{t,s} v_s / (max(|sum_s w_{t,s}|, exp(-m_t)) + 1e-6)

    Args:
        q: queries (B, NH, S, D).
        k: keys (B, NH, S, D), not yet divided by sqrt(D).
        v: values (B, NH, S, D).
        i: input gate pre-activations i~ (B, NH, S).
        f: forget gate pre-activations f~ (B, NH, S).

    Returns:
        h (B, NH, S, D), of the type of q.
    """
    with torch.autocast(q.device.type, enabled=False):
        dtype = q.dtype
        q, k, v, i, f = (t.to(torch.float64 if dtype == torch.float64 else torch.float32) for t in (q, k, v, i, f))
        S, D = q.shape[2:]
        decay = F.logsigmoid(f).cumsum(-1)  # (B, NH, S)
        later = torch.ones(S, S, dtype=torch.bool, device=q.device).triu(1)
        log_weights = (decay[..., :, None] - decay[..., None, :] + i[..., None, :]).masked_fill(later, -torch.inf)
        m = log_weights.amax(-1, keepdim=True)  # (B, NH, S, 1)
        weights = torch.exp(log_weights - m) * (q @ k.mT / math.sqrt(D))  # (B, NH, S, S)
        norm = torch.maximum(weights.sum(-1, keepdim=True).abs(), torch.exp(-m)) + 1e-6
        return (weights @ v / norm).to(dtype)


def _blocks(x: Tensor, weight: Tensor) -> Tensor:
    """Map each block of 4 channels of x (B, S, d) by its own matrix."""
    return torch.einsum("bsgi,goi->bsgo", torch.unflatten(x, -1, (-1, BLOCK)), weight).flatten(2)


def _enlarge(x: Tensor) -> Tensor:
    return F.relu(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))


def _as_tokens(x: Tensor) -> Tensor:
    return x.flatten(2).mT


def _as_map(tokens: Tensor, like: Tensor) -> Tensor:
    return torch.unflatten(tokens.mT, 2, like.shape[2:])


SIZES = {
    "tmunet_released_t": TMUNetReleasedConfig(widths=(8, 16, 32, 64, 128)),
    "tmunet_released_s": TMUNetReleasedConfig(widths=(16, 32, 64, 128, 256)),
    "tmunet_released_b": TMUNetReleasedConfig(widths=(32, 64, 128, 256, 512)),
}
"""The named sizes: tiny, small and base."""
