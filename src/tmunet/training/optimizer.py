"""Optimizer and learning rate schedule."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from tmunet.errors import UsageError
from tmunet.training.train_config import OptimizerConfig


def build_optimizer(network: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Create Adam or AdamW over the parameters of a network; the encoder's are a group of their own if their rate is another.

    Raises:
        UsageError: there is a factor for the encoder, and the network has no part of that name.
    """
    kind = torch.optim.Adam if config.name == "adam" else torch.optim.AdamW
    groups: list[dict[str, Any]] = [{"params": list(network.parameters())}]
    if config.encoder_learning_rate_factor != 1:
        encoder = list(encoder_of(network, "optimizer.encoder_learning_rate_factor", without="1").parameters())
        of_encoder = {id(parameter) for parameter in encoder}
        rate = config.learning_rate * config.encoder_learning_rate_factor
        groups = [
            {"params": [parameter for parameter in network.parameters() if id(parameter) not in of_encoder]},
            {"params": encoder, "lr": rate},
        ]
    return kind(groups, lr=config.learning_rate, weight_decay=config.weight_decay)


def encoder_of(network: nn.Module, setting: str, without: str) -> nn.Module:
    """Return the part of a network that may have pretrained weights, `encoder`.

    Args:
        network: any.
        setting: what the encoder is needed for, for the message.
        without: the value of the setting for networks without an encoder.

    Raises:
        UsageError: the network has no part of that name.
    """
    encoder = getattr(network, "encoder", None)
    if not isinstance(encoder, nn.Module):
        raise UsageError(
            f"`{setting}` is for networks with a part `encoder`, such as tmunet_lite0, but {type(network).__name__} has none; "
            f"set it to {without}.",
            code="encoder",
        )
    return encoder


def learning_rate_factor(config: OptimizerConfig, steps_per_epoch: int, epochs: int) -> Callable[[int], float]:
    """The factor on the learning rates at each optimizer step, from 0.

    Exponential (paper, section 3.1): decay ** finished epochs. Cosine: along a half cosine from 1 to 0. Both after a linear
    warm-up of `config.warmup_epochs`.

    >>> factor = learning_rate_factor(OptimizerConfig(decay=0.5), steps_per_epoch=2, epochs=3)
    >>> [factor(step) for step in range(6)]
    [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    """
    warmup = round(config.warmup_epochs * steps_per_epoch)
    total = epochs * steps_per_epoch

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        if config.schedule == "exponential":
            return config.decay ** (step // steps_per_epoch)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, total - warmup))))

    return factor
