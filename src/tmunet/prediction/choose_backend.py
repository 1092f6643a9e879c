"""Choose the backend for a number of images: OpenVINO where the time it saves is more than the time it takes to start."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import torch

from tmunet.data.json_object import read_json_object
from tmunet.model import load_model
from tmunet.prediction.backends.export_cache import export_key, find_export
from tmunet.prediction.backends.names import TORCH, BackendName
from tmunet.prediction.backends.sessions import PACKAGES

OPENVINO: BackendName = "openvino"
# It saves some milliseconds an image; reading a kept export takes half a second, the export ten (benchmarks/commands.md).
MANY, MANY_WITH_EXPORT = 200, 2000  # images


def choose_backend(
    models: Sequence[str | Path], tile_size: int | None, images: int, device: torch.device, begun: Path
) -> tuple[BackendName, str]:
    """Choose a backend, and say why.

    Args:
        models: model or run folders, or names; several are averaged.
        tile_size: side of a tile of the sliding window in pixels; None resizes whole images.
        images: how many there are.
        device: where to compute.
        begun: `predictions.json` of the masks to go on with, if it is there.

    Returns:
        The backend and the reason, a phrase; the reason is empty for PyTorch, which needs none.
    """
    before = read_json_object(begun).get("backend") if begun.is_file() else None
    for backend in get_args(BackendName):
        if backend == before:
            return backend, "" if backend == TORCH else f"as for the masks in {begun.parent}"
    if images < MANY or device.type != "cpu" or not all(find_spec(package) for package in PACKAGES[OPENVINO]):
        return TORCH, ""
    trained = [load_model(one) for one in models]
    keys = [export_key(one.network, one.config, tile_size or one.config.preprocess.size) for one in trained]
    if all(find_export(key) is not None for key in keys):
        return OPENVINO, f"{images:,} images, and its export of the model is kept from before"
    return (OPENVINO, f"{images:,} images are worth its export") if images >= MANY_WITH_EXPORT else (TORCH, "")
