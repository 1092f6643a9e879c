"""`tmunet train` and `tmunet demo`, from the first image to the report."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tmunet.cli import demo
from tmunet.train.run import RunFolder

from .conftest import Answer

Run = Callable[..., Answer]
SMALL = ("--epochs", 1, "--batch_size", 4, "--preprocess.size", 32, "--device", "cpu")


def test_a_run_is_trained_scored_continued_and_not_overwritten(
    tmunet: Run, make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    data, run = make_dataset(train=4), tmp_path / "run"
    answer = tmunet("train", "-d", data, "-o", run, *SMALL, "--optimiser.learning_rate", "1e-3")
    assert answer.code == 0
    assert f"tmunet evaluate --model {run}" in answer.out
    config = RunFolder(run).read_config()
    assert (config.epochs, config.preprocess.size, config.optimiser.learning_rate) == (1, 32, 1e-3)
    assert (config.recipe, config.augment.horizontal_flip) == ("paper", 0.25)
    scored = tmunet("evaluate", "-m", run)  # the run knows its images and its split
    assert scored.code == 0
    facts = json.loads((run / "evaluation" / "discs-test-strict" / "summary.json").read_text())["facts"]
    assert facts["split_sha256"] == facts["trained"]["split_sha256"]
    again = tmunet("train", "-d", data, "-o", run, *SMALL)
    assert again.code == 2
    assert "the run folder exists already" in again.err
    shutil.rmtree(run / "model")  # as if it had been stopped before its end
    assert tmunet("train", "--resume", run).code == 0
    assert tmunet("evaluate", "-m", run, "-o", tmp_path / "again").code == 0
    scores = [folder / "per_image.csv" for folder in (run / "evaluation" / "discs-test-strict", tmp_path / "again")]
    assert scores[0].read_text() == scores[1].read_text()


def test_the_demo_continues_an_interrupted_run_and_leaves_a_finished_one(
    tmunet: Run, make_dataset: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_dataset(train=2, valid=1, test=2)
    monkeypatch.setattr(demo, "sample_folder", lambda: folder)
    answer = tmunet("demo", "-o", tmp_path / "demo", "--epochs", 1)
    assert answer.code == 0
    for text in (
        "1/3 Train",
        "on 2 images",
        "2/3 Score it on the 2 test images",
        "3/3 Write",
        "Mean Dice",
        "report.html",
    ):
        assert text in answer.out
    assert len(list((tmp_path / "demo" / "masks").glob("*.png"))) == 2
    assert tmunet("demo", "-o", tmp_path / "demo", "--epochs", 1).code == 0
    assert (tmp_path / "demo-2" / "model" / "config.json").is_file()
    shutil.rmtree(tmp_path / "demo" / "model")  # as if it had been stopped before its end
    answer = tmunet("demo", "-o", tmp_path / "demo")
    assert answer.code == 0
    assert f"An interrupted demo lies in {tmp_path / 'demo'}: continuing it." in answer.out
    assert (tmp_path / "demo" / "model" / "config.json").is_file()


def test_the_sample_is_a_data_set_with_all_sides() -> None:
    from tmunet.data.dataset import open_dataset

    dataset = open_dataset(demo.sample_folder())
    assert all(dataset.subset(side) for side in ("train", "valid", "test"))
    assert demo._verdict(0.9).startswith("Mean Dice 0.900: at least 0.85")
    assert demo._verdict(0.5).startswith("Mean Dice 0.500: below the 0.85")
