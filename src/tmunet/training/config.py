"""Settings of a training run; a recipe is a YAML file that sets some of them."""

import math
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from tmunet.config import read_yaml, suggest
from tmunet.data.config import AugmentConfig, Preprocess
from tmunet.errors import UsageError


@dataclass(frozen=True)
class LossConfig:
    """The weights of Eq. 9."""

    cross_entropy: float = 2.0
    """lambda_1, weight of the cross-entropy."""
    dice: float = 1.0
    """lambda_2, weight of the Dice loss."""

    def __post_init__(self) -> None:
        if not (self.cross_entropy >= 0 and self.dice >= 0 and 0 < self.cross_entropy + self.dice < math.inf):
            raise ValueError(
                f"Expected two weights of at least 0, not both 0, but got {self.cross_entropy}, {self.dice}."
            )


@dataclass(frozen=True)
class OptimizerConfig:
    """The optimizer and its learning rate."""

    name: Literal["adam", "adamw"] = "adam"
    """Adam, or AdamW with decoupled weight decay."""
    learning_rate: float = 1e-4
    """The initial (exponential) or highest (cosine) learning rate."""
    schedule: Literal["exponential", "cosine"] = "exponential"
    """Multiply by `decay` after every epoch, or fall along a half cosine to zero."""
    decay: float = 0.98
    """Factor after every epoch, of the exponential schedule."""
    warmup_epochs: float = 0.0
    """The learning rate rises linearly from zero over this many epochs."""
    weight_decay: float = 0.0
    """Weight decay."""
    clip_norm: float | None = None
    """Gradients are scaled down to this norm."""
    ema_decay: float | None = None
    """Highest decay per step of the moving average of the weights, min(ema_decay, (1 + n) / (10 + n)) after n steps. Average and
    raw weights are both validated and the better ones kept; none is no average."""

    def __post_init__(self) -> None:
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"Expected `learning_rate` to be above 0, but got {self.learning_rate}.")
        if not (0 < self.decay <= 1 and self.warmup_epochs >= 0 and self.weight_decay >= 0):
            raise ValueError("Expected `decay` in (0, 1], and `warmup_epochs` and `weight_decay` to be at least 0.")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ValueError(f"Expected `clip_norm` to be above 0, but got {self.clip_norm}.")
        if self.ema_decay is not None and not 0 <= self.ema_decay < 1:
            raise ValueError(f"Expected `ema_decay` to be in [0, 1), but got {self.ema_decay}.")


@dataclass(frozen=True)
class TrainConfig:
    """A training run. The defaults are the recipe `paper`."""

    data: str
    """Data set folder (images/, masks/) or its split file."""
    out: str | None = None
    """Run folder to create; by default runs/DATA-MODEL-RECIPE-sSEED, with the name of the split if one is given."""
    split: str | None = None
    """Split file; by default split.json of the data set, and without it 7:1:2 at random by the seed."""
    recipe: str = "paper"
    """Name or YAML file of the recipe that the other settings start from."""
    model: str = "tmunet_t"
    """Name of the network; see `tmunet info`."""
    model_args: dict[str, Any] = field(default_factory=dict)
    """Options of the network that differ from the named one, such as {refine: full}."""
    seed: int = 0
    """Seed of weights, order, augmentation and random split."""
    preprocess: Preprocess = field(default_factory=Preprocess)
    """How images are prepared."""
    epochs: int = 200
    """Passes over the training images."""
    batch_size: int = 16
    """Images in one optimizer step, over all devices."""
    loss: LossConfig = field(default_factory=LossConfig)
    """The weights of the loss."""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    """The optimizer and its learning rate."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """Random changes of the training images."""
    upright: bool = False
    """Leave vertical flips and quarter turns out of the augmentation, whatever the recipe says: for images whose orientation
    means something, such as chest X-rays, ultrasound and fundus photographs. Horizontal flips stay."""
    precision: Literal["float32", "bfloat16", "auto"] = "float32"
    """Arithmetic of the network; weights, gates and pooling are float32 in both. auto: bfloat16 on a CUDA device that has it."""
    checkpointing: bool = False
    """Compute activations again in the backward pass instead of keeping them: less memory, more time, the same gradients."""
    monitor: Literal["val_loss", "val_dice"] = "val_loss"
    """Which epoch's weights are kept as the model, by the validation images."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to train."""
    devices: int = 1
    """Devices on this machine (processes on the CPU)."""
    nodes: int = 1
    """Machines, under torchrun or Slurm."""
    tensorboard: bool = False
    """Write TensorBoard logs beside metrics.csv."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "devices", "nodes"):
            if getattr(self, name) < 1:
                raise ValueError(f"Expected `{name}` to be at least 1, but got {getattr(self, name)}.")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"Expected `seed` to be from 0 to {2**32 - 1}, but got {self.seed}.")
        if self.batch_size % (self.devices * self.nodes):
            raise ValueError(
                f"Expected `batch_size` to be a multiple of the {self.devices * self.nodes} devices, but got {self.batch_size}."
            )
        if self.upright:  # here, so that the settings of a run say what was done
            object.__setattr__(self, "augment", replace(self.augment, vertical_flip=0.0, quarter_turns=False))

    @property
    def run_folder(self) -> Path:
        """Where the run is written."""
        data = Path(self.data).resolve()
        name = data.parent.name if data.suffix == ".json" else data.name
        name += f"-{Path(self.split).stem}" if self.split else ""
        return Path(self.out or f"runs/{name}-{self.model}-{Path(self.recipe).stem}-s{self.seed}")


def list_recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(file.name.removesuffix(".yaml") for file in _recipes().iterdir() if file.name.endswith(".yaml"))


def read_recipe(recipe: str) -> dict[str, Any]:
    """The settings of a recipe, by its name or its YAML file.

    Raises:
        UsageError: there is no such recipe, or it sets what belongs to a run.
    """
    path = Path(recipe)
    if path.suffix in (".yaml", ".yml"):
        settings = read_yaml(path)
    elif recipe in list_recipes():
        with resources.as_file(_recipes() / f"{recipe}.yaml") as packaged:
            settings = read_yaml(packaged)
    else:
        raise UsageError(
            f"There is no recipe {recipe!r}, nor a YAML file of that name.{suggest(recipe, list_recipes())}"
        )
    for key in ("data", "split", "out", "recipe"):
        if key in settings:
            raise UsageError(f"{recipe}: a recipe does not set {key!r}; give it on the command line.")
    return settings


def _recipes() -> Any:
    return resources.files("tmunet") / "recipes"
