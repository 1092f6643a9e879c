"""`tmunet evaluate`."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from PIL import Image

from tmunet import Predictor
from tmunet.cli.score_table import score_table
from tmunet.data.dataset import open_dataset
from tmunet.evaluation import evaluate
from tmunet.files import sha256, write_json
from tmunet.metrics import METRIC_LABELS, PROTOCOLS

from ..small_models import random_model
from .conftest import Answer

Run = Callable[..., Answer]
Make = Callable[..., Path]


def test_scores_table_and_report_of_a_model_folder(
    tmunet: Run,
    golden: Callable[..., None],
    model: Path,
    make_dataset: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    data = make_dataset(test=3)
    answer = tmunet("evaluate", "-m", model, "-d", data, "--device", "cpu", "--seed", "4")
    assert answer.code == 0
    golden(
        "evaluate", re.sub(" +", " ", answer.out), hide=[r"\b[\d.]+(?=\s)", r"(?<=best )[\d.]+", r"(?<=random )[\d.]+"]
    )
    folder = Path("evaluation/discs-test-strict")
    for name in ("per_image.csv", "summary.json", "report.html"):
        assert str(folder / name) in answer.out
    expected = evaluate(Predictor(model), open_dataset(data), "test", PROTOCOLS["strict"], seed=4)
    with (folder / "per_image.csv").open(newline="") as file:
        assert [float(row["dice"]) for row in csv.DictReader(file)] == [row["dice"] for row in expected.rows]
    summary = json.loads((folder / "summary.json").read_text("utf-8"))
    assert summary["classes"] == expected.summaries
    assert summary["facts"]["weights_sha256"] == sha256(model / "model.safetensors")
    assert summary["facts"]["bootstrap_seed"] == 4
    assert summary["facts"]["trained"]["data"] == "007"
    page = (folder / "report.html").read_text("utf-8")
    assert page.startswith("<!doctype html>") or page.startswith("<!DOCTYPE html>")
    assert "case10" in page
    assert score_table(expected) in answer.out


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_table_has_every_metric_and_the_counts(make_dataset: Make, protocol: str) -> None:
    dataset = open_dataset(make_dataset(test=2, side=40))
    table = score_table(evaluate(Predictor(random_model()), dataset, "test", PROTOCOLS[protocol]))
    assert table.startswith(f"foreground, 2 test images of discs, protocol {protocol}:")
    for label in (*METRIC_LABELS.values(), "HD (pixels)", "HD95 (pixels)", "95 % interval"):
        assert label in table
    assert re.search(
        r"\nmissed 0, false alarms 0, true negatives 0\nobjects: 2 in the reference, 0 missed; \d+ false(\nnot counted, .*)?"
        r"\n\nconfidence: \d+ of \d+ failures? \(Dice below 0\.7\) among the \d+ % flagged; fewer than 5 .*$",
        table,
    )


def test_the_table_says_which_groups_were_drawn(make_dataset: Make) -> None:
    data = make_dataset(test=3, side=40)
    words = "95 % bootstrap intervals over 2 groups (video sequence, patient, slide) of 3 images"
    assert words not in score_table(
        evaluate(Predictor(random_model()), open_dataset(data), "test", PROTOCOLS["strict"])
    )
    write_json(data / "dataset.json", {"cases": {f"case{k}": {"group": "patient 1"} for k in (10, 11)}})
    assert words in score_table(evaluate(Predictor(random_model()), open_dataset(data), "test", PROTOCOLS["strict"]))


def test_flags_choose_side_protocol_and_place(tmunet: Run, model: Path, make_dataset: Make, tmp_path: Path) -> None:
    data, out = make_dataset(), tmp_path / "scores"
    flags = ("--subset", "val", "--protocol", "paper", "--tta", "--split", data / "split.json", "-o", out)
    assert tmunet("evaluate", "-m", model, "-d", data, *flags).code == 0
    summary = json.loads((out / "summary.json").read_text("utf-8"))
    assert (summary["protocol"], summary["facts"]["subset"], summary["facts"]["tta"]) == ("paper", "val", True)
    assert (out / "report.html").is_file()
    assert not (model / "evaluation").exists()


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("-m", "{model}"), 2, "missing"),
        (("-m", "{model}", "-d", "{data}", "--protocol", "stric"), 2, "protocol"),
        (("-m", "nowhere", "-d", "{data}"), 3, "no-model"),
        (("-m", "{model}", "-d", "nowhere"), 3, "data"),
        (("-m", "{model}", "-d", "{data}", "--tile-size", "8"), 2, "value"),
    ],
)
def test_what_does_not_fit_is_an_error(
    tmunet: Run, model: Path, make_dataset: Make, words: tuple[str, ...], code: int, error: str
) -> None:
    data = make_dataset()
    answer = tmunet("evaluate", *(word.format(model=model, data=data) for word in words))
    assert (answer.code, answer.out, answer.error) == (code, "", error)
    assert "Traceback" not in answer.err


def test_all_faults_of_the_images_are_one_report(tmunet: Run, model: Path, make_dataset: Make) -> None:
    data = make_dataset(test=2)
    for name in ("case10", "case11"):
        (data / "images" / f"{name}.png").write_bytes(b"")
    answer = tmunet("evaluate", "-m", model, "-d", data)
    assert (answer.code, answer.error, answer.paths) == (3, "data", (data,))
    assert all(f"images/case{number}.png" in answer.err for number in (10, 11))
    assert not (model / "evaluation").exists()


def test_data_without_a_split_is_scored_whole(tmunet: Run, model: Path, make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset()
    (data / "split.json").unlink()
    answer = tmunet("evaluate", "-m", model, "-d", data, "--device", "cpu", "-o", tmp_path / "out")
    assert "foreground, 12 test images of discs" in answer.out


def test_scores_of_another_model_or_of_other_images_are_not_overwritten(
    tmunet: Run, model: Path, make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = make_dataset()
    words = ("evaluate", "-d", data, "--device", "cpu", "-m")
    assert tmunet(*words, model).code == 0
    assert tmunet(*words, model).code == 0  # the same again
    assert tmunet(*words, model, "--tta").code == 0
    folder = Path("evaluation/discs-test-strict")
    before = (folder / "summary.json").read_bytes()
    assert Path("evaluation/discs-test-strict-tta/summary.json").is_file()
    answer = tmunet(*words, "nuclei-t", "--allow-train-images")
    assert (answer.code, answer.error, answer.paths) == (2, "other-scores", (folder,))
    assert "weights_sha256" in answer.err
    test = json.loads((data / "split.json").read_text())["test"][0]
    with Image.open(data / "images" / f"{test}.png") as image:
        image.transpose(Image.Transpose.ROTATE_180).save(data / "images" / f"{test}.png")
    answer = tmunet(*words, model)
    assert (answer.code, answer.error) == (2, "other-scores")
    assert "images_sha256" in answer.err
    assert (folder / "summary.json").read_bytes() == before


def test_a_named_place_is_not_overwritten_either(tmunet: Run, model: Path, make_dataset: Make, tmp_path: Path) -> None:
    data, out = make_dataset(), tmp_path / "scores"
    words = ("evaluate", "-d", data, "--device", "cpu", "-o", out, "-m", model)
    assert tmunet(*words).code == 0
    assert tmunet(*words).code == 0  # the same again
    before = (out / "summary.json").read_bytes()
    answer = tmunet(*words, "--tta")
    assert (answer.code, answer.error, answer.paths) == (2, "other-scores", (out,))
    assert "tta True" in answer.err
    answer = tmunet(*words, "--protocol", "paper")
    assert (answer.code, answer.error) == (2, "other-scores")
    assert "protocol paper" in answer.err
    assert (out / "summary.json").read_bytes() == before
    answer = tmunet("evaluate", "-d", data, "--device", "cpu", "-o", data, "-m", model)
    assert (answer.code, answer.error, answer.paths) == (2, "not-empty", (data,))
    assert not (data / "per_image.csv").exists()
    (out / "summary.json").unlink()
    (out / "report.html").unlink()
    assert tmunet(*words).code == 0  # as after an interruption


def test_a_name_in_dataset_json_is_no_path(
    tmunet: Run, model: Path, make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    data = make_dataset()
    (data / "dataset.json").write_text(json.dumps({"name": "../../../escaped: 2?"}))
    assert tmunet("evaluate", "-m", model, "-d", data, "--device", "cpu").code == 0
    assert [path.name for path in Path("evaluation").iterdir()] == ["escaped-2-test-strict"]


def test_a_run_is_scored_on_its_own_split_also_when_its_data_are_named(
    tmunet: Run, model: Path, make_dataset: Make, tmp_path: Path
) -> None:
    data, run = make_dataset(), tmp_path / "run"
    shutil.copytree(model, run / "model")
    (run / "config.yaml").write_text(yaml.safe_dump({"data": str(data), "out": str(run)}))
    (run / "split.json").write_text(json.dumps({"train": ["case0"], "test": ["case1", "case2"]}))
    answer = tmunet("evaluate", "-m", run, "-d", data, "--device", "cpu", "--protocol", "paper")
    assert "2 test images" in answer.out, answer.err
    shutil.move(data, tmp_path / "elsewhere")
    answer = tmunet("evaluate", "-m", run, "--device", "cpu")
    assert (answer.code, answer.error) == (3, "missing-data")
    answer = tmunet(
        "evaluate", "-m", run, "-d", tmp_path / "elsewhere", "--device", "cpu"
    )  # other data need no such folder
    assert "2 test images" in answer.out, answer.err
