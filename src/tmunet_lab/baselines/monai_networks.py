"""Three networks of MONAI. Cardoso et al., "MONAI", arXiv:2211.02701, 2022.

- `BasicUNet`: the U-Net of Falk et al., Nature Methods 2019, with InstanceNorm and LeakyReLU; widths are MONAI's defaults.
- `AttentionUnet`: Oktay et al., "Attention U-Net", MIDL 2018; MONAI has no default widths, these are the authors'.
- `SegResNet`: Myronenko, BrainLes at MICCAI 2018, without the autoencoder branch; width and depth are MONAI's defaults.

The layers are MONAI's (Apache-2.0); input sizes were measured on MONAI 1.6.1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from tmunet.extras import require
from tmunet.nn.input_size import InputSize

INPUT_SIZES = {
    "BasicUNet": InputSize(minimum=32),  # InstanceNorm needs more than one pixel at 1/16
    "AttentionUnet": InputSize(minimum=16, multiple=16),  # four halvings, each undone by doubling
    "SegResNet": InputSize(minimum=8, multiple=8),  # three halvings, each undone by doubling
}
ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "AttentionUnet": {"channels": (16, 32, 64, 128, 256), "strides": (2, 2, 2, 2)},
}


@dataclass(frozen=True)
class MonaiConfig:
    """Configuration of a MONAI network."""

    in_channels: int = 3
    """C0, channels of the image."""
    num_classes: int = 1
    """Channels of the output: 1 is binary (sigmoid), K > 1 is K classes (softmax)."""
    network: Literal["BasicUNet", "AttentionUnet", "SegResNet"] = "BasicUNet"
    """Class of `monai.networks.nets`."""


class MonaiNetwork(nn.Module):
    """A network of `monai.networks.nets` in two dimensions.

    Input (B, C0, H, W) of a size that `input_size` admits; output: logits (B, num_classes, H, W).

    Raises:
        MissingExtraError: MONAI is not installed.
        ValueError: the image has another size or other channels than C0.
    """

    def __init__(self, config: MonaiConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or MonaiConfig()
        self.input_size = INPUT_SIZES[config.network]
        network = getattr(require("monai.networks.nets", extra="monai"), config.network)
        self.network: nn.Module = network(
            spatial_dims=2,
            in_channels=config.in_channels,
            out_channels=config.num_classes,
            **ARGUMENTS.get(config.network, {}),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Image (B, C0, H, W) -> logits (B, num_classes, H, W)."""
        self.input_size.check(x, self.config.in_channels)
        logits: Tensor = self.network(x)  # (B, num_classes, H, W)
        return logits


SIZES = {
    "monai_basicunet": MonaiConfig(),
    "monai_attentionunet": MonaiConfig(network="AttentionUnet"),
    "monai_segresnet": MonaiConfig(network="SegResNet"),
}
"""The networks by name."""
