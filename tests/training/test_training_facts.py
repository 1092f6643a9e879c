"""What a trained model says of the images it was trained on."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tmunet import load_model
from tmunet.config import from_mapping, read_yaml
from tmunet.data.training_stats import Intensity, Scale, Spread, Turns
from tmunet.errors import DataError, TMUNetWarning
from tmunet.files import write_json
from tmunet.training.fit import resume
from tmunet.training.train_config import TrainConfig, read_recipe

from .runs import run_here

Make = Callable[..., Path]


def test_a_model_knows_scale_values_and_turns_of_its_training(make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset(train=8, side=64)
    for folder in ("images", "masks"):
        for case in range(3):  # three of eight are wide
            path = data / folder / f"case{case}.png"
            Image.open(path).resize((128, 64), Image.Resampling.NEAREST).save(path)
    config = load_model(run_here(data, tmp_path / "run", epochs=1).path).config
    assert config.scale == Scale(Spread(0.5, 0.5, 0.5), Spread(0.25, 0.5, 0.5))
    assert [(one.bits, one.lowest) for one in config.intensity] == [(8, 0.0)]
    assert 0.7 < config.intensity[0].highest <= 1
    assert config.turns == Turns(horizontal_flip=True, vertical_flip=False, quarter_turns=True)


def test_an_upright_run_leaves_out_the_turns_of_its_recipe_and_resumes_so(make_dataset: Make, tmp_path: Path) -> None:
    settings = {**read_recipe("strong"), "upright": True, "epochs": 1, "batch_size": 4, "preprocess": {"size": 32}}
    run = run_here(make_dataset(), tmp_path / "run", **settings)
    kept = read_yaml(run.config)
    assert (kept["upright"], kept["augment"]["horizontal_flip"]) == (True, 0.5)
    assert (kept["augment"]["vertical_flip"], kept["augment"]["quarter_turns"]) == (0.0, False)
    (run.model / "model.safetensors").unlink()
    resume(run.path)
    assert load_model(run.path).config.turns == Turns(True, False, False)


def test_upright_changes_nothing_but_the_turns() -> None:
    recipe = {**read_recipe("strong"), "data": "d"}
    plain, upright = (from_mapping(TrainConfig, {**recipe, "upright": value}, "here") for value in (False, True))
    assert plain.augment.vertical_flip > 0
    assert upright.augment == replace(plain.augment, vertical_flip=0.0, quarter_turns=False)


def test_a_run_does_not_continue_under_other_names_of_its_labels(make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset(classes=3)
    run = run_here(data, tmp_path / "run", epochs=1)
    assert json.loads(run.provenance.read_text())["classes"] == ["background", "a", "b"]
    write_json(data / "dataset.json", {"name": "discs", "classes": ["background", "b", "a"]})
    with pytest.raises(DataError):
        resume(run.path)


@pytest.mark.parametrize(
    ("normalize", "brightness", "told"),
    [("imagenet", 0, 1), ("efficientnet_lite", 0, 1), ("image", 0.1, 1), ("image", 0, 0)],
)
def test_twelve_bits_in_sixteen_are_told_where_they_spoil_training(
    make_dataset: Make, tmp_path: Path, normalize: str, brightness: float, told: int
) -> None:
    data = make_dataset()
    for path in (data / "images").iterdir():
        Image.fromarray(np.asarray(Image.open(path).convert("L")).astype(np.uint16) * 16).save(path)
    settings = {"preprocess": {"size": 32, "normalize": normalize}, "augment": {"brightness": brightness}, "epochs": 1}
    if told:
        with pytest.warns(TMUNetWarning) as found:
            run = run_here(data, tmp_path / "run", **settings)
        assert [warning.category for warning in found].count(TMUNetWarning) == 1
    else:
        run = run_here(data, tmp_path / "run", **settings)
    (typical,) = load_model(run.path).config.intensity
    assert isinstance(typical, Intensity)
    assert (typical.bits, typical.used_bits, typical.is_dark) == (16, 12, True)
