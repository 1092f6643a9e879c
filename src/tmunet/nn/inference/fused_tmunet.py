"""TM-UNet for inference: fine maps strip by strip, and no map joined with its skip connection."""

from torch import Tensor, nn

from tmunet.nn.inference.fused_skip import SkipRefinement
from tmunet.nn.inference.strips import run_tiled, tile_rows
from tmunet.nn.tmunet import SeparableRefinement, TMUNet


class InferenceTMUNet(TMUNet):
    """A `TMUNet` without a gradient, made of its stages.

    Args:
        network: in eval mode, its BatchNorms folded.
    """

    def __init__(self, network: TMUNet) -> None:
        nn.Module.__init__(self)
        self.config = network.config
        for name, stage in network.named_children():
            self.add_module(name, stage)
        if self.config.refine == "separable":
            for level in (5, 4, 3, 2):  # what is upsampled there has the channels of that level
                stage, channels = getattr(self, f"decoder{level}"), self.config.widths[level - 1]
                setattr(self, f"decoder{level}", InferenceDecoderStage(stage, channels))
        self.eval()

    def inference_form(self) -> nn.Module:
        """Itself."""
        return self

    def first(self, x: Tensor) -> Tensor:
        """Image (B, C0, H, W) -> (B, C1, H/2, W/2)."""
        whole = super().first
        height = x.shape[2] // 2
        rows = tile_rows(x, height, self.config.widths[0], x.shape[3])
        if not rows:
            return whole(x)

        def strip(image: int, low: int, high: int) -> Tensor:
            return whole(x[image : image + 1, :, 2 * low : x.shape[2] if high == height else 2 * high])

        return run_tiled(strip, len(x), height, rows, scale=1)

    def decode(self, stage: nn.Module, x: Tensor, skip: Tensor) -> Tensor:
        """D5-D2: (B, C, h, w) and the skip connection (B, C', H, W) -> (B, C', H, W)."""
        if isinstance(stage, InferenceDecoderStage):
            d: Tensor = stage(x, skip)
            return d
        return super().decode(stage, x, skip)

    def last(self, d2: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, C1, H/2, W/2) -> logits (B, num_classes, H, W)."""
        whole = super().last
        height = d2.shape[2]
        rows = tile_rows(d2, height, self.config.widths[0], size[1])
        if not rows or size[0] != 2 * height:  # rows of an odd image lie otherwise between those of the map
            return whole(d2, size)

        def strip(image: int, low: int, high: int) -> Tensor:
            return whole(d2[image : image + 1, :, low:high], (2 * (high - low), size[1]))

        return run_tiled(strip, len(d2), height, rows, scale=2)


class InferenceDecoderStage(nn.Module):
    """D5-D2: separable refinement of two maps that are not joined, and the token memory where there is one."""

    def __init__(self, stage: nn.Module, channels: int) -> None:
        super().__init__()
        refinement, *memory = [stage] if isinstance(stage, SeparableRefinement) else stage.children()
        assert isinstance(refinement, SeparableRefinement)
        self.refinement = SkipRefinement(refinement, channels)
        self.memory = nn.Sequential(*memory)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, C, h, w) and the skip connection (B, C', H, W) -> (B, C', H, W)."""
        d: Tensor = self.memory(self.refinement(x, skip))
        return d
