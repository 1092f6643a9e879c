"""What `model.json` says of an exported model."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from tmunet.data.normalise import IMAGENET_MEAN, IMAGENET_SD
from tmunet.data.picture import colour
from tmunet.export.formats import RUNTIMES
from tmunet.export.names import ExportFormat
from tmunet.files import sha256
from tmunet.model import TrainedModel, serialise
from tmunet.nn.image_size import ImageSize
from tmunet.versions import versions


def describe(
    trained: TrainedModel, to: ExportFormat, side: int, sizes: ImageSize | None, model: Path, packages: Sequence[str]
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
        "normalise": _normalise(config.preprocess.normalise, config.preprocess.channels),
        "classes": list(config.classes),
        "scale": None if config.scale is None else asdict(config.scale),
        "intensity": [asdict(one) for one in config.intensity],
        "turns": None if config.turns is None else asdict(config.turns),
        "colours": [colour(label) for label in range(len(config.classes))],
        "network": config.network,
        "options": config.options,
        "weights_sha256": hashlib.sha256(serialise(trained.network)).hexdigest(),
        "trained": config.provenance,
        "versions": {**versions(), **{name: version(name) for name in dict.fromkeys([*packages, "torch"])}},
    }


def _sizes(side: int, sizes: ImageSize | None) -> dict[str, Any]:
    if sizes is None:
        return {"only": side}
    return {"minimum": sizes.minimum, "multiple": sizes.multiple, "square": sizes.square}


def _normalise(by: Literal["imagenet", "image"], channels: int) -> str | dict[str, list[float]]:
    if by == "image":
        return by
    if channels == 3:
        return {"mean": list(IMAGENET_MEAN), "sd": list(IMAGENET_SD)}
    return {"mean": [sum(IMAGENET_MEAN) / 3], "sd": [sum(IMAGENET_SD) / 3]}
