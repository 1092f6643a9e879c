"""`tmunet.train` and `tmunet.evaluate`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tmunet
from tmunet.errors import UsageError

Make = Callable[..., Path]


def test_a_network_is_trained_and_scored_from_python(make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset(train=4)
    run = tmunet.train(
        data,
        epochs=1,
        batch_size=4,
        size=32,
        optimizer={"name": "adamw"},
        learning_rate=3e-3,
        out=tmp_path / "run",
        device="cpu",
    )
    config = run.read_config()
    assert (run.path, config.recipe, config.epochs, config.preprocess.size) == (tmp_path / "run", "paper", 1, 32)
    assert (config.optimizer.name, config.optimizer.learning_rate) == ("adamw", 3e-3)
    assert config.augment.horizontal_flip == 0.25  # of the recipe
    assert (run.model / "model.safetensors").is_file()
    scores = tmunet.evaluate(run.path, data, subset="val", protocol="paper", allow_train_images=True, device="cpu")
    assert (scores.protocol.name, scores.facts["subset"], len(scores.rows)) == ("paper", "val", 2)


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"epoch": 1}, "key"),
        ({"epochs": "many"}, "type"),
        ({"epochs": 0}, "value"),
        ({"dice": 1, "recipe": "x"}, "recipe"),
    ],
)
def test_what_does_not_fit_is_a_usage_error(settings: dict[str, Any], code: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        tmunet.train(tmp_path, out=tmp_path / "run", **settings)
    assert caught.value.code == code
    assert not (tmp_path / "run").exists()
