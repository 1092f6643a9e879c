"""Start a training from the weights of a trained model: `tmunet train --from MODEL`."""

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tmunet.config import to_dict
from tmunet.data.dataset import Dataset
from tmunet.data.fingerprint import TrainingFingerprint
from tmunet.errors import ModelError, TMUNetWarning, UsageError
from tmunet.model import TrainedModel, load_model, serialize
from tmunet.model_config import ModelConfig
from tmunet.pretrained import adapt_channels
from tmunet.text import pluralize

LEARNING_RATE = 1e-3
"""Learning rate of a training from a trained model, unless another is given: the settings that a recipe has are for fresh
weights (`benchmarks/learning_curve.md`)."""


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


def load_start(name: str) -> TrainedModel:
    """Load a packaged model by its name, a run or model folder, or a model of the Hugging Face Hub ("owner/name").

    Raises:
        ModelError: there is no such model.
        MissingExtraError: it is neither a folder nor a packaged model, and huggingface_hub is not installed.
    """
    on_hub = name.count("/") == 1 and not name.startswith((".", "/")) and not Path(name).exists()
    if not on_hub:
        return load_model(name)
    from tmunet.hub import HubModel

    try:
        return HubModel.from_pretrained(name).trained
    except (OSError, ValueError) as error:  # no such repository, no connection
        raise ModelError(
            f"{name}: expected a model folder, or a model on the Hugging Face Hub, but: {str(error).splitlines()[0]}",
            code="no-model",
        ) from error


def start_settings(name: str) -> dict[str, Any]:
    """Settings of a training that continue those of a trained model: network, input size, normalization, learning rate.

    What a recipe says about pretrained encoders is put aside: their weights, and their learning rate where there is no encoder.
    """
    start = load_start(name)
    config = start.config
    has_encoder = isinstance(getattr(start.network, "encoder", None), nn.Module)
    return {
        "model": config.model,
        "model_args": config.model_args,
        "pretrained": None,
        "preprocess": to_dict(config.preprocess),
        "optimizer": {"learning_rate": LEARNING_RATE, **({} if has_encoder else {"encoder_learning_rate_factor": 1.0})},
    }


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
    head = () if same_head else _names_that_change(old, classes=tuple(map(str, range(len(old.classes) + 2))))
    channels = config.preprocess.channels
    first = _names_that_change(old, channels=old.preprocess.channels + 1) if channels != old.preprocess.channels else ()
    weights = {name: tensor for name, tensor in start.network.state_dict().items() if name not in head}
    weights |= {name: adapt_channels(weights[name], channels) for name in first}
    expected = network.state_dict()
    for name, tensor in weights.items():
        if expected[name].shape != tensor.shape:
            raise UsageError(
                f"The weight {name!r} of the model to start from has the shape {list(tensor.shape)}, but the network needs "
                f"{list(expected[name].shape)}.",
                code="weights-fit",
            )
    network.load_state_dict(weights, strict=False)
    changes = []
    if head:
        changes.append(f"new head for {', '.join(config.classes)} (was {', '.join(old.classes)})")
    elif config.classes != old.classes:
        changes.append(f"head of {old.classes[1]} kept for {config.classes[1]}")
    if first:
        changes.append(f"first layer adapted from {old.preprocess.channels} to {channels} channels")
    if config.preprocess.size != old.preprocess.size:
        changes.append(f"input size {config.preprocess.size} instead of {old.preprocess.size}")
    return Transfer(head, first, tuple(changes))


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


def merge_start(own: TrainingFingerprint, start: TrainingFingerprint) -> TrainingFingerprint:
    """Add the images that the weights of the start were trained and selected on, by number: names may identify patients."""
    numbered = [
        {f"start {number}": digest for number, digest in enumerate(side.values())} for side in (start.train, start.val)
    ]
    return TrainingFingerprint({**own.train, **numbered[0]}, {**own.val, **numbered[1]})


def start_that_is_better(provenance: Mapping[str, Any], monitor: str) -> Mapping[str, float] | None:
    """Return the validation scores of the start if training did not improve the monitored one, else None.

    Args:
        provenance: of the trained model, with its scores and those of the start, if it has any.
        monitor: "val_loss" or "val_dice".
    """
    found: Mapping[str, float] | None = provenance["pretrained"].get("validation")
    trained = provenance[monitor]
    if found is None or monitor not in found or trained is None:
        return None
    better = trained > found[monitor] if monitor == "val_dice" else trained < found[monitor]
    return None if better else found


def warn_known_to_start(dataset: Dataset, hashes: Mapping[str, Mapping[str, str]], start: TrainingFingerprint) -> None:
    """Warn of validation and test images that the weights of the start were trained or selected on: data leakage.

    Args:
        dataset: for messages.
        hashes: pixel hashes of the images by name, of "val" and "test".
        start: images of the start.

    Warns:
        TMUNetWarning: there are such images.
    """
    known = start.side_of()
    counts = {side: sum(digest in known for digest in images.values()) for side, images in hashes.items()}
    if any(counts.values()):
        warnings.warn(
            f"{dataset.folder}: data leakage through the weights: the model to start from was trained or selected on "
            f"{counts['test']} of {pluralize(len(hashes['test']), 'test image')} and {counts['val']} of "
            f"{pluralize(len(hashes['val']), 'val image')}. `tmunet evaluate` refuses those test images, and scores on those val "
            "images favor the start. Give a split that keeps them in train.",
            TMUNetWarning,
            stacklevel=3,
        )
