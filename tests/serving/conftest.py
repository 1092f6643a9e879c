"""One server for the tests that leave it as it was."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tmunet.model import save_model
from tmunet.prediction.predictor import Predictor

from ..small_models import THREE, random_model
from .servers import Server, serving


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Model folders of two classes, and of three."""
    folder = tmp_path_factory.mktemp("models")
    for name, model in (("two", random_model()), ("three", random_model(THREE, seed=1))):
        save_model(folder / name, model.network, model.config)
    return folder / "two", folder / "three"


@pytest.fixture(scope="session")
def server(models: tuple[Path, Path]) -> Iterator[Server]:
    with serving(models, "--backend", "torch", "--max-bytes", 2_000_000, "--max-pixels", 1_000_000) as one:
        yield one


@pytest.fixture(scope="session")
def predictor(models: tuple[Path, Path]) -> Predictor:
    return Predictor(models[0])
