"""Configuration of a trained model: `config.json` of a model folder. Reading it imports no torch."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tmunet.calibration import Calibration
from tmunet.config import from_mapping
from tmunet.data.data_config import Preprocess
from tmunet.data.training_stats import AppearanceRange, Intensity, Scale, Turns
from tmunet.errors import ModelError, UsageError
from tmunet.model_files import CARD as CARD
from tmunet.model_files import CONFIG as CONFIG
from tmunet.model_files import FINGERPRINT as FINGERPRINT
from tmunet.model_files import WEIGHTS as WEIGHTS
from tmunet.model_files import find_model as find_model
from tmunet.model_files import packaged_model as packaged_model
from tmunet.registry import create_model
from tmunet.text import pluralize

if TYPE_CHECKING:
    from torch import nn

FORMAT = 1


@dataclass(frozen=True)
class OperatingPoint:
    """Threshold of a binary model, chosen on validation images by `tmunet evaluate --tune-threshold`."""

    threshold: float
    """Foreground probability above which a pixel is foreground."""
    dice: float
    """Mean Dice of the validation images at this threshold."""
    dice_at_half: float
    """The same at a threshold of 0.5."""
    images: int
    """Number of validation images."""
    data: str
    """Name of the data set."""
    split_sha256: str
    """SHA-256 of the split that the images are from."""
    tile_size: int | None = None
    """Tile size of the sliding window it was chosen with."""
    tta: bool = False
    """Whether it was chosen with test-time augmentation."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ValueError(f"Expected `threshold` to be between 0 and 1, but got {self.threshold}.")

    def __str__(self) -> str:
        images = pluralize(self.images, "validation image")
        scores = f"mean Dice {self.dice:.4f}; {self.dice_at_half:.4f} at 0.5"
        return f"{self.threshold:g}, chosen on {images} of {self.data} ({scores})"


@dataclass(frozen=True)
class ModelConfig:
    """The content of `config.json` of a model folder; `model` and `model_args` are those of `TrainConfig`."""

    model: str
    """Architecture and size, one of `list_models()`."""
    model_args: dict[str, Any] = field(default_factory=dict)
    """Fields that differ from the configuration of that name; see `create_model`."""
    classes: tuple[str, ...] = ("background", "foreground")
    """Names of the labels 0, 1, ...; two classes make a network with one output channel (sigmoid)."""
    preprocess: Preprocess = field(default_factory=Preprocess)
    """Input size, channels and normalization."""
    scale: Scale | None = None
    """Scale of the training images; null is unknown."""
    intensity: tuple[Intensity, ...] = ()
    """Bit depths and intensity ranges of the training images; empty is unknown."""
    turns: Turns | None = None
    """Flips and rotations of the training augmentation; null is unknown."""
    operating_point: OperatingPoint | None = None
    """Threshold chosen on validation images; null is 0.5."""
    appearance: AppearanceRange | None = None
    """Range of brightness, contrast, sharpness and fine detail of the training images; null is unknown."""
    calibration: Calibration | None = None
    """Expected Dice of masks, fitted on validation images; null is not calibrated."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Origin of the weights: data, split, seed, recipe, scores, versions."""
    format: int = FORMAT
    """Version of the file format."""

    def __post_init__(self) -> None:
        if not 2 <= len(self.classes) <= 255 or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"Expected `classes` to be 2 to 255 different names, but got {list(self.classes)}.")

    @property
    def outputs(self) -> int:
        """Output channels of the network: 1 for two classes, K for K > 2."""
        return 1 if len(self.classes) == 2 else len(self.classes)

    def create_network(self) -> "nn.Module":
        """Create the network with random weights."""
        if fixed := {"name", "in_channels", "num_classes"} & self.model_args.keys():
            raise UsageError(
                f"model_args of {self.model}: Expected no {' nor '.join(sorted(fixed))}: data and classes say it.",
                code="key",
            )
        return create_model(self.model, self.preprocess.channels, self.outputs, **self.model_args)


def read_config(folder: Path) -> ModelConfig:
    """Read and check `config.json` of a model folder.

    Raises:
        ModelError: it is missing, damaged, or of another version.
    """
    path = folder / CONFIG
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: expected JSON, but: {error}", code="json", path=path) from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ModelError(
            f"{path}: expected a model configuration of format {FORMAT}; was it written by another version?",
            code="format",
            path=path,
        )
    provenance = values.pop("provenance", {})  # any JSON, kept as it is: the parser would turn the text "007" into 7
    if not isinstance(provenance, dict):
        raise ModelError(
            f"{path}: Expected `provenance` to be keys and values, but got {provenance!r}.", code="type", path=path
        )
    try:
        return replace(from_mapping(ModelConfig, values, where=str(path)), provenance=provenance)
    except UsageError as error:
        raise ModelError(str(error)) from None
