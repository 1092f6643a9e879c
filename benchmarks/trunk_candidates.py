"""Trunks that were tried for a fast network with token memory: one network whose parts are named, and the list of candidates."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmunet.nn.layers import upsample_like
from tmunet.nn.mstm import MSTMBlock, MSTMConfig
from tmunet.nn.residual_scale import ResidualScale


@dataclass(frozen=True)
class Trunk:
    """What a candidate is made of. Level L has 1/2^L of the image's resolution."""

    widths: tuple[int, ...] = (16, 32, 64, 128, 256)
    """Channels of levels 1 to 5; 0 where the stem passes by."""
    stem: tuple[int, int] = (7, 2)
    """Kernel and stride of the first convolution."""
    blocks: tuple[str, ...] = ("axial",) * 5
    """Kind of block at levels 1 to 5, "-" for none; a digit before it repeats."""
    down: str = "pool"
    """"pool": 1x1 convolution, max-pooling; "mean": average pooling; "conv": 3x3 convolution of stride 2; "patch": 2x2."""
    activation: str = "relu"
    memory: tuple[str, ...] = ("e4", "e5", "d4")
    """Where the token memory stands: encoder (e) or decoder (d) and level."""
    fuse: str = "cat"
    """"cat": concatenate and 1x1 convolution; "add": 1x1 convolution before the upsampling, and of the skip, and their sum."""
    refine: str = "axial"
    """Kind of block in the decoder."""
    stop: int = 1
    """Level of the logits."""
    decoder: tuple[int, ...] = ()
    """Channels of the decoder at levels 1 to 5, by a 1x1 convolution after the encoder; those of the encoder if empty."""
    scan: str = "rows"
    """"rows"; "columns" at level 4."""
    layers: int = 1
    heads: int = 4


def activation(kind: str) -> nn.Module:
    """ReLU or GELU."""
    return nn.GELU() if kind == "gelu" else nn.ReLU(inplace=True)


class AxialMix(nn.Module):
    """x + a depthwise column of x + a depthwise row of x."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        half = kernel // 2
        self.column = nn.Conv2d(channels, channels, (kernel, 1), padding=(half, 0), groups=channels)
        self.row = nn.Conv2d(channels, channels, (1, kernel), padding=(0, half), groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        out: Tensor = x + self.column(x) + self.row(x)
        return out


class Residual(nn.Sequential):
    """x + layers(x)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        out: Tensor = x + super().forward(x)
        return out


class PartialConv(nn.Module):
    """A dense 3x3 convolution of a quarter of the channels, the others pass (FasterNet, CVPR 2023)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.quarter = channels // 4
        self.conv = nn.Conv2d(self.quarter, self.quarter, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        return torch.cat([self.conv(x[:, : self.quarter]), x[:, self.quarter :]], 1)


class Columns(nn.Module):
    """A block that reads the map column by column."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        out: Tensor = self.block(x.mT.contiguous(memory_format=torch.channels_last)).mT
        return out


