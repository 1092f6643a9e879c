"""`tmunet train` and `tmunet demo`, from the first image to the report."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tmunet.cli import demo
from tmunet.data.dataset import open_dataset
from tmunet.errors import TMUNetWarning
from tmunet.training.run_folder import RunFolder
from tmunet.training.train_config import TrainConfig

from .conftest import Answer

Run = Callable[..., Answer]
SPEEDS = [r"[\d.]+(?= (images/)?s\b)"]
SMALL = ("--epochs", 1, "--batch-size", 4, "--preprocess.size", 32, "--device", "cpu")


def test_a_run_is_trained_scored_continued_and_not_overwritten(
    tmunet: Run, golden: Callable[..., None], make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    data, run = make_dataset(train=4), tmp_path / "run"
    answer = tmunet("train", "-d", data, "-o", run, *SMALL, "--optimizer.learning-rate", "1e-3")
    assert answer.code == 0
    golden("train", answer.out, hide=SPEEDS)
    assert re.fullmatch(
        r"epoch 1/1: train_loss [\d.]+, val_dice [\d.]+, val_loss [\d.]+; \d+ s, about 0 s left\n", answer.err
    )
    config = RunFolder(run).read_config()
    assert (config.epochs, config.preprocess.size, config.optimizer.learning_rate) == (1, 32, 1e-3)
    assert (config.recipe, config.augment.horizontal_flip) == ("paper", 0.25)
    scored = tmunet("evaluate", "-m", run)  # the run knows its images and its split
    assert scored.code == 0
    facts = json.loads((run / "evaluation" / "discs-test-strict" / "summary.json").read_text())["facts"]
    assert facts["split_sha256"] == facts["trained"]["split_sha256"]
    again = tmunet("train", "-d", data, "-o", run, *SMALL)
    assert (again.code, again.error, again.paths) == (2, "exists", (run,))
    shutil.rmtree(run / "model")  # as if it had been stopped before its end
    assert tmunet("train", "--resume", run).code == 0
    assert tmunet("evaluate", "-m", run, "-o", tmp_path / "again").code == 0
    scores = [folder / "per_image.csv" for folder in (run / "evaluation" / "discs-test-strict", tmp_path / "again")]
    assert scores[0].read_text() == scores[1].read_text()


@pytest.mark.slow
def test_the_demo_continues_an_interrupted_run_and_leaves_a_finished_one(
    tmunet: Run,
    golden: Callable[..., None],
    make_dataset: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = make_dataset(train=2, val=1, test=2)
    monkeypatch.setattr(demo, "sample_folder", lambda: folder)
    answer = tmunet("demo", "-o", tmp_path / "demo", "--epochs", 1)
    assert answer.code == 0
    table = r"(?s)(?<=test images\.\n\n).*(?=\nMean Dice)"
    golden("demo", answer.out, hide=[table, *SPEEDS, r"(?<=Mean Dice )[\d.]+", r"(?<=took )\d+"])
    assert len(list((tmp_path / "demo" / "masks").glob("*.png"))) == 2
    assert tmunet("demo", "-o", tmp_path / "demo", "--epochs", 1).code == 0
    assert (tmp_path / "demo-2" / "model" / "config.json").is_file()
    shutil.rmtree(tmp_path / "demo" / "model")  # as if it had been stopped before its end
    answer = tmunet("demo", "-o", tmp_path / "demo")
    assert answer.code == 0
    assert (tmp_path / "demo" / "model" / "config.json").is_file()


def test_the_sample_is_a_data_set_with_all_sides() -> None:
    from tmunet.data.dataset import open_dataset

    dataset = open_dataset(demo.sample_folder())
    assert all(dataset.subset(side) for side in ("train", "val", "test"))
    assert demo._verdict(0.9).startswith("Mean Dice 0.900: at least 0.85")
    assert demo._verdict(0.5).startswith("Mean Dice 0.500: below 0.85")


@pytest.mark.parametrize(
    ("words", "error", "mention"),
    [
        (("--seed", "-1"), "value", "`seed`"),
        (("--resume",), "missing", "--resume"),
        (("--recipe", "two.yaml"), "type", "two.yaml"),
        (("--recipe", "typo.yaml"), "key", "'optimizer'"),
        (("--data", "folds/fold-1.json"), "split-elsewhere", "--data DATA --split folds/fold-1.json"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_written(
    tmunet: Run,
    make_dataset: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    error: str,
    mention: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    data = make_dataset()
    Path("two.yaml").write_text("epochs: two\n")
    Path("typo.yaml").write_text("optimizr: {learning_rate: 0.001}\n")
    Path("folds").mkdir()
    shutil.copy(data / "split.json", "folds/fold-1.json")
    named = () if "--data" in words or words == ("--resume",) else ("-d", data)
    answer = tmunet("train", *named, "-o", "run", *words) if words != ("--resume",) else tmunet("train", *words)
    assert (answer.code, answer.error, mention in answer.err) == (2, error, True), answer.err
    assert not Path("run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_no_traceback(
    tmunet: Run, make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    answer = tmunet("train", "-d", make_dataset(), "-o", tmp_path / "run", "--device", "cuda")
    assert (answer.code, answer.error) == (2, "device")


def test_a_run_by_a_split_of_its_own_has_the_split_in_its_name() -> None:
    runs = [
        TrainConfig("data/discs", split=split).run_folder for split in ("folds/fold-1.json", "folds/fold-2.json", None)
    ]
    assert [run.name for run in runs] == [
        "discs-fold-1-tmunet_t-paper-s0",
        "discs-fold-2-tmunet_t-paper-s0",
        "discs-tmunet_t-paper-s0",
    ]


def test_a_split_without_images_to_train_is_refused(
    tmunet: Run, make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    data = make_dataset(train=0)
    answer = tmunet("train", "-d", data, "-o", tmp_path / "run", *SMALL)
    assert (answer.code, answer.error) == (3, "no-training")


def test_what_is_not_trained_on_is_told(tmunet: Run, make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    data = make_dataset()
    (data / "images" / "scan.czi").write_bytes(b"")
    with pytest.warns(TMUNetWarning, match=r"images: passed over scan.czi: no images by name"):
        open_dataset(data)
