"""Size a training by time: epochs, warm-up and moving average of the weights that fit into minutes (`train --minutes`)."""

import time
from dataclasses import dataclass, replace

import torch
from torch import nn

from tmunet.data.cached_dataset import CachedCases
from tmunet.data.preprocess import normalize, unit
from tmunet.data.transforms import augment, draw
from tmunet.device import choose_device
from tmunet.errors import UsageError
from tmunet.progress import duration
from tmunet.text import pluralize
from tmunet.training.step import training_step
from tmunet.training.train_config import OptimizerConfig, TrainConfig

MEASURE_SECONDS, MEASURE_STEPS = 5.0, 3
"""Steps are measured for so many seconds, and so many of them at least."""
WARMUP_STEPS = 10
"""A warm-up of fewer steps is none to Adam, whose averages of squared gradients begin with them."""
AVERAGED_SHARE = 0.1
"""Share of all steps that the average of the weights spans at most: over more of them it holds weights of the beginning."""


@dataclass(frozen=True)
class Speed:
    """Measured times of a training on this machine, in seconds.

    Attributes:
        step: of one optimizer step, with augmentation.
        validation: of validating all validation images once, by all weights that are validated.
    """

    step: float
    validation: float


def measure_speed(network: nn.Module, config: TrainConfig, train: CachedCases, val: CachedCases | None) -> Speed:
    """Take a few training steps and validate one batch; weights and random numbers are put back.

    Args:
        network: as it will be trained.
        config: the settings.
        train: training images.
        val: validation images; None if there is no validation.
    """
    device = choose_device(config.device)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    training = network.training
    with torch.random.fork_rng():
        network.to(device)
        step = _time_step(network, config, train, device)
        validation = 0.0 if val is None else _time_validation(network, config, val, device)
    network.to("cpu").load_state_dict(before)
    network.zero_grad(set_to_none=True)
    network.train(training)
    return Speed(step, validation)


def fit_into(config: TrainConfig, speed: Speed, images: int) -> TrainConfig:
    """Settings with the epochs that fit into `minutes`, the warm-up and the moving average of so many, and no `minutes`.

    The warm-up keeps its share of the epochs where they are fewer than the recipe's, but spans at least `WARMUP_STEPS` steps and
    at most a quarter of all. The moving average spans at most `AVERAGED_SHARE` of all steps. The learning rate and the
    factor of an exponential schedule stay.

    Args:
        config: with `minutes`; its epochs are those that warm-up and average were chosen for.
        speed: the measured times.
        images: number of training images.

    Raises:
        UsageError: code "minutes", one epoch takes longer.
    """
    assert config.minutes is not None
    steps = -(-images // config.batch_size)
    epoch = steps * speed.step + speed.validation
    left = config.minutes * 60 - speed.validation  # after the last epoch the model is calibrated on the same images
    if left < epoch:
        raise UsageError(
            f"Expected minutes for an epoch at least, but {pluralize(steps, 'step')} of {speed.step:.2f} s and their validation "
            f"take {duration(epoch + speed.validation)}, more than the {duration(config.minutes * 60)} given. Give more, or "
            "choose a smaller --preprocess.size or network.",
            code="minutes",
        )
    epochs = int(left / epoch)
    return replace(config, minutes=None, epochs=epochs, optimizer=_for_epochs(config, epochs, steps))


def describe_plan(config: TrainConfig, speed: Speed, images: int) -> str:
    """Say the plan: epochs, steps, time, and the flags that repeat it."""
    steps, optimizer = -(-images // config.batch_size), config.optimizer
    total = config.epochs * (steps * speed.step + speed.validation) + speed.validation
    again = f"--epochs {config.epochs} --optimizer.warmup-epochs {optimizer.warmup_epochs:g}"
    again += "" if optimizer.ema_decay is None else f" --optimizer.ema-decay {optimizer.ema_decay:g}"
    return (
        f"Plan: {pluralize(config.epochs, 'epoch')} of {pluralize(steps, 'step')} in about {duration(total)}: "
        f"{speed.step:.2f} s a step, {speed.validation:.1f} s to validate. The same training again: {again}"
    )


def _for_epochs(config: TrainConfig, epochs: int, steps: int) -> OptimizerConfig:
    """Warm-up and moving average for a number of epochs of so many steps, rounded so that a flag can repeat them."""
    optimizer, total = config.optimizer, epochs * steps
    warmup, decay = optimizer.warmup_epochs, optimizer.ema_decay
    if warmup > 0 and epochs < config.epochs:
        share = max(warmup * epochs / config.epochs, min(warmup, WARMUP_STEPS / steps))
        warmup = round(min(share, epochs / 4), 3)
    if decay is not None:
        decay = round(min(decay, max(0.0, 1 - 1 / max(1.0, AVERAGED_SHARE * total))), 4)
    return replace(optimizer, warmup_epochs=warmup, ema_decay=decay)


def _time_step(network: nn.Module, config: TrainConfig, cases: CachedCases, device: torch.device) -> float:
    """Mean time of a step after a first one, which allocates."""
    indices = list(range(min(config.batch_size, len(cases))))
    raw = cases[0]["image"].shape[1]

    def batch() -> tuple[torch.Tensor, torch.Tensor]:
        loaded = cases.__getitems__(indices)
        draws = [draw(config.augment, raw, config.seed, 0, case) for case in indices]
        images, masks = augment(unit(loaded["image"].to(device)), loaded["mask"].to(device), draws)
        return normalize(images, config.preprocess.normalize), masks

    images, masks = batch()
    step = training_step(network, images, masks, config.precision == "bfloat16", config.loss, config.optimizer)
    float(step())
    begin, done = time.perf_counter(), 0
    while done < MEASURE_STEPS or time.perf_counter() - begin < MEASURE_SECONDS:
        batch()
        float(step())  # waits for the device
        done += 1
    return (time.perf_counter() - begin) / done


@torch.no_grad()
def _time_validation(network: nn.Module, config: TrainConfig, cases: CachedCases, device: torch.device) -> float:
    """Time of all validation images by that of a few, the second time."""
    few = list(range(min(4, len(cases))))
    network.eval()
    seconds = 0.0
    for _ in range(2):
        begin = time.perf_counter()
        images = normalize(unit(cases.__getitems__(few)["image"].to(device)), config.preprocess.normalize)
        float(network(images).sum())
        seconds = time.perf_counter() - begin
    weights = 1 if config.optimizer.ema_decay is None else 2
    return seconds / len(few) * len(cases) * weights
