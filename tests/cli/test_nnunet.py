"""`tmunet nnunet`."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tmunet.data.dataset import open_dataset
from tmunet.data.reader import load_case

from ..lab.nnunet.stand_in import make_environment
from .conftest import Answer

Run = Callable[..., Answer]
Make = Callable[..., Path]


def test_a_data_set_goes_to_nnunet_and_comes_back(
    tmunet: Run, golden: Callable[..., None], make_dataset: Make, tmp_path: Path
) -> None:
    data = make_dataset(train=4, val=2, test=2, classes=3)
    answer = tmunet("nnunet", "export", data, tmp_path / "raw", "--number", 7)
    assert answer.code == 0
    golden("nnunet-export", answer.out)
    answer = tmunet("import", "nnunet", tmp_path / "raw" / "Dataset007_discs", tmp_path / "back")
    assert answer.code == 0
    golden("import-nnunet", answer.out)
    first, second = open_dataset(data), open_dataset(tmp_path / "back")
    assert second.info.classes == first.info.classes
    assert [case.name for case in second.cases] == [case.name for case in first.cases]
    for a, b in zip(first.cases, second.cases, strict=True):
        one, other = load_case(a, first.info), load_case(b, second.info)
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.mask, other.mask)
    assert tmunet("nnunet", "export", data, tmp_path / "raw", "--number", 7).code == 2


def test_actions_are_listed_and_others_are_refused(tmunet: Run, golden: Callable[..., None]) -> None:
    golden("nnunet", tmunet("nnunet").out)
    answer = tmunet("nnunet", "exprt")
    assert (answer.code, answer.error, "'export'" in answer.err) == (2, "action", True)


def test_from_a_data_set_to_scores(
    tmunet: Run, golden: Callable[..., None], make_dataset: Make, tmp_path: Path
) -> None:
    data, work = make_dataset(train=3, val=2, test=3), tmp_path / "work"
    make_environment(work / "environment")
    answer = tmunet("nnunet", "train", data, work, "--device", "cpu", "--trainer", "nnUNetTrainer_5epochs")
    assert answer.code == 0
    assert "This split has 3 training and 2 validation cases." in answer.err  # the stand-in's words
    predicted = tmunet("nnunet", "predict", work, "--device", "cpu")
    assert predicted.code == 0
    golden("nnunet-train-predict", answer.out + predicted.out)
    for protocol in ("strict", "paper"):
        answer = tmunet("nnunet", "evaluate", work, "--protocol", protocol)
        assert answer.code == 0
        folder = work / "evaluation" / f"discs-test-{protocol}"
        summary = json.loads((folder / "summary.json").read_text("utf-8"))
        rows = list(csv.DictReader((folder / "per_image.csv").open(encoding="utf-8")))
        assert [row["case"] for row in rows] == list(open_dataset(data).split.test)
        assert summary["facts"]["trainer"] == "nnUNetTrainer_5epochs"
        assert summary["facts"]["nnunet_versions"]["nnunetv2"] == "2.8.1"
        assert len(summary["facts"]["weights_sha256"]) == 64
        assert 0 < summary["classes"]["foreground"]["metrics"]["dice"]["mean"] < 1


def test_where_nnunet_is_missing_the_commands_are_named(tmunet: Run, make_dataset: Make, tmp_path: Path) -> None:
    answer = tmunet("nnunet", "train", make_dataset(), tmp_path / "work")
    assert (answer.code, answer.error) == (4, "missing-extra")
    assert f"    python -m venv {tmp_path / 'work' / 'environment'}\n" in answer.err
    make_environment(tmp_path / "elsewhere")
    assert (
        tmunet("nnunet", "train", tmp_path / "discs", tmp_path / "work", "--environment", tmp_path / "elsewhere").code
        == 0
    )


def test_steps_out_of_order_are_told_apart(tmunet: Run, tmp_path: Path) -> None:
    answer = tmunet("nnunet", "predict", tmp_path)
    assert (answer.code, answer.error, answer.paths) == (3, "no-workspace", (tmp_path,))
    assert f"tmunet nnunet train DATA {tmp_path}" in answer.err
    assert tmunet("nnunet", "evaluate", tmp_path, "--protocol", "stric").code == 2
