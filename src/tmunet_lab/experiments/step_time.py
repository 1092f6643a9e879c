"""How long a training step and a validation step take, measured on noise."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tmunet.model_config import ModelConfig
from tmunet.training.activation_checkpointing import checkpoint_stages
from tmunet.training.config import TrainConfig
from tmunet.training.step import training_step
from tmunet_lab.bench.timing import time_interleaved

ROUNDS, WARM_UP, SECONDS = 3, 1, 20.0  # few: an estimate is wanted, not a benchmark
CPU_IMAGES = 2  # measured in a step on the CPU, whose time and memory grow with the images alike


@dataclass(frozen=True)
class StepTime:
    """What was measured.

    Attributes:
        training: seconds of a training step of the whole batch.
        validation: seconds of an image that is validated.
    """

    training: float
    validation: float


def batch_of(config: TrainConfig) -> int:
    """Images of a step on one device."""
    return config.batch_size // (config.devices * config.nodes)


def timed_images(config: TrainConfig, device: str) -> int:
    """Images of the step that is timed."""
    return min(batch_of(config), CPU_IMAGES) if device == "cpu" else batch_of(config)


def measure_step(
    config: TrainConfig, classes: tuple[str, ...], device: str, clock: Callable[[], float] = time.perf_counter
) -> StepTime:
    """Time the step of a run, without loading and augmentation: forward, loss, backward, optimizer.

    On the CPU a step of a few images is timed, and taken times as many as the batch has.

    Args:
        config: settings of the run.
        classes: names of the classes, background included.
        device: "cpu", "cuda" or "mps".
        clock: seconds that pass.

    Raises:
        UsageError: the options of the network do not fit.
        MissingExtraError: its layers are those of a package that is not installed.
    """
    network = ModelConfig(config.model, config.model_args, classes, config.preprocess).create_network().to(device)
    batch, count = batch_of(config), timed_images(config, device)
    size = config.preprocess.size
    images = torch.randn(count, config.preprocess.channels, size, size, device=device)
    masks = torch.randint(0, len(classes), (count, size, size), device=device, dtype=torch.uint8)
    calls = {"train": _training(network, config, images, masks), "val": lambda: _forward(network, config, images)}
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    seconds = {
        name: statistics.median(time_interleaved({name: call}, ROUNDS, WARM_UP, SECONDS, wait, clock)[name])
        for name, call in calls.items()
    }
    return StepTime(seconds["train"] * batch / count, seconds["val"] / count)


def _training(network: nn.Module, config: TrainConfig, images: Tensor, masks: Tensor) -> Callable[[], object]:
    if config.checkpointing:
        checkpoint_stages(network)
    return training_step(network, images, masks, _lower(config, images), config.loss, config.optimizer)


@torch.no_grad()
def _forward(network: nn.Module, config: TrainConfig, images: Tensor) -> None:
    with torch.autocast(images.device.type, torch.bfloat16, enabled=_lower(config, images)):
        network.eval()(images)


def _lower(config: TrainConfig, images: Tensor) -> bool:
    return config.precision == "bfloat16" or (config.precision == "auto" and images.is_cuda)
