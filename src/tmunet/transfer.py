"""Take the weights of a trained model over into another network: `train --from MODEL`, `create_model(..., pretrained=MODEL)`."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from tmunet.errors import UsageError
from tmunet.model import TrainedModel, load_model, serialize
from tmunet.model_config import ModelConfig
from tmunet.pretrained import adapt_channels
from tmunet.progress import logger
from tmunet.registry import create_model


@dataclass(frozen=True)
class Transfer:
    """What became of the weights of a trained model in another network.

    Attributes:
        head: names of the tensors that keep their fresh weights, because the classes differ.
        adapted: names of the kernels that were adapted to another number of channels.
        changes: sentences that say so.
    """

    head: tuple[str, ...]
    adapted: tuple[str, ...]
    changes: tuple[str, ...]

    def to_dict(self, name: str, start: TrainedModel) -> dict[str, Any]:
        """Return what a run records about its start."""
        weights = hashlib.sha256(serialize(start.network)).hexdigest()
        return {"from": name, "weights_sha256": weights, "head": list(self.head), "changes": list(self.changes)}


def transfer(network: nn.Module, config: ModelConfig, start: TrainedModel) -> Transfer:
    """Load the weights of a trained model into a network, in place.

    All weights are taken but those of the head, where the classes differ; two models of two classes share it. Kernels of images
    with other channels become their mean over the channels, times old / new channels.

    Args:
        network: with fresh weights.
        config: of the network.
        start: the trained model.

    Raises:
        UsageError: it is another network, or was trained on images that were normalized in another way.
    """
    old = start.config
    if (config.model, config.model_args) != (old.model, old.model_args):
        raise UsageError(
            f"Expected the network of the model to start from, {old.model} with {old.model_args}, but got {config.model} with "
            f"{config.model_args}; leave `model` and `model_args` out.",
            code="other-network",
        )
    if config.preprocess.normalize != old.preprocess.normalize:
        raise UsageError(
            f"Expected `preprocess.normalize` to be {old.preprocess.normalize!r}, as of the model to start from, but got "
            f"{config.preprocess.normalize!r}; leave it out.",
            code="other-normalization",
        )
    same_head = config.classes == old.classes or len(config.classes) == len(old.classes) == 2
    found = take_weights(network, start, config.preprocess.channels, new_head=not same_head)
    changes = list(found.changes)
    if not same_head:
        changes.insert(0, f"new head for {', '.join(config.classes)} (was {', '.join(old.classes)})")
    elif config.classes != old.classes:
        changes.insert(0, f"head of {old.classes[1]} kept for {config.classes[1]}")
    if config.preprocess.size != old.preprocess.size:
        changes.append(f"input size {config.preprocess.size} instead of {old.preprocess.size}")
    return replace(found, changes=tuple(changes))


def create_from(
    name: str, in_channels: int, num_classes: int, pretrained: str, model_args: Mapping[str, Any]
) -> nn.Module:
    """Create a network with the weights of a trained model, as `tmunet.create_model` with a model as `pretrained` does.

    What was done, and the normalization that the weights expect, is logged.

    Args:
        name: of the network, that of the trained model.
        in_channels: channels of the image.
        num_classes: 1 for binary segmentation, K > 1 for K classes.
        pretrained: as for `load_model`.
        model_args: settings of the network; none takes those of the trained model.

    Raises:
        ModelError: there is no such model.
        UsageError: code "other-network", it is another network.
    """
    start = load_model(pretrained)
    old = start.config
    settings = dict(model_args) or old.model_args
    network = create_model(name, in_channels, num_classes, **settings)
    if name != old.model or settings != old.model_args:
        raise UsageError(
            f"Expected the network of {pretrained}, {old.model} with {old.model_args}, but got {name} with {settings}.",
            code="other-network",
        )
    found = take_weights(network, start, in_channels, new_head=num_classes != old.outputs)
    head = f"new head for {num_classes} outputs" if found.head else f"head of {', '.join(old.classes[1:])} kept"
    logger.info(
        "%s with the weights of %s: %s; images are normalized by `preprocess.normalize: %s`.",
        name, pretrained, "; ".join((head, *found.changes)), old.preprocess.normalize,
    )  # fmt: skip
    return network


def take_weights(network: nn.Module, start: TrainedModel, channels: int, new_head: bool) -> Transfer:
    """Load the weights of a trained model into the same network of other channels or classes, in place.

    Args:
        network: with fresh weights.
        start: the trained model.
        channels: of the images of the network.
        new_head: leave the head as it is.

    Raises:
        UsageError: code "weights-fit", a weight has another shape.
    """
    old = start.config
    head = _names_that_change(old, classes=tuple(map(str, range(len(old.classes) + 2)))) if new_head else ()
    before = old.preprocess.channels
    first = _names_that_change(old, channels=before + 1) if channels != before else ()
    weights = {name: tensor for name, tensor in start.network.state_dict().items() if name not in head}
    weights |= {name: adapt_channels(weights[name], channels) for name in first}
    expected = network.state_dict()
    for name, tensor in weights.items():
        if name not in expected or expected[name].shape != tensor.shape:
            needed = list(expected[name].shape) if name in expected else "none of that name"
            raise UsageError(
                f"The weight {name!r} of the model to start from has the shape {list(tensor.shape)}, but the network needs "
                f"{needed}.",
                code="weights-fit",
            )
    network.load_state_dict(weights, strict=False)
    changes = (f"first layer adapted from {before} to {channels} channels",) if first else ()
    return Transfer(head, first, changes)


def _names_that_change(
    config: ModelConfig, classes: tuple[str, ...] | None = None, channels: int | None = None
) -> tuple[str, ...]:
    """Names of the tensors whose shape depends on the classes, or on the channels."""
    other = replace(config, classes=classes or config.classes, calibration=None)
    if channels is not None:
        other = replace(other, preprocess=replace(config.preprocess, channels=channels))
    with torch.device("meta"):
        before: Mapping[str, Tensor] = config.create_network().state_dict()
        after: Mapping[str, Tensor] = other.create_network().state_dict()
    return tuple(name for name in before if before[name].shape != after[name].shape)