def depthwise(C: int, kernel: int) -> list[nn.Module]:
    """Depthwise convolution and BatchNorm."""
    return [nn.Conv2d(C, C, kernel, padding=kernel // 2, groups=C, bias=False), nn.BatchNorm2d(C)]


def pointwise(C: int, out: int) -> list[nn.Module]:
    """1x1 convolution and BatchNorm."""
    return [nn.Conv2d(C, out, 1, bias=False), nn.BatchNorm2d(out)]


def dense(C: int, out: int, stride: int = 1) -> list[nn.Module]:
    """3x3 convolution and BatchNorm."""
    return [nn.Conv2d(C, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)]


def block(kind: str, C: int, act: str) -> nn.Module:
    """One block of C channels."""
    if kind == "-":
        return nn.Identity()
    if kind[0].isdigit():
        return nn.Sequential(*(block(kind[1:], C, act) for _ in range(int(kind[0]))))
    a = activation(act)
    return {
        "axial": lambda: nn.Sequential(AxialMix(C, 7), nn.BatchNorm2d(C)),  # its 1x1 is that of the downsampling
        "axialp": lambda: nn.Sequential(AxialMix(C, 7), nn.BatchNorm2d(C), *pointwise(C, C), a),
        "plain": lambda: nn.Sequential(*dense(C, C), a),
        "res": lambda: nn.Sequential(Residual(*dense(C, C)), a),
        "basic": lambda: nn.Sequential(Residual(*dense(C, C), activation(act), *dense(C, C)), a),
        "dw3": lambda: nn.Sequential(*depthwise(C, 3), *pointwise(C, C), a),
        "dw5": lambda: nn.Sequential(*depthwise(C, 5), *pointwise(C, C), a),
        "dw7": lambda: nn.Sequential(*depthwise(C, 7), *pointwise(C, C), a),
        "ir5": lambda: Residual(*pointwise(C, 2 * C), a, *depthwise(2 * C, 5), activation(act), *pointwise(2 * C, C)),
        "next7": lambda: Residual(*depthwise(C, 7), *pointwise(C, 2 * C), a, *pointwise(2 * C, C)),
        "next5": lambda: Residual(*depthwise(C, 5), *pointwise(C, 2 * C), a, *pointwise(2 * C, C)),
        "partial": lambda: Residual(PartialConv(C), *pointwise(C, 2 * C), a, *pointwise(2 * C, C)),
        "point": lambda: nn.Identity(),
    }[kind]()


def downsample(kind: str, C: int, out: int, act: str) -> nn.Module:
    """To the next level."""
    a = activation(act)
    if kind == "pool":
        return nn.Sequential(nn.Conv2d(C, out, 1), nn.MaxPool2d(2), a)
    if kind == "mean":
        return nn.Sequential(nn.Conv2d(C, out, 1), nn.AvgPool2d(2), a)
    if kind == "patch":
        return nn.Sequential(nn.Conv2d(C, out, 2, 2, bias=False), nn.BatchNorm2d(out), a)
    return nn.Sequential(*dense(C, out, 2), a)


class Decoder(nn.Module):
    """Upsample, join with the skip, refine."""

    def __init__(self, C: int, skip: int, out: int, spec: Trunk) -> None:
        super().__init__()
        self.fuse = spec.fuse
        a = activation(spec.activation)
        if spec.fuse == "add":
            self.reduce = nn.Sequential(*pointwise(C, out))
            self.lateral = nn.Sequential(*pointwise(skip, out))
        else:
            self.reduce = nn.Sequential(*pointwise(C + skip, out), a)
        self.refine = block(spec.refine, out, spec.activation)
        self.activation = activation(spec.activation)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, C, h, w), (B, C', H, W) -> (B, C', H, W)."""
        if self.fuse == "add":
            x = self.activation(upsample_like(self.reduce(x), skip) + self.lateral(skip))
        else:
            x = self.reduce(torch.cat([upsample_like(x, skip), skip], 1))
        out: Tensor = self.refine(x)
        return out


class Candidate(nn.Module):
    """Image (B, 3, H, W) -> logits (B, 1, H, W)."""

    def __init__(self, spec: Trunk) -> None:
        super().__init__()
        self.spec = spec
        kernel, stride = spec.stem
        first = {1: 0, 2: 0, 4: 1}[stride]  # index of the level that the stem writes
        C, act = spec.widths, spec.activation
        self.stem = nn.Sequential(
            nn.Conv2d(3, C[first], kernel, stride, (kernel - 1) // 2, bias=False),
            nn.BatchNorm2d(C[first]),
            activation(act),
        )
        self.levels = list(range(first, 5))
        self.blocks = nn.ModuleList(block(spec.blocks[n], C[n], act) for n in self.levels)
        self.downs = nn.ModuleList(downsample(spec.down, C[n], C[n + 1], act) for n in self.levels[:-1])
        self.memories = nn.ModuleDict({place: self.memory(place) for place in spec.memory})
        ups = [n for n in reversed(self.levels[:-1]) if n + 1 >= spec.stop]
        D = spec.decoder or C
        self.top = nn.Sequential(*pointwise(C[4], D[4]), activation(act)) if spec.decoder else nn.Identity()
        self.decoders = nn.ModuleList(Decoder(D[n + 1], C[n], D[n], spec) for n in ups)
        self.head = nn.Conv2d(D[ups[-1]], 1, 1)

    def memory(self, place: str) -> nn.Module:
        """The token memory with a learned scale."""
        d = ((self.spec.decoder or self.spec.widths) if place[0] == "d" else self.spec.widths)[int(place[1]) - 1]
        inner: nn.Module = MSTMBlock(d, MSTMConfig(layers=self.spec.layers, heads=self.spec.heads))
        if self.spec.scan == "columns" and place[1] == "4":
            inner = Columns(inner)
        return ResidualScale(inner, d)

    def remember(self, place: str, x: Tensor) -> Tensor:
        """Apply the memory of a place, if it has one."""
        out: Tensor = self.memories[place](x) if place in self.memories else x
        return out

    def forward(self, image: Tensor) -> Tensor:
        """Image (B, 3, H, W) -> logits (B, 1, H, W)."""
        x = self.stem(image.contiguous(memory_format=torch.channels_last))
        skips = []
        for n, stage in enumerate(self.blocks):
            x = self.remember(f"e{self.levels[n] + 1}", stage(x))
            if n < len(self.downs):
                skips.append(x)
                x = self.downs[n](x)
        x = self.remember("d5", self.top(x))
        for n, decoder in enumerate(self.decoders):
            x = self.remember(f"d{self.levels[-2 - n] + 1}", decoder(x, skips[-1 - n]))
        return F.interpolate(self.head(x), image.shape[2:], mode="bilinear", align_corners=False)


AXIAL = Trunk(refine="axialp")
PLAIN = Trunk(
    stem=(3, 2), blocks=("-", "plain", "plain", "plain", "plain"), down="conv", refine="dw3", fuse="add", stop=2
)
QUARTER = Trunk(
    widths=(0, 32, 64, 128, 256), stem=(7, 4), blocks=("plain",) * 5, down="conv", refine="dw3", fuse="add", stop=2
)
NARROW = Trunk(
    widths=(16, 32, 64, 128, 256),
    memory=("d5", "d4"),
    fuse="add",
    refine="axialp",
    stop=2,
    decoder=(0, 32, 32, 64, 128),
)
FOUR = replace(NARROW, widths=(0, 32, 64, 128, 256), stem=(7, 4))
CANDIDATES = {
    "axial, widths 24 to 384, GELU (start)": replace(
        AXIAL, widths=(24, 48, 96, 192, 384), activation="gelu", down="mean"
    ),
    "axial, widths 24 to 384": replace(AXIAL, widths=(24, 48, 96, 192, 384)),
    "axial, widths 16 to 256": AXIAL,
    "axial, sum for concatenation": replace(AXIAL, fuse="add"),
    "axial, decoder to 1/4": replace(AXIAL, fuse="add", stop=2),
    "axial, no memory": replace(AXIAL, fuse="add", stop=2, memory=()),
    "axial, memory at 1/32 only": replace(AXIAL, fuse="add", stop=2, memory=("e5",)),
    "axial, narrow decoder": NARROW,
    "axial, narrow decoder, dw5": replace(NARROW, refine="dw5"),
    "axial, narrow decoder to 1/2": replace(NARROW, stop=1, decoder=(16, 32, 32, 64, 128)),
    "axial, narrow decoder, concatenation": replace(NARROW, fuse="cat"),
    "axial with its own 1x1, narrow decoder": replace(NARROW, blocks=("axial", "axialp", "axialp", "axialp", "axialp")),
    "axial twice at 1/16 and 1/32, narrow decoder": replace(
        NARROW, blocks=("axial", "axial", "axial", "2axialp", "2axialp")
    ),
    "axial, convolutions of stride 2, narrow decoder": replace(NARROW, down="conv"),
    "7x7 at stride 4, axial, narrow decoder": FOUR,
    "7x7 at stride 4, axial, convolutions of stride 2, narrow decoder": replace(FOUR, down="conv"),
    "7x7 at stride 4, axial, narrow decoder, memory at 1/32": replace(FOUR, memory=("d5",)),
    "7x7 at stride 4, next7, narrow decoder": replace(FOUR, blocks=("next7",) * 5, down="conv"),
    "plain 3x3": PLAIN,
    "plain 3x3, decoder to 1/2": replace(PLAIN, stop=1),
    "plain 3x3, decoder dense": replace(PLAIN, refine="plain"),
    "plain 3x3, no memory": replace(PLAIN, memory=()),
    "7x7 stem at stride 4, plain 3x3": QUARTER,
    "4x4 patches, plain 3x3": replace(QUARTER, stem=(4, 4)),
    "7x7 at stride 4, no blocks but downsampling": replace(QUARTER, blocks=("-",) * 5),
    "7x7 at stride 4, dw5": replace(QUARTER, blocks=("dw5",) * 5),
    "7x7 at stride 4, dw7": replace(QUARTER, blocks=("dw7",) * 5),
    "7x7 at stride 4, next7": replace(QUARTER, blocks=("next7",) * 5),
    "7x7 at stride 4, partial": replace(QUARTER, blocks=("partial",) * 5),
    "7x7 at stride 4, plain then inverted": replace(QUARTER, blocks=("-", "plain", "plain", "ir5", "ir5")),
    "7x7 at stride 4, no blocks, no memory": replace(QUARTER, blocks=("-",) * 5, memory=()),
    "7x7 at stride 4, no blocks, memory at 1/32": replace(QUARTER, blocks=("-",) * 5, memory=("e5",)),
    "7x7 at stride 4, widths 24 to 192": replace(QUARTER, widths=(0, 24, 48, 96, 192)),
}
