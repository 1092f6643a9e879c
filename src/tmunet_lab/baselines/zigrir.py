"""Zig-RiR: Zigzag RWKV-in-RWKV for Efficient Medical Image Segmentation. Chen et al., IEEE TMI 2025.

A pyramid of "sentences" (tokens of 8 x 8 pixels and more), each made of 4 x 4 "words" (tokens of its inside). Blocks mix words
within a sentence (inner RWKV), hand them to the sentence, and mix sentences over the image (outer RWKV); a U-Net decoder follows.

Facts: the paper, and what was measured on the authors' code (Apache-2.0). Oddities of that code are kept, because they make the
network what it is: paths that are never undone (see `SpatialMix`), the sums of its CUDA kernel (see `wkv`), position embeddings
and depthwise kernels that exist and are never used, a head without bias. Its options without effect are left out, and the
padding of odd grids, which no admitted size needs.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from tmunet.nn.input_size import InputSize
from tmunet_lab.baselines.baseline_layers import conv_norm_relu, init_fan_out
from tmunet_lab.baselines.zigrir_mixing import ChannelMix, SpatialMix

WIDTHS = (64, 128, 256, 512)  # C, channels of a sentence in the four stages
WORD_WIDTHS = (4, 8, 16, 32)  # c, channels of a word
DEPTHS = (2, 4, 9, 2)  # blocks of a stage
SIDE = 4  # words along one side of a sentence
WORDS = SIDE * SIDE


@dataclass(frozen=True)
class ZigRiRConfig:
    """Configuration of Zig-RiR."""

    in_channels: int = 3
    """Channels of the image."""
    num_classes: int = 1
    """Channels of the output: 1 is binary (sigmoid), K > 1 is K classes (softmax)."""
    img_size: int = 512
    """Side in pixels that the position embeddings are made for. They are never used, so that this changes the number of
    parameters, 24,306,280 + img_size^2, and nothing else."""

    def __post_init__(self) -> None:
        if self.img_size < 64 or self.img_size % 64:
            raise ValueError(f"Expected `img_size` to be a positive multiple of 64 pixels, but got {self.img_size}.")


class ZigRiR(nn.Module):
    """The network of the paper's authors. See `ZigRiRConfig` for its choices.

    Input (B, in_channels, n, n): square, n any multiple of 64 whatever `img_size` is, at least 64 (from 128 on the deepest grid
    has neighbors to shift from); output: logits (B, num_classes, n, n).

    Raises:
        ValueError: the image has another size or other channels.
    """

    input_size = InputSize(minimum=64, multiple=64, square=True)

    def __init__(self, config: ZigRiRConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ZigRiRConfig()
        self.stem = Stem(config.in_channels)
        self.idle_sentence_positions = nn.Parameter(torch.zeros(1, (config.img_size // 8) ** 2, WIDTHS[0]))
        self.idle_word_positions = nn.Parameter(torch.zeros(1, WORDS, WORD_WIDTHS[0]))
        stages = zip(DEPTHS, WIDTHS, WORD_WIDTHS, strict=True)
        self.stages = nn.ModuleList(Stage(depth, dim, word_dim) for depth, dim, word_dim in stages)
        self.merge_words = nn.ModuleList(WordMerge(c, c_next) for c, c_next in pairwise(WORD_WIDTHS))
        self.merge_sentences = nn.ModuleList(SentenceMerge(C, C_next) for C, C_next in pairwise(WIDTHS))
        self.up = nn.ModuleList(UpBlock(dim) for dim in WIDTHS)
        self.apply(_initialize)  # the encoder; what follows keeps PyTorch's own
        C1, C2, C3, C4 = WIDTHS
        self.decoder3 = ZigRiRDecoder(C4, C3)
        self.decoder2 = ZigRiRDecoder(C3, C2)
        self.decoder1 = ZigRiRDecoder(C2, C1)
        self.enlarge = nn.Upsample(scale_factor=4, mode="bilinear", align_corners=True)
        self.head = nn.Conv2d(C1, config.num_classes, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Image (B, in_channels, n, n) -> logits (B, num_classes, n, n)."""
        self.input_size.check(x, self.config.in_channels)
        x = x.contiguous(memory_format=torch.channels_last)  # faster on a CPU
        n = x.shape[-1] // 8  # sentences along one side
        words, sentences = self.stem(x)  # (B n n, 16, c1), (B, n n, C1)
        maps = []
        for index, (stage, up) in enumerate(zip(self.stages, self.up, strict=True)):
            if index:
                words = self.merge_words[index - 1](words, n)  # (B n n / 4, 16, c)
                sentences = self.merge_sentences[index - 1](sentences, n)  # (B, n n / 4, C)
                n //= 2
            words, sentences = stage(words, sentences)
            maps.append(up(sentences.mT.unflatten(2, (n, n))))  # (B, C, 2 n, 2 n)
        u1, u2, u3, u4 = maps  # 1/4, 1/8, 1/16 and 1/32 of the resolution
        d3 = self.decoder3(u4, u3)  # (B, C3, H/16, W/16)
        d2 = self.decoder2(d3, u2)  # (B, C2, H/8, W/8)
        d1 = self.decoder1(d2, u1)  # (B, C1, H/4, W/4)
        logits: Tensor = self.head(self.enlarge(d1))  # (B, num_classes, H, W)
        return logits


