"""TM-UNet for inference on the CPU: its fine stages run tile by tile, so that their maps stay in the cache.

Large maps also cost time to allocate. A tile is some rows of a stage's coarser map, with one row of overlap on either side:
enough for a 3x3 convolution at twice the resolution next to a 2x2 pooling or a bilinear upsampling, so that the result is that of
whole maps.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tmunet.nn.inference.fused_refinement import InferenceConcatRefinement, InferenceRefinement
from tmunet.nn.layers import DepthwiseSeparableConv, upsample_like
from tmunet.nn.tmunet import TMUNet

LARGE = 8 * 2**20  # bytes of a map; smaller ones are as fast whole (benchmarks/tile_rows.md)
TILE = 4 * 2**20  # bytes of a tile


class InferenceTMUNet(nn.Module):
    """The function of a `TMUNet`, tile by tile where maps are large.

    Args:
        network: in eval mode; its stages are taken over, not copied.
    """

    def __init__(self, network: TMUNet) -> None:
        super().__init__()
        self.config, self.input_size = network.config, network.input_size
        self.encoder1, self.encoder2, self.encoder3 = network.encoder1, network.encoder2, network.encoder3
        self.encoder4, self.encoder5 = network.encoder4, network.encoder5
        C1, C2, C3, C4, _ = network.config.widths
        self.refinement5, self.mstm5 = _split(network.decoder5[0], C4), network.decoder5[1]
        self.refinement4, self.mstm4 = _split(network.decoder4[0], C3), network.decoder4[1]
        self.decoder3, self.decoder2 = _split(network.decoder3, C2), _split(network.decoder2, C1)
        self.decoder1 = network.decoder1
        self.head = network.head
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Image (B, C0, H, W) -> logits (B, num_classes, H, W)."""
        self.input_size.check(x, self.config.in_channels)
        x = x.contiguous(memory_format=torch.channels_last)
        C1, (H, W) = self.config.widths[0], x.shape[2:]
        e1 = run_tiled(self.encoder1, (x,), height=H // 2, scale=1, channels=C1, width=W)  # (B, C1, H/2, W/2)
        e2 = self.encoder2(e1)
        e3 = self.encoder3(e2)
        e4 = self.encoder4(e3)
        e5 = self.encoder5(e4)
        d5 = self.mstm5(_decode(self.refinement5, e5, e4))
        d4 = self.mstm4(_decode(self.refinement4, d5, e3))
        d3 = _decode(self.decoder3, d4, e2)
        d2 = _decode(self.decoder2, d3, e1)  # (B, C1, H/2, W/2)
        return run_tiled(self._last, (d2, x), height=H // 2, scale=2, channels=C1, width=W)

    def _last(self, d2: Tensor, x: Tensor) -> Tensor:
        """D1 and the head: (B, C1, H/2, W/2) and the image -> logits (B, num_classes, H, W)."""
        logits: Tensor = self.head(self.decoder1(upsample_like(d2, x)))
        return logits


def _split(refinement: nn.Module, skip_channels: int) -> nn.Module:
    if isinstance(refinement, DepthwiseSeparableConv):
        return InferenceRefinement(refinement, skip_channels)
    return InferenceConcatRefinement(refinement)


def _decode(refinement: nn.Module, x: Tensor, skip: Tensor) -> Tensor:
    """Upsample and refine: (B, C, h, w) and the skip connection (B, C', H, W) -> (B, C', H, W)."""
    return run_tiled(refinement, (x, skip), height=x.shape[2], scale=2, channels=x.shape[1], width=skip.shape[3])


def run_tiled(
    stage: Callable[..., Tensor], maps: tuple[Tensor, ...], height: int, scale: int, channels: int, width: int
) -> Tensor:
    """Apply a stage tile by tile and image by image; to whole maps where they are small or their heights do not halve.

    Args:
        stage: maps -> (B, C, scale * height, W).
        maps: its inputs (B, C, H, W), the finest one last.
        height: rows of the stage's coarsest map.
        scale: rows of the result over `height`, 1 or 2.
        channels: of the map that is counted, the finest one that is not an input of the network.
        width: of that map, which has two rows for each of `height`.
    """
    rows = tile_rows(maps[0], height, channels, width)
    if not rows or (scale == 2 and maps[-1].shape[2] != 2 * height):  # rows of an odd map are interpolated otherwise
        return stage(*maps)
    images = []
    for image in range(len(maps[0])):
        tiles = []
        for start in range(0, height, rows):
            stop = min(start + rows, height)
            low, high = max(start - 1, 0), min(stop + 1, height)
            tile = stage(*(_rows(x[image : image + 1], low, high, height) for x in maps))
            tiles.append(tile[:, :, scale * (start - low) : scale * (stop - low)])
        images.append(torch.cat(tiles, dim=2))
    return torch.cat(images) if len(images) > 1 else images[0]


def tile_rows(x: Tensor, height: int, channels: int, width: int) -> int:
    """Return the rows of the coarsest map in one tile; 0 is the whole map, always so under compilers and on GPUs."""
    if torch.compiler.is_compiling() or x.device.type != "cpu":
        return 0
    row = 2 * channels * width * x.element_size()
    large = len(x) * row * height > LARGE
    return max(TILE // row, 1) if large else 0


def _rows(x: Tensor, low: int, high: int, height: int) -> Tensor:
    """Take the rows of a map that belong to rows `low` to `high` of the coarsest one."""
    factor = x.shape[2] // height
    return x[:, :, factor * low : x.shape[2] if high == height else factor * high]
