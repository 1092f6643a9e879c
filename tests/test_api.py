"""`tmunet.train` and `tmunet.evaluate`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import tmunet
from tmunet.errors import InputError, UsageError

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


class Discs:
    """Items as a torch Dataset gives them: floats (3, H, W) between 0 and 1 and a mask of 0 and 1."""

    def __init__(self, folder: Path, names: list[str]) -> None:
        self.folder, self.names = folder, names

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image, mask = (
            np.asarray(Image.open(self.folder / part / f"{self.names[index]}.png")) for part in ("images", "masks")
        )
        return torch.from_numpy(image.copy()).permute(2, 0, 1) / 255, torch.from_numpy(mask.copy())[None]


def test_items_of_a_torch_dataset_train_and_score_as_their_files_do(make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset(train=4, val=2, test=2)
    settings: dict[str, Any] = {"epochs": 1, "batch_size": 4, "size": 32, "device": "cpu", "horizontal_flip": 0.0}
    files = tmunet.train(data, out=tmp_path / "files", **settings)
    names = [f"case{k}" for k in range(8)]
    items = tmunet.train(Discs(data, names[:4]), val=Discs(data, names[4:6]), out=tmp_path / "items", **settings)
    a, b = (tmunet.load_model(run.path) for run in (files, items))
    weights = zip(a.network.state_dict().values(), b.network.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in weights)
    assert sorted(b.fingerprint.train.values()) == sorted(a.fingerprint.train.values())
    found = tmunet.evaluate(items.path, Discs(data, names[6:]), device="cpu")
    expected = tmunet.evaluate(files.path, data, device="cpu")
    assert [row["dice"] for row in found.rows] == [row["dice"] for row in expected.rows]
    with pytest.raises(InputError):
        tmunet.evaluate(items.path, Discs(data, names[:1]), device="cpu")  # a training image
    with pytest.raises(InputError) as caught:
        items.data()
    assert caught.value.code == "missing-data"


def test_a_folder_says_its_own_validation_images_and_classes(tmp_path: Path, make_dataset: Make) -> None:
    for words in ({"val": [1]}, {"classes": ("a", "b")}, {"ignore_label": 255}):
        with pytest.raises(UsageError):
            tmunet.train(make_dataset(name=next(iter(words))), out=tmp_path / "run", **words)
    with pytest.raises(UsageError) as caught:
        tmunet.train(iter([]), out=tmp_path / "run")  # type: ignore[arg-type]
    assert caught.value.code == "type"