class Stem(nn.Module):
    """Words are the pixels of a map at half resolution, sentences its patches of 4 x 4, each through its own convolutions."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.common = conv_norm_relu(in_channels, 8, stride=2)
        self.inner = conv_norm_relu(8, WORD_WIDTHS[0])
        self.outer = nn.Sequential(
            conv_norm_relu(8, 16, stride=2), conv_norm_relu(16, 32, stride=2), conv_norm_relu(32, WIDTHS[0])
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Image (B, in_channels, 8 n, 8 n) -> words (B n n, 16, c1) and sentences (B, n n, C1)."""
        common = self.common(x)  # (B, 8, 4 n, 4 n)
        words = self.inner(common)  # (B, c1, 4 n, 4 n)
        words = words.unflatten(3, (-1, SIDE)).unflatten(2, (-1, SIDE))  # (B, c1, n, 4, n, 4)
        words = words.permute(0, 2, 4, 3, 5, 1).flatten(3, 4).flatten(0, 2)  # (B n n, 16, c1)
        return words, self.outer(common).flatten(2).mT


class Stage(nn.Module):
    """Blocks at one resolution. The first (in a stage of more than 6 blocks, the first two) mix words as well.

    The blocks follow the zigzag path along rows and along columns in turn.
    """

    def __init__(self, depth: int, dim: int, word_dim: int) -> None:
        super().__init__()
        paths = [j % 2 == 1 for j in range(depth)]
        with_words = 2 if depth > 6 else 1
        self.inner = nn.ModuleList(InnerBlock(dim, word_dim, path) for path in paths[:with_words])
        self.outer = nn.ModuleList(OuterBlock(dim, path) for path in paths)

    def forward(self, words: Tensor, sentences: Tensor) -> tuple[Tensor, Tensor]:
        """Words (B N, 16, c) and sentences (B, N, C) -> the same shapes."""
        for j, outer in enumerate(self.outer):
            if j < len(self.inner):
                words, sentences = self.inner[j](words, sentences)
            sentences = outer(sentences)
        return words, sentences


