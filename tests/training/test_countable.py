"""Images of which no pixel counts, and classes that no validation image shows, in training."""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from tmunet.config import from_mapping
from tmunet.errors import InputError, TMUNetWarning
from tmunet.losses import DiceCELoss, mean_loss
from tmunet.model import load_model
from tmunet.training.module import SegmentationModule
from tmunet.training.train_config import TrainConfig

from .runs import recipe_file, run_here, start

Make = Callable[..., Path]


def ignoring(folder: Path, *cases: int) -> Path:
    """Mark every pixel of some masks to be ignored."""
    description = json.loads((folder / "dataset.json").read_text()) if (folder / "dataset.json").exists() else {}
    (folder / "dataset.json").write_text(json.dumps(description | {"ignore_label": 255}))
    for case in cases:
        Image.new("L", (48, 48), 255).save(folder / "masks" / f"case{case}.png")
    return folder


def config() -> TrainConfig:
    return from_mapping(TrainConfig, {"data": "x"}, where="test")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def validated(masks: Sequence[np.ndarray], predictions: Sequence[np.ndarray], classes: int) -> dict[str, float]:
    """What is logged of validation images whose logits are certain of these predictions."""
    module = SegmentationModule(torch.nn.Identity(), config(), [], 1)
    logged: dict[str, float] = {}
    module.log = lambda name, value: logged.update({name: value})  # type: ignore[assignment, method-assign]
    module.on_validation_epoch_start()
    for mask, prediction in zip(masks, predictions, strict=True):
        logits = torch.nn.functional.one_hot(torch.tensor(prediction).long(), classes).permute(2, 0, 1)[None] * 20.0
        module.validation_step({"image": logits, "mask": torch.tensor(mask)[None]}, 0)
    module.on_validation_epoch_end()
    return logged


A = np.array([[0, 1, 1, 0], [0, 1, 1, 0]], np.uint8)
HALF = np.array([[0, 1, 0, 0], [0, 1, 0, 0]], np.uint8)
B = np.array([[0, 0, 0, 0], [0, 2, 0, 0]], np.uint8)
NONE, IGNORED = np.zeros_like(A), np.full_like(A, 255)


@pytest.mark.parametrize(
    ("masks", "predictions", "expected"),
    [
        ([A], [HALF], 2 / 3),  # class 2 is nowhere and adds no 1
        ([A, IGNORED], [HALF, A], 2 / 3),
        ([A, A], [HALF, A], (2 / 3 + 1) / 2),
        ([A, A], [np.maximum(A, B), A], (6 / 7 / 2 + 1) / 2),  # a false alarm of it counts 0
        ([A, B], [A, B], 1),
        ([A, B], [HALF, NONE], ((2 / 3 + 1) / 2 + (1 + 0) / 2) / 2),
    ],
)
def test_the_validation_dice_is_over_what_is_there(
    masks: list[np.ndarray], predictions: list[np.ndarray], expected: float
) -> None:
    logged = validated(masks, predictions, 3)
    assert logged["val_dice"] == pytest.approx(expected)


def test_an_ignored_validation_image_leaves_the_loss_as_it_is_and_nothing_shown_has_no_dice() -> None:
    assert validated([A, IGNORED], [HALF, A], 3) == validated([A], [HALF], 3)
    assert set(validated([NONE], [HALF], 3)) == {"val_loss"}
    assert validated([IGNORED], [HALF], 3) == {}


def test_ignored_training_and_validation_images_are_named_and_dilute_nothing(
    make_dataset: Make, tmp_path: Path
) -> None:
    data = ignoring(make_dataset(train=6, val=2), 0, 7)
    settings = {"epochs": 1, "batch_size": 6, "augment": {}, "optimizer": {"learning_rate": 1e-9}}
    with pytest.warns(TMUNetWarning) as told:
        run = run_here(data, tmp_path / "run", **settings)
    (warning,) = told
    assert {name for name in ("case0", "case1", "case6", "case7") if f"{name})" in str(warning.message)} == {
        "case0",
        "case7",
    }
    (row,) = rows_of(run.metrics)
    (data / "split.json").write_text(
        json.dumps({"train": [f"case{k}" for k in range(1, 6)], "val": ["case6"], "test": ["case8"]})
    )
    (alone,) = rows_of(run_here(data, tmp_path / "alone", **settings | {"batch_size": 5}).metrics)
    assert float(row["val_dice"]) == pytest.approx(float(alone["val_dice"]), abs=1e-6)
    assert float(row["val_loss"]) == pytest.approx(float(alone["val_loss"]), rel=1e-3)
    assert float(row["train_loss"]) == pytest.approx(float(alone["train_loss"]), rel=0.1)  # diluted it is 5/6


