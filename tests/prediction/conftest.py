"""Random images, and an exported model."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tmunet.prediction.export_model import export_model

from ..small_models import colored_model


@pytest.fixture
def noise() -> Callable[..., np.ndarray]:
    generator = np.random.default_rng(3)

    def draw(*shape: int, dtype: type = np.uint8) -> np.ndarray:
        return generator.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)

    return draw


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of three classes as ONNX; tests copy the folder before they change it."""
    return export_model(colored_model(), "onnx", None, tmp_path_factory.mktemp("onnx") / "out").folder
