"""Activation checkpointing: each stage of a network computes its activations again in the backward pass instead of keeping them.

Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016. Gradients stay as they are. A BatchNorm sees its batch twice;
its running statistics move in the first pass only.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint


def checkpoint_stages(network: nn.Module) -> nn.Module:
    """Let every stage of a network (its children, and theirs in lists) be recomputed; the same network, weights and names."""
    for stage in network.children():
        if isinstance(stage, nn.ModuleList | nn.ModuleDict):
            checkpoint_stages(stage)
        else:
            stage.forward = partial(_recomputed, stage)  # a partial goes with its stage into a deep copy
    return network


def _recomputed(stage: nn.Module, *maps: Any) -> Any:
    """The stage's forward pass; only what enters it is kept, and not even that where no gradient is wanted."""

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _statistics_at_rest(stage)

    return checkpoint(type(stage).forward, stage, *maps, use_reentrant=False, context_fn=contexts)


@contextmanager
def _statistics_at_rest(stage: nn.Module) -> Iterator[None]:
    """Freeze the running statistics of BatchNorm."""
    norms: list[Any] = [
        module for module in stage.modules() if getattr(module, "track_running_stats", False) and module.training
    ]
    counts = [(norm.momentum, norm.get_buffer("num_batches_tracked").clone()) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, counts, strict=True):
            norm.momentum = momentum
            norm.get_buffer("num_batches_tracked").copy_(count)