def test_nothing_to_learn_from_is_an_error_before_anything_is_written(make_dataset: Make, tmp_path: Path) -> None:
    data = ignoring(make_dataset(train=2), 0, 1)
    with pytest.raises(InputError) as caught:
        run_here(data, tmp_path / "run")
    assert (caught.value.code, caught.value.path) == ("all-ignored", data)
    assert not (tmp_path / "run").exists()


def test_no_validation_image_that_counts_is_said_before_the_first_epoch(make_dataset: Make, tmp_path: Path) -> None:
    data = ignoring(make_dataset(val=2), 8, 9)
    with pytest.raises(InputError) as caught:
        run_here(data, tmp_path / "run", monitor="val_dice")
    assert (caught.value.code, caught.value.path) == ("no-validation", data)
    with (
        pytest.warns(TMUNetWarning, match="2 of 2 validation images"),
        pytest.warns(TMUNetWarning, match="'foreground'"),
    ):
        run = run_here(data, tmp_path / "run", monitor="val_loss", epochs=2)
    assert [row["val_dice"] + row["val_loss"] for row in rows_of(run.metrics)] == ["", ""]
    assert load_model(run.path).config.provenance["kept_epoch"] == 2


def test_a_validation_side_without_any_class_cannot_choose_by_dice(make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset(val=1)
    Image.new("L", (48, 48)).save(data / "masks" / "case8.png")
    with pytest.raises(InputError) as caught:
        run_here(data, tmp_path / "run", monitor="val_dice")
    assert (caught.value.code, caught.value.path) == ("no-validation", data)
    with pytest.warns(TMUNetWarning, match="absent from val"):
        run = run_here(data, tmp_path / "run", monitor="val_loss", epochs=2)
    rows = rows_of(run.metrics)
    assert [row["val_dice"] for row in rows] == ["", ""]
    kept = load_model(run.path).config.provenance
    assert kept["val_loss"] == pytest.approx(min(float(row["val_loss"]) for row in rows))


@pytest.mark.slow  # the next test has the arithmetic
def test_two_processes_weigh_images_and_not_processes(make_dataset: Make, tmp_path: Path) -> None:
    """One process may meet fewer images that count than the other."""
    data = ignoring(make_dataset(train=4, val=1), 0, 1, 2)
    settings = {"epochs": 1, "batch_size": 4, "augment": {}, "optimizer": {"name": "adam", "learning_rate": 1e-4}}
    settings |= {"monitor": "val_loss"}
    with pytest.warns(TMUNetWarning):
        one = run_here(data, tmp_path / "one", **settings)
    recipe = recipe_file(tmp_path, **settings)
    process = start(f"--recipe={recipe}", f"--data={data}", f"--out={tmp_path / 'two'}", "--devices=2")
    output, _ = process.communicate(timeout=180)
    assert process.returncode == 0, output
    (first,), (second,) = rows_of(one.metrics), rows_of(tmp_path / "two" / "metrics.csv")
    assert float(second["train_loss"]) == pytest.approx(float(first["train_loss"]), rel=1e-3)


def test_the_parts_of_the_processes_are_the_loss_of_all_images_that_count() -> None:
    """The trainer takes the mean of what the processes give, whose batches hold 3 and 1 images that count."""
    random = torch.Generator().manual_seed(3)
    logits = torch.randn(8, 1, 6, 6, generator=random)
    target = torch.randint(2, (8, 6, 6), generator=random, dtype=torch.uint8)
    target[[1, 4, 5, 6]] = 255
    batches = [slice(0, 4), slice(4, 8)]
    own = [mean_loss(DiceCELoss(reduction="none")(logits[part], target[part]), target[part]) for part in batches]
    sums = torch.tensor([[3.0, float(3 * own[0])], [1.0, float(own[1])]], dtype=torch.float64)
    parts, logged = [], []
    for part, given in zip(batches, sums, strict=True):

        def reduce(tensor: torch.Tensor, reduce_op: str, given: torch.Tensor = given) -> torch.Tensor:
            torch.testing.assert_close(tensor, given)
            return sums.sum(0)

        module = SegmentationModule(torch.nn.Identity(), config(), list("abcdefgh"), 1)
        module.trainer = SimpleNamespace(world_size=2, strategy=SimpleNamespace(reduce=reduce))  # type: ignore[assignment]
        module.log = lambda _, value, **options: logged.append((float(value), options["batch_size"]))  # type: ignore[method-assign]
        batch = {"image": logits[part], "mask": target[part], "case": torch.arange(8)[part]}
        parts.append(module.training_step(batch, 0))
    expected = DiceCELoss()(logits[[0, 2, 3, 7]], target[[0, 2, 3, 7]]).mean()
    torch.testing.assert_close(torch.stack(parts).mean(), expected)
    assert logged == [(pytest.approx(float(expected)), 4)] * 2
