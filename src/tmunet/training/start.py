"""Start a training from a trained model, `tmunet train --from MODEL`: its settings, its images, and whether it is kept."""

import warnings
from collections.abc import Mapping
from typing import Any

from torch import nn

from tmunet.config import to_dict
from tmunet.data.dataset import Dataset
from tmunet.data.fingerprint import TrainingFingerprint
from tmunet.errors import TMUNetWarning
from tmunet.model import load_model
from tmunet.text import pluralize

LEARNING_RATE = 1e-3
"""Learning rate of a training from a trained model, unless another is given: the settings that a recipe has are for fresh
weights (`benchmarks/learning_curve.md`)."""


def start_settings(name: str) -> dict[str, Any]:
    """Settings of a training that continue those of a trained model: network, input size, normalization, learning rate.

    What a recipe says about pretrained encoders is put aside: their weights, and their learning rate where there is no encoder.
    """
    start = load_model(name)
    config = start.config
    has_encoder = isinstance(getattr(start.network, "encoder", None), nn.Module)
    return {
        "model": config.model,
        "model_args": config.model_args,
        "pretrained": None,
        "preprocess": to_dict(config.preprocess),
        "optimizer": {"learning_rate": LEARNING_RATE, **({} if has_encoder else {"encoder_learning_rate_factor": 1.0})},
    }


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
