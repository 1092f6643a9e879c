"""tmunet: TM-UNet for 2D medical image segmentation. Names are loaded when first used; importing this loads no torch."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tmunet.hub import HubModel
    from tmunet.model import TrainedModel, load_model, save_model
    from tmunet.prediction.predictor import Prediction, Predictor
    from tmunet.registry import create_model, list_models

__version__ = "0.1.0"

_HOMES = {
    "HubModel": "tmunet.hub",
    "Prediction": "tmunet.prediction.predictor",
    "Predictor": "tmunet.prediction.predictor",
    "TrainedModel": "tmunet.model",
    "create_model": "tmunet.registry",
    "list_models": "tmunet.registry",
    "load_model": "tmunet.model",
    "save_model": "tmunet.model",
}

__all__ = [
    "HubModel",
    "Prediction",
    "Predictor",
    "TrainedModel",
    "create_model",
    "list_models",
    "load_model",
    "save_model",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tmunet' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
