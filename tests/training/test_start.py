"""A training that starts from a trained model: what is taken over, what is refused, and when the start is kept."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tmunet.api import train as train_from_python
from tmunet.cli.main import main
from tmunet.config import deep_merge, from_mapping
from tmunet.data.data_config import Preprocess
from tmunet.data.fingerprint import pixels_sha256
from tmunet.data.io.images import read_image
from tmunet.errors import ModelError, TMUNetWarning, UsageError
from tmunet.model import load_model, save_model
from tmunet.model_config import ModelConfig
from tmunet.registry import create_model
from tmunet.training.fit import resume
from tmunet.training.run_folder import RunFolder
from tmunet.training.start import LEARNING_RATE, start_settings, start_that_is_better
from tmunet.training.train_config import TrainConfig, read_recipe
from tmunet.transfer import transfer

from ..coded_errors import coded
from ..small_models import THREE, random_model
from .conftest import Trained
from .runs import SETTINGS, run_here, weights

Make = Callable[..., Path]
STILL = {**SETTINGS, "epochs": 1, "optimizer": {"learning_rate": 1e-12}}


def start_with(trained: Trained, data: Path, out: Path, **settings: object) -> RunFolder:
    return run_here(data, out, **{**STILL, "from_": str(trained.run.path), **settings})


def test_a_start_that_training_does_not_improve_is_kept(trained: Trained, make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset(name="new", side=40)
    run = start_with(trained, data, tmp_path / "run")
    found, start = load_model(run.path), load_model(trained.run.path)
    assert all(
        torch.equal(a, b) for a, b in zip(weights(run.path).values(), weights(trained.run.path).values(), strict=True)
    )
    provenance = found.config.provenance
    assert (provenance["kept_weights"], provenance["kept_epoch"]) == ("start", 0)
    assert provenance["val_dice"] == pytest.approx(provenance["pretrained"]["validation"]["val_dice"])
    assert provenance["pretrained"]["from"] == str(trained.run.path)
    assert found.config.scale == start.config.scale
    known = set(found.fingerprint.train.values())
    assert set(start.fingerprint.train.values()) <= known
    assert {pixels_sha256(read_image(path)) for path in (data / "images").glob("case[0-7].png")} <= known
    assert set(start.fingerprint.val.values()) <= set(found.fingerprint.val.values())


def test_a_better_epoch_is_kept_and_the_start_is_recorded(make_dataset: Make, tmp_path: Path) -> None:
    data, weak = make_dataset(), random_model()
    save_model(tmp_path / "weak", weak.network, weak.config)
    settings = {**SETTINGS, "optimizer": {"learning_rate": 1e-2}, "epochs": 6, "monitor": "val_loss"}
    run = run_here(data, tmp_path / "run", **settings, from_=str(tmp_path / "weak"))
    provenance = load_model(run.path).config.provenance
    assert provenance["kept_weights"] in ("raw", "average")
    assert provenance["val_loss"] < provenance["pretrained"]["validation"]["val_loss"]
    again = resume(run.path)  # after the end: nothing is trained
    assert load_model(again.path).config.provenance["val_loss"] == provenance["val_loss"]


@pytest.mark.parametrize(("monitor", "trained", "better"), [("val_dice", 0.8, True), ("val_dice", 0.7, False)])
def test_of_equal_scores_the_start_is_taken(monitor: str, trained: float, better: bool) -> None:
    of_start = {"val_dice": 0.7, "val_loss": 0.4}
    provenance = {"pretrained": {"validation": of_start}, "val_dice": trained, "val_loss": 0.5}
    assert (start_that_is_better(provenance, monitor) is None) == better
    assert start_that_is_better(provenance, "val_loss") == of_start
    assert start_that_is_better({**provenance, "pretrained": {}}, monitor) is None


def test_a_new_head_where_the_classes_differ() -> None:
    start, target = random_model(), random_model(THREE, seed=1)
    fresh = {name: tensor.clone() for name, tensor in target.network.state_dict().items()}
    found = transfer(target.network, target.config, start)
    assert found.head
    assert all("head" in name for name in found.head)
    for name, tensor in target.network.state_dict().items():
        assert torch.equal(tensor, fresh[name] if name in found.head else start.network.state_dict()[name]), name
    same = random_model(seed=2)
    assert transfer(same.network, same.config, start).changes == ()


@torch.no_grad()
def test_the_first_layer_answers_gray_images_of_any_channels_alike() -> None:
    start, target = random_model(), random_model(channels=5, seed=1)
    found = transfer(target.network, target.config, start)
    assert len(found.adapted) >= 1
    gray = torch.randn(1, 1, 32, 32)
    expected = start.network(gray.expand(1, 3, 32, 32))
    assert torch.allclose(target.network(gray.expand(1, 5, 32, 32)), expected, atol=1e-3)


def test_other_networks_normalizations_and_two_starts_are_refused(
    trained: Trained, make_dataset: Make, tmp_path: Path
) -> None:
    data = make_dataset(name="new", side=40)
    for code, settings in (
        ("other-network", {"model": "tmunet_s"}),
        ("other-normalization", {"preprocess": {"size": 32, "normalize": "imagenet"}}),
        ("value", {"pretrained": "imagenet"}),
    ):
        with pytest.raises(UsageError, check=coded(code)):
            start_with(trained, data, tmp_path / code, **settings)
        assert not (tmp_path / code).exists()
    with pytest.raises(ModelError, check=coded("no-model")):
        load_model("no-such-model")


def test_a_recipe_for_a_pretrained_encoder_takes_the_weights_of_the_start(trained: Trained, tmp_path: Path) -> None:
    found = start_settings(str(trained.run.path))
    assert found["pretrained"] is None
    assert found["optimizer"]["encoder_learning_rate_factor"] == 1  # tmunet_t has no encoder
    lite = ModelConfig("tmunet_lite0", preprocess=Preprocess(64))
    save_model(tmp_path / "lite", lite.create_network(), lite)
    assert "encoder_learning_rate_factor" not in start_settings(str(tmp_path / "lite"))["optimizer"]
    settings = deep_merge(read_recipe("finetune"), {"model_args": {}}, found, {"data": "d", "from_": "m"})
    assert from_mapping(TrainConfig, settings, "test").model == "tmunet_t"


def test_test_images_that_the_start_was_trained_on_are_leakage(
    trained: Trained, make_dataset: Make, tmp_path: Path
) -> None:
    data = make_dataset(train=4, val=2, test=4, name="other")  # case4 to case9 are known
    with pytest.warns(TMUNetWarning, match=r"4 of 4 test images and 2 of 2 val"):
        run = start_with(trained, data, tmp_path / "run")
    assert main(["evaluate", "-m", str(run.path), "-o", str(tmp_path / "scores")]) == 3
    assert main(["evaluate", "-m", str(run.path), "-o", str(tmp_path / "scores"), "--allow-train-images"]) == 0


def test_the_start_sets_network_input_and_normalization(trained: Trained, make_dataset: Make, tmp_path: Path) -> None:
    data, name = make_dataset(name="new", side=40), str(trained.run.path)
    words = ["train", "-d", str(data), "--from", name, "-o", str(tmp_path / "run"), "--epochs", "1", "--device", "cpu"]
    assert main([*words, "--batch-size", "4"]) == 0
    config, start = RunFolder(tmp_path / "run").read_config(), load_model(name).config
    assert (config.from_, config.model, config.preprocess) == (name, start.model, start.preprocess)
    assert config.optimizer.learning_rate == LEARNING_RATE
    run = train_from_python(data, from_=name, epochs=1, out=tmp_path / "python", device="cpu", batch_size=4)
    assert run.read_config().preprocess == start.preprocess
    assert main([*words[:5], "--pretrained", "imagenet", *words[5:]]) == 2


def test_a_finished_run_trains_on_with_the_schedule_of_more_epochs(copied_run: RunFolder) -> None:
    done = resume(copied_run.path, epochs=5)
    with done.metrics.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5]
    assert done.read_config().epochs == 5
    rates = [float(row["learning_rate"]) for row in rows]
    total, step = 5 * 2, 3 * 2  # two steps an epoch; warm-up of one epoch
    assert rates[3] == pytest.approx(3e-3 * 0.5 * (1 + np.cos(np.pi * (step - 2) / (total - 2))))
    done.check_settings(done.read_config())  # they are the run's own from then on
    with pytest.raises(UsageError, check=coded("value")):
        resume(copied_run.path, epochs=5 - 2)
    assert main(["train", "--resume", str(copied_run.path), "--epochs", "x"]) == 2


def test_a_loaded_model_can_be_trained_on() -> None:
    network = random_model().network.requires_grad_(True).train()
    network(torch.randn(2, 3, 32, 32)).mean().backward()
    assert all(p.grad is not None for p in network.parameters() if p.requires_grad)


@torch.no_grad()
def test_create_model_takes_weights_as_a_training_does(tmp_path: Path) -> None:
    start = random_model()
    save_model(tmp_path / "start", start.network, start.config)
    name, image = str(tmp_path / "start"), torch.randn(1, 3, 32, 32)
    assert torch.equal(create_model("tmunet_t", pretrained=name).eval()(image), start.network(image))
    target = random_model(THREE, channels=5)
    found = transfer(target.network, target.config, start)
    network = create_model("tmunet_t", in_channels=5, num_classes=3, pretrained=name)
    for key, tensor in network.state_dict().items():
        assert key in found.head or torch.equal(tensor, target.network.state_dict()[key]), key
    assert create_model("tmunet_t", num_classes=2, pretrained=name).eval()(image).shape == (1, 2, 32, 32)
    for given, settings in (("tmunet_s", {}), ("tmunet_t", {"layers": 2})):
        with pytest.raises(UsageError, check=coded("other-network")):
            create_model(given, pretrained=name, **settings)
    with pytest.raises(ModelError, check=coded("no-model")):
        create_model("tmunet_t", pretrained="no-such-model")
