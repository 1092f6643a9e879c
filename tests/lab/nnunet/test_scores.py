"""Masks in files are scored as the masks of a predictor are."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tmunet.data.dataset import Dataset, open_dataset
from tmunet.data.fingerprint import TrainingFingerprint, pixels_sha256
from tmunet.data.reader import load_case
from tmunet.errors import DataError, InputError
from tmunet.evaluation import evaluate
from tmunet.files import sha256, write_json
from tmunet.metrics import PROTOCOLS
from tmunet.prediction.mask_files import write_mask
from tmunet.prediction.predictor import Predictor
from tmunet_lab.nnunet.scores import score_masks

from ...coded_errors import coded
from ...scored_rows import without_confidence
from ...small_models import random_model

Make = Callable[..., Path]


def write_references(dataset: Dataset, masks: Path) -> None:
    """Perfect predictions."""
    for case in dataset.subset("test"):
        labels = load_case(case, dataset.info).mask
        write_mask(masks / f"{case.name}.png", labels, dataset.info.classes, sha256(case.image))


def test_a_predictors_masks_score_as_the_predictor(make_dataset: Make, tmp_path: Path) -> None:
    """The other way to the same number: `evaluate` with a network whose masks were written to files."""
    dataset, predictor = open_dataset(make_dataset(test=3, side=40)), Predictor(random_model())
    for case in dataset.subset("test"):
        write_mask(tmp_path / f"{case.name}.png", predictor(case.image).mask, dataset.info.classes, sha256(case.image))
    ours = score_masks(tmp_path, dataset, TrainingFingerprint(), PROTOCOLS["strict"], seed=3, facts={"a": 1})
    other = evaluate(predictor, dataset, "test", PROTOCOLS["strict"], seed=3, facts={"a": 1})
    assert (ours.rows, ours.summaries, ours.facts) == (without_confidence(other), other.summaries, other.facts)


def test_every_class_has_its_scores(make_dataset: Make, tmp_path: Path) -> None:
    dataset = open_dataset(make_dataset(test=4, classes=3))
    write_references(dataset, tmp_path)
    for name in ("strict", "paper"):
        found = score_masks(tmp_path, dataset, TrainingFingerprint(), PROTOCOLS[name])
        assert list(found.summaries) == ["a", "b"]
        assert [(row["case"], row["class"]) for row in found.rows][:2] == [
            (dataset.split.test[0], "a"),
            (dataset.split.test[0], "b"),
        ]
    assert all(row["dice"] == 1 for row in found.rows)


def test_pixels_to_ignore_do_not_count(make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset(test=1)
    write_json(data / "dataset.json", {"name": "d", "classes": ["background", "disc"], "ignore_label": 255})
    dataset = open_dataset(data)
    (case,) = dataset.subset("test")
    assert case.mask is not None
    labels = np.array(Image.open(case.mask))
    wrong = 1 - labels
    write_mask(
        tmp_path / f"{case.name}.png",
        np.where(np.arange(48) < 24, labels, wrong),
        dataset.info.classes,
        sha256(case.image),
    )
    assert score_masks(tmp_path, dataset, TrainingFingerprint(), PROTOCOLS["strict"]).rows[0]["dice"] < 1
    labels[:, 24:] = 255
    Image.fromarray(labels).save(case.mask)
    assert score_masks(tmp_path, dataset, TrainingFingerprint(), PROTOCOLS["strict"]).rows[0]["dice"] == 1


def test_the_papers_size_is_that_of_both_masks(make_dataset: Make, tmp_path: Path) -> None:
    dataset = open_dataset(make_dataset(test=1, side=32))
    (case,) = dataset.subset("test")
    labels = load_case(case, dataset.info).mask
    moved = np.roll(labels, 1, axis=1)
    write_mask(tmp_path / f"{case.name}.png", moved, dataset.info.classes, sha256(case.image))
    (row,) = score_masks(tmp_path, dataset, TrainingFingerprint(), PROTOCOLS["paper"]).rows
    large, shifted = (np.kron(mask, np.ones((16, 16))) for mask in (labels, moved))  # 32 px -> 512 px
    assert row["dice"] == pytest.approx((2 * (large * shifted).sum() + 1) / (large.sum() + shifted.sum() + 1))
    assert row["hd"] == pytest.approx(16, abs=1)


def test_all_faults_are_in_one_report(make_dataset: Make, tmp_path: Path) -> None:
    dataset = open_dataset(make_dataset(test=4))
    write_references(dataset, tmp_path)
    missing, of_another, small, _ = dataset.subset("test")
    (tmp_path / f"{missing.name}.png").unlink()
    Image.new("L", (48, 48)).save(tmp_path / f"{of_another.name}.png")
    write_mask(tmp_path / f"{small.name}.png", np.zeros((8, 9), np.uint8), dataset.info.classes, sha256(small.image))
    with pytest.raises(DataError) as caught:
        score_masks(tmp_path, dataset, TrainingFingerprint(), PROTOCOLS["strict"])
    assert len(caught.value.faults) == 3
    assert "cannot be opened" in caught.value.faults[0]
    assert "is not of the image as it is now" in caught.value.faults[1]
    assert "expected 48 x 48 pixels (width x height), as its reference has, but found 9 x 8" in caught.value.faults[2]


@pytest.mark.parametrize("side", ["train", "val"])
def test_images_of_the_training_are_not_scored(make_dataset: Make, tmp_path: Path, side: str) -> None:
    dataset = open_dataset(make_dataset(test=2))
    write_references(dataset, tmp_path)
    first, _ = dataset.subset("test")
    fingerprint = TrainingFingerprint(**{side: {"copy": pixels_sha256(load_case(first, dataset.info).image)}})
    with pytest.raises(InputError, match="2 test images", check=coded("leakage")):
        score_masks(tmp_path, dataset, fingerprint, PROTOCOLS["strict"])
    facts = score_masks(tmp_path, dataset, fingerprint, PROTOCOLS["strict"], allow_train_images=True).facts
    assert [facts[f"images_in_{kind}"] for kind in ("train", "val")] == ([1, 0] if side == "train" else [0, 1])


def test_without_test_images_there_is_nothing_to_score(make_dataset: Make, tmp_path: Path) -> None:
    with pytest.raises(InputError, check=coded("no-images")):
        score_masks(tmp_path, open_dataset(make_dataset(test=0)), TrainingFingerprint(), PROTOCOLS["strict"])
