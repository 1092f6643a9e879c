"""Three networks of MONAI, behind the same contract as all others. Cardoso et al., "MONAI", arXiv:2211.02701, 2022.

- `BasicUNet`: the U-Net of Falk et al., Nature Methods 2019, with InstanceNorm and LeakyReLU; widths are MONAI's defaults.
- `AttentionUnet`: Oktay et al., "Attention U-Net", MIDL 2018; MONAI has no default widths, these are the authors'.
- `SegResNet`: Myronenko, BrainLes at MICCAI 2018, without the autoencoder branch; width and depth are MONAI's defaults.

The layers are MONAI's (Apache-2.0); what is said here of sizes was measured on MONAI 1.6.1.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from tmunet.extras import require
from tmunet.nn.input_size import InputSize


@dataclass(frozen=True)
class MonaiConfig:
    """What makes one network of a kind differ from another."""

    in_channels: int = 3
    """C0, channels of the image."""
    num_classes: int = 1
    """Channels of the output: 1 is binary (sigmoid), K > 1 is K classes (softmax)."""


class MonaiNetwork(nn.Module):
    """A network of `monai.networks.nets` in two dimensions; the kinds are its subclasses.

    Input (B, C0, H, W) of a size that `input_size` admits; output: logits (B, num_classes, H, W).

    Raises:
        MissingExtraError: MONAI is not installed.
        ValueError: the image has another size or other channels than C0.
    """

    input_size: InputSize

    def __init__(self, name: str, config: MonaiConfig | None, **arguments: Any) -> None:
        super().__init__()
        self.config = config = config or MonaiConfig()
        nets = require("monai.networks.nets", extra="monai")
        self.network = getattr(nets, name)(
            spatial_dims=2, in_channels=config.in_channels, out_channels=config.num_classes, **arguments
        )

    def forward(self, x: Tensor) -> Tensor:
        """Image (B, C0, H, W) -> logits (B, num_classes, H, W)."""
        self.input_size.check(x, self.config.in_channels)
        logits: Tensor = self.network(x)  # (B, num_classes, H, W)
        return logits


class BasicUNet(MonaiNetwork):
    """Five resolutions of 32, 32, 64, 128, 256 channels. H, W >= 32, odd sizes included."""

    input_size = InputSize(minimum=32)  # InstanceNorm needs more than one pixel at 1/16

    def __init__(self, config: MonaiConfig | None = None) -> None:
        super().__init__("BasicUNet", config)


class AttentionUNet(MonaiNetwork):
    """Five resolutions of 16, 32, 64, 128, 256 channels. H, W >= 16 and divisible by 16."""

    input_size = InputSize(minimum=16, multiple=16)  # four halvings, each undone by doubling

    def __init__(self, config: MonaiConfig | None = None) -> None:
        super().__init__("AttentionUnet", config, channels=(16, 32, 64, 128, 256), strides=(2, 2, 2, 2))


class SegResNet(MonaiNetwork):
    """Four resolutions of 8, 16, 32, 64 channels. H, W >= 8 and divisible by 8."""

    input_size = InputSize(minimum=8, multiple=8)  # three halvings, each undone by doubling

    def __init__(self, config: MonaiConfig | None = None) -> None:
        super().__init__("SegResNet", config)


SIZES = {
    "monai_basicunet": MonaiConfig(),
    "monai_attentionunet": MonaiConfig(),
    "monai_segresnet": MonaiConfig(),
}
"""One size of each kind."""
