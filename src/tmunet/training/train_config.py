"""Settings of a training run, and recipes: YAML files that set some of them."""

import math
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from tmunet.config import read_yaml, suggest
from tmunet.data.data_config import AugmentConfig, Preprocess
from tmunet.errors import UsageError


@dataclass(frozen=True)
class LossConfig:
    """Weights of the loss (Eq. 9)."""

    cross_entropy: float = 2.0
    """Weight of the cross-entropy (lambda_1 of Eq. 9)."""
    dice: float = 1.0
    """Weight of the Dice loss (lambda_2 of Eq. 9)."""

    def __post_init__(self) -> None:
        if not (self.cross_entropy >= 0 and self.dice >= 0 and 0 < self.cross_entropy + self.dice < math.inf):
            raise ValueError(
                f"Expected two weights of at least 0, not both 0, but got {self.cross_entropy}, {self.dice}."
            )


@dataclass(frozen=True)
class OptimizerConfig:
    """Optimizer and learning rate schedule."""

    name: Literal["adam", "adamw"] = "adam"
    """Adam, or AdamW with decoupled weight decay."""
    learning_rate: float = 1e-4
    """Initial (exponential) or maximum (cosine) learning rate."""
    encoder_learning_rate_factor: float = 1.0
    """Factor on the learning rate of the encoder, below 1 where its weights are pretrained."""
    schedule: Literal["exponential", "cosine"] = "exponential"
    """Learning rate schedule: multiply by `decay` after every epoch, or decrease along a half cosine to zero."""
    decay: float = 0.98
    """Factor of the exponential schedule."""
    warmup_epochs: float = 0.0
    """Linear warm-up of the learning rate from zero, in epochs."""
    weight_decay: float = 0.0
    """Weight decay."""
    clip_norm: float | None = None
    """Gradient clipping: maximum norm of the gradient; null is no clipping."""
    ema_decay: float | None = None
    """Exponential moving average of the weights (EMA): maximum decay per step, min(ema_decay, (1 + n) / (10 + n)) after n steps.
    Averaged and raw weights are both validated and the better ones kept; null is no average."""

    def __post_init__(self) -> None:
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"Expected `learning_rate` to be above 0, but got {self.learning_rate}.")
        if not 0 < self.encoder_learning_rate_factor < math.inf:
            raise ValueError(
                f"Expected `encoder_learning_rate_factor` to be above 0, but got {self.encoder_learning_rate_factor}."
            )
        if not (0 < self.decay <= 1 and self.warmup_epochs >= 0 and self.weight_decay >= 0):
            raise ValueError("Expected `decay` in (0, 1], and `warmup_epochs` and `weight_decay` to be at least 0.")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ValueError(f"Expected `clip_norm` to be above 0, but got {self.clip_norm}.")
        if self.ema_decay is not None and not 0 <= self.ema_decay < 1:
            raise ValueError(f"Expected `ema_decay` to be in [0, 1), but got {self.ema_decay}.")


