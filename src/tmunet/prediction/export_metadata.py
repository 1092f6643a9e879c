"""What `model.json` says of an exported model."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from tmunet.data.preprocess import IMAGENET_MEAN, IMAGENET_SD
from tmunet.files import sha256
from tmunet.model import TrainedModel, serialize
from tmunet.nn.input_size import InputSize
from tmunet.prediction.backends.formats import RUNTIMES
from tmunet.prediction.backends.names import ExportFormat
from tmunet.versions import versions
from tmunet.visualize import color


def describe(
    trained: TrainedModel, to: ExportFormat, side: int, sizes: InputSize | None, model: Path, packages: Sequence[str]
) -> dict[str, Any]:
    """All but how the file was checked.

    Args:
        trained: the model.
        to: the format.
        side: of the images that `run.py` makes.
        sizes: that the file takes; None is `side` alone.
        model: the file; those that belong to it have the same stem.
        packages: that wrote it.
    """
    config = trained.config
    return {
        "format": 1,
        "runtime": RUNTIMES[to],
        "model": model.name,
        "files": {file.name: sha256(file) for file in sorted(model.parent.iterdir()) if file.stem == model.stem},
        "size": side,
        "sizes": _sizes(side, sizes),
        "channels": config.preprocess.channels,
        "normalize": _normalize(config.preprocess.normalize, config.preprocess.channels),
        "classes": list(config.classes),
        "scale": None if config.scale is None else asdict(config.scale),
        "intensity": [asdict(one) for one in config.intensity],
        "turns": None if config.turns is None else asdict(config.turns),
        "colors": [color(label) for label in range(len(config.classes))],
        "network": config.network,
        "model_args": config.model_args,
        "weights_sha256": hashlib.sha256(serialize(trained.network)).hexdigest(),
        "trained": config.provenance,
        "versions": {**versions(), **{name: version(name) for name in dict.fromkeys([*packages, "torch"])}},
    }


def _sizes(side: int, sizes: InputSize | None) -> dict[str, Any]:
    if sizes is None:
        return {"only": side}
    return {"minimum": sizes.minimum, "multiple": sizes.multiple, "square": sizes.square}


def _normalize(by: Literal["imagenet", "image"], channels: int) -> str | dict[str, list[float]]:
    if by == "image":
        return by
    if channels == 3:
        return {"mean": list(IMAGENET_MEAN), "sd": list(IMAGENET_SD)}
    return {"mean": [sum(IMAGENET_MEAN) / 3], "sd": [sum(IMAGENET_SD) / 3]}
