"""All folds of a cross-validation in one folder: each case validates once, and the same command goes on."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tmunet.cli.main import main
from tmunet.data.dataset import open_dataset
from tmunet.data.json_object import read_json_object
from tmunet.errors import UsageError
from tmunet.files import write_json
from tmunet.prediction.predictor import Predictor
from tmunet.training.folds import split_folds, train_folds
from tmunet.training.run_folder import RunFolder

from ..coded_errors import coded
from .runs import weights

Make = Callable[..., Path]


def test_each_case_is_in_val_once_with_its_group_and_test_in_none(make_dataset: Make) -> None:
    folder = make_dataset(train=8, val=2, test=3)
    write_json(folder / "dataset.json", {"cases": {f"case{i}": {"group": f"p{i // 2}"} for i in range(10)}})
    dataset = open_dataset(folder)
    splits = split_folds(dataset, 3, seed=0)
    assert sorted(name for split in splits for name in split.val) == sorted((*dataset.split.train, *dataset.split.val))
    for split in splits:
        assert split.test == dataset.split.test
        assert not {int(name[4:]) // 2 for name in split.val} & {int(name[4:]) // 2 for name in split.train}


def test_folds_are_trained_resumed_and_averaged(make_dataset: Make, tmp_path: Path) -> None:
    data, out = make_dataset(train=5, val=1, test=2, side=32), tmp_path / "cv"
    words = ["train", "-d", str(data), "-o", str(out), "--folds", "2", "--epochs", "1", "--batch-size", "4"]
    words += ["--preprocess.size", "32", "--device", "cpu"]
    assert main(words) == 0
    runs = [RunFolder(out / f"fold_{fold}") for fold in range(2)]
    before = [weights(run.path) for run in runs]
    vals = [read_json_object(run.split)["val"] for run in runs]
    assert sorted(vals[0] + vals[1]) == [f"case{i}" for i in range(6)]
    shutil.rmtree(runs[1].path)
    kept = (runs[0].model / "config.json").stat().st_mtime_ns
    assert main(words) == 0
    assert (runs[0].model / "config.json").stat().st_mtime_ns == kept
    assert all((a == b).all() for a, b in zip(weights(runs[1].path).values(), before[1].values(), strict=True))
    found = Predictor([run.path for run in runs])(data / "images" / "case6.png")
    assert 0 <= found.confidence.agreement <= 1
    config = runs[0].read_config()
    for code, count, changed in (("other-folds", 3, {}), ("other-settings", 2, {"epochs": 2})):
        given = replace(config, data=str(data), split=None, out=str(out), **changed)
        with pytest.raises(UsageError, check=coded(code)):
            train_folds(given, count)
    assert main([*words, "--resume", str(out)]) == 2
    assert main([*words[:-2], "--folds=x"]) == 2
