"""TM-UNet for 2D medical image segmentation. Public names are imported when first used: `import tmunet` imports no torch."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tmunet import metrics
    from tmunet.api import evaluate, train
    from tmunet.hub import HubModel
    from tmunet.losses import DiceCELoss
    from tmunet.memory import keep_memory
    from tmunet.model import TrainedModel, load_model, save_model
    from tmunet.nn.inference.optimize import optimize_for_inference
    from tmunet.nn.tmunet import TMUNet
    from tmunet.prediction.predictor import Prediction, Predictor
    from tmunet.registry import create_model, list_models

__version__ = "0.1.0"

_MODULES = {
    "DiceCELoss": "tmunet.losses",
    "HubModel": "tmunet.hub",
    "Prediction": "tmunet.prediction.predictor",
    "Predictor": "tmunet.prediction.predictor",
    "TMUNet": "tmunet.nn.tmunet",
    "TrainedModel": "tmunet.model",
    "create_model": "tmunet.registry",
    "evaluate": "tmunet.api",
    "keep_memory": "tmunet.memory",
    "list_models": "tmunet.registry",
    "load_model": "tmunet.model",
    "optimize_for_inference": "tmunet.nn.inference.optimize",
    "save_model": "tmunet.model",
    "train": "tmunet.api",
}

__all__ = [
    "DiceCELoss",
    "HubModel",
    "Prediction",
    "Predictor",
    "TMUNet",
    "TrainedModel",
    "create_model",
    "evaluate",
    "keep_memory",
    "list_models",
    "load_model",
    "metrics",
    "optimize_for_inference",
    "save_model",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return importlib.import_module("tmunet.metrics")
    if name not in _MODULES:
        raise AttributeError(f"module 'tmunet' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