@dataclass(frozen=True)
class TrainConfig:
    """Train a network on images and masks. The defaults are those of the recipe `paper`."""

    data: str
    """Data set folder (images/, masks/), or its split file."""
    out: str | None = None
    """Run folder to create; by default runs/DATA-MODEL-RECIPE-sSEED, with the name of the split file if one is given."""
    split: str | None = None
    """Split file; by default split.json of the data set, and without it a random split 7:1:2 by the seed."""
    recipe: str = "paper"
    """Name or YAML file of the recipe that the other settings start from."""
    model: str = "tmunet_t"
    """Name of the network; see `tmunet info`."""
    model_args: dict[str, Any] = field(default_factory=dict)
    """Settings of the network that differ from the named one, such as {refine: full}; see `create_model`."""
    pretrained: Literal["imagenet"] | None = None
    """Weights that the encoder starts from: imagenet, for networks that have them (tmunet_lite0 to 2, unet_lite0); null is fresh
    weights."""
    from_: str | None = None
    """Trained model to start from: nuclei-t, a run or model folder, or user/name on the Hugging Face Hub. It sets the network,
    input size, channels and normalization; where training is not better on the validation images, the start is kept."""
    freeze_encoder_batchnorm: bool = False
    """Keep the running means and variances of the encoder's BatchNorm layers, and normalize by them in training too: for small
    data sets and batches."""
    seed: int = 0
    """Seed of weights, shuffling, augmentation and random split."""
    preprocess: Preprocess = field(default_factory=Preprocess)
    """Preprocessing of images."""
    epochs: int = 200
    """Number of epochs (passes over the training images)."""
    minutes: float | None = None
    """Minutes of training, instead of epochs: a few steps are timed, then epochs, warm-up and average of the weights are sized to
    fit. The settings of the run hold what was decided, and null here."""
    batch_size: int = 16
    """Images in one optimizer step, over all devices together."""
    loss: LossConfig = field(default_factory=LossConfig)
    """Weights of the loss (Eq. 9)."""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    """Optimizer and learning rate schedule."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """Data augmentation of the training images."""
    upright: bool = False
    """No vertical flips and no quarter turns in the augmentation, whatever the recipe says: for images with a fixed orientation,
    such as chest X-rays, ultrasound and fundus photographs. Horizontal flips stay."""
    precision: Literal["float32", "bfloat16", "auto"] = "float32"
    """Precision of the network: float32, or bfloat16 mixed precision (weights, gates and pooling stay float32). auto is bfloat16
    on CUDA devices that support it."""
    checkpointing: bool = False
    """Activation checkpointing: recompute activations in the backward pass; less memory, more time, the same gradients."""
    monitor: Literal["val_loss", "val_dice"] = "val_loss"
    """Validation metric that selects the epoch whose weights become the model."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Device to train on."""
    devices: int = 1
    """Number of devices on this machine (processes on the CPU)."""
    nodes: int = 1
    """Number of machines, under torchrun or Slurm."""
    tensorboard: bool = False
    """Write TensorBoard logs beside metrics.csv."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "devices", "nodes"):
            if getattr(self, name) < 1:
                raise ValueError(f"Expected `{name}` to be at least 1, but got {getattr(self, name)}.")
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise ValueError(f"Expected `minutes` to be above 0, but got {self.minutes}.")
        if self.minutes is not None and self.devices * self.nodes > 1:
            raise ValueError(
                f"Expected `epochs` for {self.devices * self.nodes} devices: `minutes` are measured on one."
            )
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"Expected `seed` to be from 0 to {2**32 - 1}, but got {self.seed}.")
        if self.batch_size % (self.devices * self.nodes):
            raise ValueError(
                f"Expected `batch_size` to be a multiple of the {self.devices * self.nodes} devices, but got {self.batch_size}."
            )
        if self.from_ is not None and self.pretrained is not None:
            raise ValueError(
                f"Expected either `from`, the weights of a whole model, or `pretrained`, those of an encoder, but got "
                f"{self.from_} and {self.pretrained}."
            )
        if self.upright:  # here, so that the settings of a run say what was done
            object.__setattr__(self, "augment", replace(self.augment, vertical_flip=0.0, quarter_turns=False))

    @property
    def run_folder(self) -> Path:
        """Path of the run folder."""
        data = Path(self.data).resolve()
        name = data.parent.name if data.suffix == ".json" else data.name
        name += f"-{Path(self.split).stem}" if self.split else ""
        return Path(self.out or f"runs/{name}-{self.model}-{Path(self.recipe).stem}-s{self.seed}")


def list_recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(file.name.removesuffix(".yaml") for file in _recipes().iterdir() if file.name.endswith(".yaml"))


def read_recipe(recipe: str) -> dict[str, Any]:
    """Read the settings of a recipe, by its name or its YAML file.

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
        hint = suggest(recipe, list_recipes())
        raise UsageError(f"There is no recipe {recipe!r}, nor a YAML file of that name.{hint}", code="recipe")
    for key in ("data", "split", "out", "recipe", "from_", "minutes"):
        if key in settings:
            message = f"{recipe}: a recipe does not set {key!r}; give it on the command line."
            raise UsageError(message, code="key", path=path)
    return settings


def _recipes() -> Any:
    return resources.files("tmunet") / "recipes"
