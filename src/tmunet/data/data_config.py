"""Settings of preprocessing and augmentation. Plain data, so that flags and files load nothing heavy."""

from dataclasses import dataclass
from typing import Literal

from tmunet.text import pluralize

Normalization = Literal["imagenet", "image", "efficientnet_lite"]

MIN_SIZE = 32  # pixels; the deepest stage of a network has 1/32 of the resolution
MAX_SIZE = 16_384  # pixels; a model file that asks for more is damaged or hostile


@dataclass(frozen=True)
class Preprocess:
    """Preprocessing of images; saved with every model."""

    size: int = 512
    """Images are resized to this many pixels in height and width (paper, section 3.1)."""
    channels: int = 3
    """Channels: 1 is gray, 3 is RGB; images with one are brought to the other."""
    normalize: Normalization = "imagenet"
    """Subtract and divide by: mean and standard deviation of ImageNet, or of the image itself, or 127 and 128 (of 255) as the
    pretrained weights of EfficientNet-Lite expect."""

    def __post_init__(self) -> None:
        if not MIN_SIZE <= self.size <= MAX_SIZE:
            raise ValueError(f"Expected `size` to be between {MIN_SIZE} and {MAX_SIZE} pixels, but got {self.size}.")
        if self.channels < 1:
            raise ValueError(f"Expected `channels` to be at least 1, but got {self.channels}.")
        if self.normalize == "imagenet" and self.channels not in (1, 3):
            raise ValueError(
                "Expected `normalize` to be 'image' or 'efficientnet_lite' for "
                f"{pluralize(self.channels, 'channel')}: ImageNet has 3."
            )


@dataclass(frozen=True)
class AugmentConfig:
    """Augmentation of training images; the defaults change nothing."""

    horizontal_flip: float = 0.0
    """Probability of a left-right flip."""
    vertical_flip: float = 0.0
    """Probability of an upside-down flip."""
    quarter_turns: bool = False
    """Rotate by 0, 90, 180 or 270 degrees."""
    zoom: float = 1.0
    """Enlarge or shrink by a factor of at most this, and shift what was enlarged."""
    brightness: float = 0.0
    """Add at most this, black being 0 and white 1."""
    contrast: float = 0.0
    """Stretch around the image's mean by a factor of 1 plus or minus at most this."""
    gamma: float = 0.0
    """Raise to a power between exp(-gamma) and exp(gamma)."""
    color: float = 0.0
    """Multiply each channel by a factor of 1 plus or minus at most this."""

    def __post_init__(self) -> None:
        if not (0 <= self.horizontal_flip <= 1 and 0 <= self.vertical_flip <= 1):
            raise ValueError("Expected the probability of a flip to be between 0 and 1.")
        if self.zoom < 1 or min(self.brightness, self.contrast, self.gamma, self.color) < 0:
            raise ValueError("Expected `zoom` to be at least 1, and brightness, contrast, gamma and color at least 0.")
        if max(self.contrast, self.color) >= 1:
            raise ValueError("Expected `contrast` and `color` to be below 1.")
