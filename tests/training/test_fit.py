"""What a run leaves behind, what it refuses, and that it learns."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import tmunet.training.module as training
from tmunet.config import from_mapping, read_yaml
from tmunet.data.split.splits import read_split
from tmunet.errors import DataError, InputError, NonFiniteLossError, UsageError
from tmunet.evaluation import class_scores
from tmunet.losses import DiceCELoss
from tmunet.metrics import get_protocol
from tmunet.model import load_model
from tmunet.training.module import SegmentationModule, class_dice
from tmunet.training.run_folder import RunFolder
from tmunet.training.train_config import TrainConfig, list_recipes, read_recipe
from tmunet.training.trainer import build_trainer

from ..coded_errors import coded
from .conftest import Trained
from .runs import run_here, weights


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_folder_holds_what_its_numbers_come_from(trained: Trained) -> None:
    run = trained.run
    settings = from_mapping(TrainConfig, read_yaml(run.config), where="test")
    assert (settings.epochs, settings.seed, settings.augment.zoom) == (3, 5, 1.2)
    provenance = json.loads(run.provenance.read_text())
    split = read_split(run.split, [f"case{i}" for i in range(12)])
    assert provenance["split_sha256"] == split.sha256
    assert provenance["split_sizes"] == {"train": 8, "val": 2, "test": 2}
    assert provenance["versions"]["torch"] == torch.__version__
    assert len(provenance["data_sha256"]) == 64
    assert provenance["machine"] == {"device": "cpu", "threads": 1, "processes": 1}
    rows = rows_of(run.metrics)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert {row.pop("kept_weights") for row in rows} <= {"average", "raw"}
    assert all(np.isfinite(float(value)) for row in rows for value in row.values())
    assert run.best.is_file()
    assert run.last.is_file()
    assert list((run.path / "tensorboard").glob("events*"))
    config = load_model(run.path).config
    assert config.provenance["seed"] == 5
    assert config.provenance["val_dice"] == max(float(row["val_dice"]) for row in rows)
    assert config.classes == ("background", "foreground")


def test_the_kept_weights_are_those_of_the_best_epoch(trained: Trained) -> None:
    run = trained.run
    saved = torch.load(run.best, weights_only=True)
    prefix = {"average": "average.module.", "raw": "network."}[saved["kept_weights"]]
    for name, value in weights(run.path).items():
        assert torch.equal(value, saved["state_dict"][prefix + name])


def test_a_small_network_learns_the_discs(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    run = run_here(make_dataset(train=16), tmp_path / "run", epochs=8, optimizer={"learning_rate": 0.01}, augment={})
    rows = rows_of(run.metrics)
    assert float(rows[-1]["train_loss"]) < 0.6 * float(rows[0]["train_loss"])
    assert max(float(row["val_dice"]) for row in rows) > 0.9


def test_the_paper_s_schedule_falls_by_two_percent_an_epoch(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    recipe = read_recipe("paper") | {"epochs": 3, "preprocess": {"size": 32}, "batch_size": 4}
    run = run_here(make_dataset(), tmp_path / "run", **recipe)
    rates = [float(row["learning_rate"]) for row in rows_of(run.metrics)]
    assert rates == pytest.approx([1e-4, 0.98e-4, 0.98**2 * 1e-4])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_several_classes_and_ignored_pixels_train(
    precision: str, make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    data = make_dataset(classes=3)
    description = json.loads((data / "dataset.json").read_text()) | {"ignore_label": 255}
    (data / "dataset.json").write_text(json.dumps(description))
    mask = np.asarray(Image.open(data / "masks" / "case0.png")).copy()
    mask[:5] = 255
    Image.fromarray(mask).save(data / "masks" / "case0.png")
    run = run_here(data, tmp_path / "run", epochs=2, precision=precision)
    assert load_model(run.path).config.outputs == 3
    assert all(np.isfinite(float(row["val_loss"])) for row in rows_of(run.metrics))


def test_every_fault_is_listed_before_anything_is_written(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    data = make_dataset()
    (data / "images" / "case1.png").write_bytes(b"")
    Image.new("L", (47, 48)).save(data / "masks" / "case3.png")
    Image.fromarray(np.arange(48 * 48, dtype=np.uint8).reshape(48, 48)).save(
        data / "masks" / "case11.png"
    )  # a test case
    with pytest.raises(DataError) as caught:
        run_here(data, tmp_path / "run")
    assert len(caught.value.faults) == 3
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_names_the_images(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    settings = {"name": "adam", "learning_rate": 1e30}
    with pytest.raises(NonFiniteLossError, match=r"epoch 1, step \d+, for: case\d.*--optimizer.learning-rate"):
        run_here(make_dataset(), tmp_path / "run", optimizer=settings)


def test_a_gradient_that_is_not_finite_stops_before_it_reaches_the_weights(
    make_dataset: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finite = DiceCELoss.forward

    def steep(self: DiceCELoss, logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        return finite(self, logits, masks) + (0 * logits).sum((1, 2, 3)).sqrt()  # sqrt(0): adds nothing, slope infinite

    monkeypatch.setattr(DiceCELoss, "forward", steep)
    with pytest.raises(
        NonFiniteLossError, match=r"gradient .* epoch 1, step 1, though the loss is; first: \w+\..*case\d"
    ):
        run_here(make_dataset(), tmp_path / "run")


def test_an_image_alone_in_its_batch_is_too_little_for_the_deepest_norm(
    make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError, check=coded("batch-of-one")):
        run_here(make_dataset(train=9), tmp_path / "run")


def test_without_validation_images_the_last_epoch_is_kept_or_the_run_refused(
    make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    data = make_dataset(val=0)
    with pytest.raises(InputError, check=coded("no-validation")):
        run_here(data, tmp_path / "refused")
    run = run_here(data, tmp_path / "run", epochs=2, monitor="val_loss", optimizer={"ema_decay": None})
    state = torch.load(run.last, weights_only=True)["state_dict"]
    assert all(torch.equal(value, state[f"network.{name}"]) for name, value in weights(run.path).items())
    assert rows_of(run.metrics)[0]["val_dice"] == ""


def test_recipes_are_found_by_name_and_by_file_and_may_not_name_the_data(tmp_path: Path) -> None:
    assert {"paper", "strong", "demo", "nuclei"} <= set(list_recipes())
    for name in list_recipes():
        from_mapping(TrainConfig, {**read_recipe(name), "data": "somewhere"}, where=name)
    with pytest.raises(UsageError, check=coded("recipe")):
        read_recipe("stron")
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"data": "elsewhere", "epochs": 2}))
    with pytest.raises(UsageError, check=coded("key", path)):
        read_recipe(str(path))


@pytest.mark.parametrize(
    "bad",
    [
        {"epochs": 0},
        {"batch_size": 3, "devices": 2},
        {"preprocess": {"size": 10**9}},
        {"loss": {"cross_entropy": 0, "dice": 0}},
        {"loss": {"dice": float("nan")}},
        {"optimizer": {"learning_rate": -1.0}},
        {"optimizer": {"decay": 2.0}},
        {"optimizer": {"clip_norm": 0.0}},
        {"optimizer": {"ema_decay": 1.0}},
    ],
)
def test_settings_that_make_no_sense_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="Expected"):
        from_mapping(TrainConfig, {"data": "x", **bad}, where="test")


def test_automatic_precision_is_resolved_before_the_run_and_recorded(
    make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    run = run_here(make_dataset(), tmp_path / "run", epochs=1, precision="auto")
    assert read_yaml(run.config)["precision"] == "float32"  # the tests train on the CPU


@pytest.mark.parametrize(("keep", "epoch"), [("val_loss", 2), ("val_dice", 1)])
def test_the_epoch_that_is_kept_is_the_best_by_the_setting(
    keep: str, epoch: int, make_dataset: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses, dices = (3.0, 1.0, 2.0), (0.9, 0.2, 0.5)

    def scripted(self: SegmentationModule) -> None:
        self.log("val_loss", losses[self.current_epoch])
        self.log("val_dice", dices[self.current_epoch])

    monkeypatch.setattr(SegmentationModule, "on_validation_epoch_end", scripted)
    run = run_here(make_dataset(), tmp_path / "run", epochs=3, monitor=keep)
    assert torch.load(run.best, weights_only=True)["epoch"] + 1 == epoch
    provenance = load_model(run.path).config.provenance
    assert provenance["kept_epoch"] == epoch
    assert (provenance["val_loss"], provenance["val_dice"]) == pytest.approx((losses[epoch - 1], dices[epoch - 1]))


def test_each_training_image_is_augmented_anew_in_each_epoch_and_no_validation_image(
    make_dataset: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[int, int, int]] = []
    draw = training.draw

    def recorded(config: Any, channels: int, seed: int, epoch: int, case: int) -> Any:
        drawn.append((seed, epoch, case))
        return draw(config, channels, seed, epoch, case)

    monkeypatch.setattr(training, "draw", recorded)
    run_here(make_dataset(train=8, val=2), tmp_path / "run", epochs=2, seed=5)
    assert sorted(drawn) == [(5, epoch, case) for epoch in range(2) for case in range(8)]
    first, second = ([case for _, at, case in drawn if at == epoch] for epoch in range(2))
    assert first != sorted(first)  # in another order every epoch
    assert first != second


def test_the_network_is_trained_and_validated_on_normalized_images_epoch_by_epoch(
    make_dataset: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    counts: list[int] = []
    for step in ("training_step", "validation_step"):
        original = getattr(SegmentationModule, step)

        def recorded(self: SegmentationModule, batch: Any, index: int, original: Any = original) -> Any:
            seen.extend(batch["image"])
            return original(self, batch, index)

        monkeypatch.setattr(SegmentationModule, step, recorded)
    end = SegmentationModule.on_validation_epoch_end

    def pluralize(self: SegmentationModule) -> None:
        counts.extend((len(self.validation["average"]), len(self.validation["raw"])))
        end(self)

    monkeypatch.setattr(SegmentationModule, "on_validation_epoch_end", pluralize)
    run_here(make_dataset(train=4, val=2), tmp_path / "run", epochs=2, preprocess={"size": 32, "normalize": "image"})
    assert len(seen) == 2 * (4 + 2)
    for image in seen:
        assert (image.mean().item(), image.std().item()) == pytest.approx((0, 1), abs=1e-2)
    assert counts == [2, 2] * 2


def test_the_kept_weights_are_the_moving_average_of_the_steps(
    make_dataset: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_dataset(val=0)
    steps: list[dict[str, torch.Tensor]] = []

    def note(self: SegmentationModule, *_: Any) -> None:
        steps.append({name: p.detach().clone() for name, p in self.network.named_parameters()})

    settings = {"epochs": 2, "monitor": "val_loss"}
    with monkeypatch.context() as patch:
        patch.setattr(SegmentationModule, "on_train_batch_end", note)
        run_here(data, tmp_path / "plain", **settings, optimizer={"learning_rate": 0.01, "ema_decay": None})
    averaged = run_here(data, tmp_path / "averaged", **settings, optimizer={"learning_rate": 0.01, "ema_decay": 0.9})
    expected = steps[0]
    assert len(steps) == 4
    for n, after in enumerate(steps[1:], start=1):
        decay = (1 + n) / (10 + n)  # below 0.9 for 80 steps
        expected = {name: decay * value + (1 - decay) * after[name] for name, value in expected.items()}
    kept = weights(averaged.path)
    for name, value in expected.items():
        torch.testing.assert_close(kept[name], value, rtol=1e-4, atol=1e-6)


def test_the_settings_reach_the_loss_the_optimizer_and_the_trainer(tmp_path: Path) -> None:
    optimizer = {"name": "adamw", "learning_rate": 0.02, "weight_decay": 0.3, "clip_norm": 0.7}
    settings = {"data": "x", "device": "cpu", "precision": "bfloat16", "loss": {"cross_entropy": 0.25, "dice": 3.0}}
    config = from_mapping(TrainConfig, {**settings, "optimizer": optimizer}, where="test")
    module = SegmentationModule(torch.nn.Conv2d(3, 1, 1), config, ["a"], 1)
    made = module.configure_optimizers()["optimizer"]
    assert type(made) is torch.optim.AdamW
    assert (made.defaults["lr"], made.defaults["weight_decay"]) == (0.02, 0.3)
    trainer = build_trainer(config, RunFolder(tmp_path), [], validates=False)
    assert (trainer.gradient_clip_val, trainer.precision) == (0.7, "bf16-mixed")
    logits, target = torch.randn(2, 1, 8, 8), torch.randint(2, (2, 8, 8), dtype=torch.uint8)
    expected = DiceCELoss(0.25, 3.0, reduction="none")(logits, target)
    torch.testing.assert_close(module.loss(logits, target), expected)
    torch.testing.assert_close(module.training_loss(logits, target), expected)


def test_the_dice_of_validation_is_that_of_the_protocol_strict() -> None:
    classes = ("background", "both", "missed", "alarm", "neither")
    mask = np.array([[0, 1, 1, 1], [0, 1, 2, 2], [255, 255, 0, 0]], np.uint8)
    prediction = np.array([[0, 1, 1, 0], [0, 0, 0, 0], [1, 2, 3, 0]], np.uint8)
    scores = class_scores(mask, prediction, classes, get_protocol("strict"))
    assert [score.dice for score in scores.values()] == pytest.approx([2 / 3, 0, 0, 1])
    found = class_dice(mask, prediction, len(classes))
    assert found == pytest.approx({label: scores[classes[label]].dice for label in range(1, len(classes))})
