"""The networks of the comparison train, are saved and predict by the same commands as TM-UNet."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tmunet.data.io.images import read_image
from tmunet.errors import UsageError
from tmunet.prediction.predictor import Predictor

from .runs import run_here, weights

Make = Callable[..., Path]


@pytest.mark.parametrize(
    ("model", "model_args", "size"),
    [
        ("ulite", {}, 32),
        ("tinyunet", {}, 32),
        ("tmunet_lite0", {}, 32),
        ("tmunet_released_t", {}, 32),
        pytest.param("zigrir", {"img_size": 64}, 64, marks=pytest.mark.slow),
        ("tmunet_t", {"mstm.xlstm": False, "mstm.pooling": False, "mstm.dwconv": False}, 32),
        pytest.param("nnunet", {}, 256, marks=pytest.mark.slow),
    ],
)
def test_it_trains_and_predicts(
    make_dataset: Make, tmp_path: Path, model: str, model_args: dict[str, object], size: int
) -> None:
    data = make_dataset(train=2, val=1, test=1)
    settings = {"model": model, "model_args": model_args, "preprocess": {"size": size, "normalize": "image"}}
    run = run_here(data, tmp_path / "run", epochs=1, batch_size=2, **settings)
    predictor = Predictor(run.path)
    assert predictor.config.model == model
    assert all(torch.isfinite(tensor).all() for tensor in weights(run.path).values())
    mask = predictor(read_image(data / "images" / "case0.png")).mask
    assert mask.shape == (48, 48)
    assert set(np.unique(mask)) <= {0, 1}


def test_a_size_that_the_network_does_not_take_is_refused_before_training(make_dataset: Make, tmp_path: Path) -> None:
    settings = {"model": "nnunet", "preprocess": {"size": 320}}
    with pytest.raises(UsageError, match=r"`preprocess.size`.*divisible by 128.*got 320; the next is 384"):
        run_here(make_dataset(), tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


def test_a_window_that_the_network_does_not_take_is_refused(make_dataset: Make, tmp_path: Path) -> None:
    run = run_here(make_dataset(train=2, val=1, test=1), tmp_path / "run", epochs=1, batch_size=2, model="ulite")
    with pytest.raises(UsageError, match=r"`tile_size` .* divisible by 32.*got 40; the next is 64"):
        Predictor(run.path, tile_size=40)
