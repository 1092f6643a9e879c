"""Optimizer and learning rate schedule."""

import math
from collections.abc import Callable

import torch
from torch import nn

from tmunet.training.train_config import OptimizerConfig


def build_optimizer(network: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Create Adam or AdamW over the parameters of a network."""
    kind = torch.optim.Adam if config.name == "adam" else torch.optim.AdamW
    return kind(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)


def learning_rate_factor(config: OptimizerConfig, steps_per_epoch: int, epochs: int) -> Callable[[int], float]:
    """The factor on `config.learning_rate` at each optimizer step, from 0.

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