class InnerBlock(nn.Module):
    """Mix the words of each sentence, then add them to the sentence."""

    def __init__(self, dim: int, word_dim: int, along_columns: bool) -> None:
        super().__init__()
        flat = WORDS * word_dim
        self.spatial_norm, self.spatial = nn.LayerNorm(flat), SpatialMix(word_dim, along_columns)
        self.channel_norm, self.channel = nn.LayerNorm(flat), ChannelMix(word_dim)
        self.words_norm, self.project = nn.LayerNorm(flat), nn.Linear(flat, dim, bias=False)
        self.sentence_norm = nn.LayerNorm(dim)

    def forward(self, words: Tensor, sentences: Tensor) -> tuple[Tensor, Tensor]:
        """Words (B N, 16, c) and sentences (B, N, C) -> the same shapes."""
        words = words + self.spatial(self.spatial_norm(words.flatten(1)).reshape(words.shape))
        words = words + self.channel(self.channel_norm(words.flatten(1)).reshape(words.shape))
        read = self.project(self.words_norm(words.flatten(1)))  # (B N, C)
        sentences = sentences + self.sentence_norm(read).reshape(sentences.shape)
        return words, sentences


class OuterBlock(nn.Module):
    """Mix the sentences of the image."""

    def __init__(self, dim: int, along_columns: bool) -> None:
        super().__init__()
        self.spatial_norm, self.spatial = nn.LayerNorm(dim), SpatialMix(dim, along_columns)
        self.channel_norm, self.channel = nn.LayerNorm(dim), ChannelMix(dim)

    def forward(self, sentences: Tensor) -> Tensor:
        """Sentences (B, N, C) -> the same shape."""
        sentences = sentences + self.spatial(self.spatial_norm(sentences))
        out: Tensor = sentences + self.channel(self.channel_norm(sentences))
        return out


class WordMerge(nn.Module):
    """2 x 2 neighboring sentences become one: its 8 x 8 words are joined by a convolution that does not leave it."""

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(in_dim)
        self.reduce = nn.Conv2d(in_dim, out_dim, 3, stride=2, padding=1)

    def forward(self, words: Tensor, n: int) -> Tensor:
        """Words (B n n, 16, c) of n x n sentences -> (B n n / 4, 16, c')."""
        grid = self.norm(words).reshape(-1, n // 2, 2, n // 2, 2, SIDE, SIDE, words.shape[-1])
        joined = grid.permute(0, 1, 3, 7, 2, 5, 4, 6).flatten(6, 7).flatten(4, 5).flatten(0, 2)  # (B n n / 4, c, 8, 8)
        merged: Tensor = self.reduce(joined)  # (B n n / 4, c', 4, 4)
        return merged.flatten(2).mT  # (B n n / 4, 16, c')


class SentenceMerge(nn.Module):
    """A convolution with stride 2 over the map of sentences."""

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(in_dim)
        self.reduce = nn.Conv2d(in_dim, out_dim, 3, stride=2, padding=1)

    def forward(self, sentences: Tensor, n: int) -> Tensor:
        """Sentences (B, n n, C) -> (B, n n / 4, C')."""
        merged: Tensor = self.reduce(self.norm(sentences).mT.unflatten(2, (n, n)))  # (B, C', n / 2, n / 2)
        return merged.flatten(2).mT  # (B, n n / 4, C')


class UpBlock(nn.Sequential):
    """From the sentences of a stage to the map that the decoder takes: twice the resolution, the same channels."""

    def __init__(self, dim: int) -> None:
        super().__init__(
            nn.ConvTranspose2d(dim, dim, 2, stride=2),
            nn.BatchNorm2d(dim),
            nn.GELU(),
            nn.Conv2d(dim, dim, 3, padding=1),
            nn.BatchNorm2d(dim),
            nn.GELU(),
        )


class ZigRiRDecoder(nn.Module):
    """Upsample, put before the skip connection, convolve."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)
        self.refine = conv_norm_relu(2 * out_channels, out_channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, C, h, w) and skip (B, C', 2 h, 2 w) -> (B, C', 2 h, 2 w)."""
        out: Tensor = self.refine(torch.cat([self.up(x), skip], dim=1))
        return out


def _initialize(module: nn.Module) -> None:
    """Linear layers N(0, 0.02) cut at +-2, convolutions N(0, sqrt(2 / fan-out)), biases 0; the rest keeps its own."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
    elif isinstance(module, nn.Conv2d):
        init_fan_out(module)


SIZES = {"zigrir": ZigRiRConfig()}
"""The one named size, for images of 512 pixels."""
