"""Evaluation: its scores are those of the predicted masks, and what cannot be scored is an error."""

import csv
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tmunet.cli.score_table import score_table
from tmunet.data import reader
from tmunet.data.data_config import Preprocess
from tmunet.data.dataset import open_dataset
from tmunet.data.fingerprint import TrainingFingerprint, pixels_sha256
from tmunet.data.io import masks as io_masks
from tmunet.data.io.images import read_image
from tmunet.data.reader import load_case
from tmunet.data.training_stats import Scale
from tmunet.errors import DataError, InputError, TMUNetWarning, UsageError
from tmunet.evaluation import COLUMNS, CaseScorer, Evaluation, class_scores, evaluate, score_case
from tmunet.files import write_json
from tmunet.metrics import (
    METRICS,
    OBJECT_COLUMNS,
    OBJECT_COUNTS,
    PROTOCOLS,
    Mask,
    Protocol,
    describe,
    mean_over_classes,
)
from tmunet.model_config import ModelConfig
from tmunet.prediction.predictor import Predictor
from tmunet.report import render
from tmunet.report.build import assemble

from .coded_errors import coded
from .small_models import THREE, TWO, random_model

Make = Callable[..., Path]


def dice(reference: Mask, prediction: Mask, smooth: float = 0) -> float:
    both = np.count_nonzero(reference & prediction)
    return (2 * both + smooth) / (np.count_nonzero(reference) + np.count_nonzero(prediction) + smooth)


def scores(evaluation: Evaluation, name: str = "foreground") -> list[float]:
    return [row["dice"] for row in evaluation.rows if row["class"] == name]


def test_scores_are_those_of_the_predicted_masks(make_dataset: Make) -> None:
    dataset, predictor = open_dataset(make_dataset(test=3, side=40)), Predictor(random_model())
    found = evaluate(predictor, dataset, "test", PROTOCOLS["strict"], seed=5, facts={"model": "random"})
    cases = dataset.subset("test")
    assert [row["case"] for row in found.rows] == [case.name for case in cases] == dataset.split.to_dict()["test"]
    for case, row in zip(cases, found.rows, strict=True):
        prediction, truth = predictor(case.image).mask == 1, load_case(case, dataset.info).mask == 1
        assert {key: row[key] for key in (*METRICS, "outcome", *OBJECT_COLUMNS)} == PROTOCOLS["strict"].score(
            preds=prediction, target=truth
        ).to_dict()
        assert row["dice"] == pytest.approx(dice(truth, prediction))
    assert 0 < fmean(scores(found)) < 1
    assert found.summaries["foreground"]["metrics"]["dice"]["mean"] == pytest.approx(fmean(scores(found)))
    assert found.facts == {
        "data": "discs",
        "images_sha256": hashlib.sha256(
            b"".join(
                pixels_sha256(read_image(case.image)).encode() + load_case(case, dataset.info).mask.tobytes()
                for case in cases
            )
        ).hexdigest(),
        "split_sha256": dataset.split.sha256,
        "subset": "test",
        "images_in_train": 0,
        "images_in_val": 0,
        "bootstrap_seed": 5,
        "model": "random",
    }


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_each_image_and_mask_is_read_once(
    make_dataset: Make, monkeypatch: pytest.MonkeyPatch, protocol: Protocol
) -> None:
    read: list[Path] = []
    decode = reader.decode_image
    for module in (reader, io_masks):
        monkeypatch.setattr(module, "decode_image", lambda path: read.append(path) or decode(path))  # type: ignore[func-returns-value]
    dataset = open_dataset(make_dataset(test=3, side=40))
    read.clear()
    evaluate(Predictor(random_model()), dataset, "test", protocol)
    cases = dataset.subset("test")
    assert sorted(read) == sorted([*(case.image for case in cases), *(case.mask for case in cases if case.mask)])


def test_images_of_training_are_not_predicted(make_dataset: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, model = open_dataset(make_dataset(test=3, side=40)), random_model()
    first = dataset.subset("test")[0]
    seen = TrainingFingerprint(train={"a": pixels_sha256(read_image(first.image))})
    predictor = Predictor(replace(model, fingerprint=seen))
    predicted: list[int] = []
    session = predictor.pipeline.session
    predictor.pipeline = replace(predictor.pipeline, session=lambda x: predicted.append(1) or session(x))  # type: ignore[func-returns-value]
    with pytest.raises(InputError):
        evaluate(predictor, dataset, "test", PROTOCOLS["strict"])
    assert predicted == []
    found = evaluate(predictor, dataset, "test", PROTOCOLS["strict"], allow_train_images=True)
    assert (len(predicted), found.facts["images_in_train"]) == (3, 1)


def test_the_seed_moves_only_the_intervals(make_dataset: Make) -> None:
    dataset, predictor = open_dataset(make_dataset(test=8, side=40)), Predictor(random_model())
    a, b, again = (evaluate(predictor, dataset, "test", PROTOCOLS["strict"], seed) for seed in (0, 1, 0))
    assert (a.rows, a.summaries) == (again.rows, again.summaries)
    assert a.rows == b.rows
    assert a.summaries != b.summaries


def test_the_paper_is_scored_at_512(make_dataset: Make) -> None:
    dataset, predictor = open_dataset(make_dataset(test=2, side=40)), Predictor(random_model())
    found = evaluate(predictor, dataset, "test", PROTOCOLS["paper"])
    for case, score in zip(dataset.subset("test"), scores(found), strict=True):
        image, mask = load_case(case, dataset.info).image, load_case(case, dataset.info).mask
        big = np.asarray(Image.fromarray(image).resize((512, 512), Image.Resampling.BILINEAR))
        truth = np.asarray(Image.fromarray(mask).resize((512, 512), Image.Resampling.NEAREST)) == 1
        assert score == pytest.approx(dice(truth, predictor(big).mask == 1, smooth=1))


def test_each_class_has_its_rows_and_its_summary(make_dataset: Make) -> None:
    dataset = open_dataset(make_dataset(test=3, side=40, classes=3))
    predictor = Predictor(random_model(THREE))
    found = evaluate(predictor, dataset, "test", PROTOCOLS["strict"])
    assert [(row["case"], row["class"]) for row in found.rows] == [
        (case.name, name) for case in dataset.subset("test") for name in ("a", "b")
    ]
    assert list(found.summaries) == ["a", "b"]
    case = dataset.subset("test")[0]
    truth, prediction = load_case(case, dataset.info).mask, predictor(case.image).mask
    for label, name in ((1, "a"), (2, "b")):
        assert scores(found, name)[0] == pytest.approx(dice(truth == label, prediction == label))


def test_ignored_pixels_count_for_nothing(make_dataset: Make) -> None:
    folder = make_dataset(test=1, side=40, classes=3)
    predictor, path = Predictor(random_model(THREE)), folder / "masks" / "case10.png"
    with_all = evaluate(predictor, open_dataset(folder), "test", PROTOCOLS["strict"])
    mask = np.asarray(Image.open(path)).copy()
    mask[:, 20:] = 255
    Image.fromarray(mask).save(path)
    write_json(folder / "dataset.json", {"classes": list(THREE), "ignore_label": 255})
    found = evaluate(predictor, open_dataset(folder), "test", PROTOCOLS["strict"])
    prediction = predictor(folder / "images" / "case10.png").mask
    for label, name in ((1, "a"), (2, "b")):
        expected = PROTOCOLS["strict"].score(
            preds=np.where(mask == 255, False, prediction == label), target=np.where(mask == 255, False, mask == label)
        )
        assert scores(found, name) == [expected.dice]
        counted = {key: value for key, value in expected.to_dict().items() if key in OBJECT_COUNTS}
        assert counted.items() <= next(row for row in found.rows if row["class"] == name).items()
    assert found.rows != with_all.rows


def test_two_classes_that_nobody_named_are_any_two(make_dataset: Make) -> None:
    dataset = open_dataset(make_dataset(test=3, side=40))
    assert dataset.info.classes == ("background", "foreground")
    same = evaluate(Predictor(random_model()), dataset, "test", PROTOCOLS["strict"])
    model = random_model()
    named = replace(model, config=replace(model.config, classes=("background", "nucleus")))
    with pytest.warns(TMUNetWarning):
        found = evaluate(Predictor(named), dataset, "test", PROTOCOLS["strict"])
    assert scores(found) == scores(same)
    write_json(dataset.folder / "dataset.json", {"classes": ["background", "polyp"]})
    with pytest.raises(InputError):
        evaluate(Predictor(named), open_dataset(dataset.folder), "test", PROTOCOLS["strict"])


def test_classes_of_other_names_are_an_error(make_dataset: Make) -> None:
    dataset = open_dataset(make_dataset(classes=3))
    with pytest.raises(InputError, match=r"\['background', 'foreground'\], but found \['background', 'a', 'b'\]"):
        evaluate(Predictor(random_model()), dataset, "test", PROTOCOLS["strict"])


def test_classes_in_another_order_are_matched_by_name(make_dataset: Make, tmp_path: Path) -> None:
    folder = make_dataset(test=3, side=40, classes=3)
    predictor = Predictor(random_model(THREE))
    expected = evaluate(predictor, open_dataset(folder), "test", PROTOCOLS["strict"])
    write_json(folder / "dataset.json", {"name": "discs", "classes": ["background", "b", "a"]})
    for path in (folder / "masks").iterdir():
        Image.fromarray(np.array([0, 2, 1], np.uint8)[np.asarray(Image.open(path))]).save(path)
    dataset = open_dataset(folder)
    with pytest.warns(TMUNetWarning) as told:
        found = evaluate(predictor, dataset, "test", PROTOCOLS["strict"])
    assert len(told) == 1
    assert [scores(found, name) for name in "ab"] == [scores(expected, name) for name in "ab"]
    assert scores(found, "a") != scores(found, "b")
    shown = assemble(found, predictor, dataset, None)
    assert shown.classes == ("background", "b", "a")
    name = shown.cases[0].name
    own = predictor(folder / "images" / f"{name}.png").mask
    assert np.array_equal(shown.cases[0].prediction, np.array([0, 2, 1])[own])


@pytest.mark.parametrize("classes", [["a", "background", "b"], ["background", "a", "c"]])
def test_another_background_or_name_is_an_error(make_dataset: Make, classes: list[str]) -> None:
    folder = make_dataset(classes=3)
    write_json(folder / "dataset.json", {"classes": classes})
    with pytest.raises(InputError):
        evaluate(Predictor(random_model(THREE)), open_dataset(folder), "test", PROTOCOLS["strict"])


def test_images_at_another_scale_are_told_once_by_their_own_size(make_dataset: Make) -> None:
    dataset, model = open_dataset(make_dataset(test=3, side=40)), random_model()
    at = {
        side: replace(model, config=replace(model.config, scale=Scale.of([(side, side)], model.config.preprocess.size)))
        for side in (40, 80)
    }
    for protocol in PROTOCOLS.values():  # one of them resizes images before they are predicted
        evaluate(Predictor(at[40]), dataset, "test", protocol)
        with pytest.warns(TMUNetWarning) as told:
            evaluate(Predictor(at[80]), dataset, "test", protocol)
        assert len(told) == 1


def test_a_window_under_a_protocol_of_a_fixed_size_keeps_the_scale_of_training(make_dataset: Make) -> None:
    dataset, model = open_dataset(make_dataset(test=1, side=40)), random_model()
    size = model.config.preprocess.size
    model = replace(model, config=replace(model.config, scale=Scale.of([(40, 40)], size)))
    whole, window = (
        evaluate(Predictor(model, tile_size=side), dataset, "test", PROTOCOLS["paper"]) for side in (None, size)
    )
    assert scores(window) == pytest.approx(scores(whole))


def test_an_empty_side_of_the_split_is_an_error(make_dataset: Make) -> None:
    dataset = open_dataset(make_dataset(test=0))
    with pytest.raises(InputError, check=coded("no-images", dataset.folder)):
        evaluate(Predictor(random_model()), dataset, "test", PROTOCOLS["strict"])
    with pytest.raises(UsageError, check=coded("subset")):
        evaluate(Predictor(random_model()), dataset, "tests", PROTOCOLS["strict"])


def test_every_fault_is_listed(make_dataset: Make) -> None:
    folder = make_dataset(test=4)
    (folder / "images" / "case10.png").write_bytes(b"")
    Image.new("L", (48, 48), 7).save(folder / "masks" / "case11.png")
    Image.new("LA", (48, 48)).save(folder / "images" / "case12.png")
    gray_only = Predictor(random_model(channels=5))
    with pytest.raises(DataError) as caught:
        evaluate(gray_only, open_dataset(folder), "test", PROTOCOLS["strict"])
    places = ("images/case10.png", "masks/case11.png", "images/case12.png", "images/case13.png")
    assert len(caught.value.faults) == 4
    for fault, place in zip(caught.value.faults, places, strict=True):
        assert str(folder / place) in fault
    assert "Expected an image of 5 channels, but got 1" in caught.value.faults[2]


def test_groups_of_the_data_set_are_written_and_drawn(make_dataset: Make, tmp_path: Path) -> None:
    folder = make_dataset(test=4, side=40)
    predictor = Predictor(random_model())
    alone = evaluate(predictor, open_dataset(folder), "test", PROTOCOLS["strict"])
    records = {"case10": {"group": "video 1"}, "case12": {"group": "video 1"}, "case13": {"group": "video 2"}}
    write_json(folder / "dataset.json", {"cases": records})
    found = evaluate(predictor, open_dataset(folder), "test", PROTOCOLS["strict"])
    found.write(tmp_path / "scores")
    with (tmp_path / "scores" / "per_image.csv").open(encoding="utf-8", newline="") as file:
        assert [row["group"] for row in csv.DictReader(file)] == ["video 1", "", "video 1", "video 2"]
    expected = describe({"dice": scores(found)}, groups=["video 1", None, "video 1", "video 2"])["dice"]
    assert found.summaries["foreground"]["metrics"]["dice"] == asdict(expected)
    assert (found.summaries["foreground"]["n_groups"], alone.summaries["foreground"]["n_groups"]) == (3, None)
    assert [row["group"] for row in alone.rows] == [None] * 4
    assert scores(alone) == scores(found)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_written_reads_back(make_dataset: Make, tmp_path: Path, protocol: str) -> None:
    folder = make_dataset(test=3)
    Image.new("L", (48, 48)).save(folder / "masks" / "case10.png")  # nothing there: `paper` leaves its distances out
    found = evaluate(Predictor(random_model()), open_dataset(folder), "test", PROTOCOLS[protocol], seed=3)
    found.write(tmp_path / "scores")
    with (tmp_path / "scores" / "per_image.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    for row, expected in zip(rows, found.rows, strict=True):
        assert {key: float(row[key]) if row[key] else None for key in METRICS} == {
            key: expected[key] for key in METRICS
        }
        assert [int(row[key]) for key in OBJECT_COUNTS] == [expected[key] for key in OBJECT_COUNTS]
        assert (row["case"], row["outcome"]) == (expected["case"], str(expected["outcome"]))
    summary = json.loads((tmp_path / "scores" / "summary.json").read_text("utf-8"))
    assert summary["protocol"] == protocol
    assert summary["facts"]["bootstrap_seed"] == 3
    assert summary["classes"] == found.summaries
    assert [row["hd"] is None for row in found.rows] == [protocol == "paper", False, False]


def ignore(folder: Path, *cases: str) -> None:
    """Mark every pixel of some masks to be ignored."""
    description = json.loads((folder / "dataset.json").read_text()) if (folder / "dataset.json").exists() else {}
    write_json(folder / "dataset.json", description | {"ignore_label": 255})
    for case in cases:
        Image.new("L", (40, 40), 255).save(folder / "masks" / f"{case}.png")


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_images_of_which_no_pixel_counts_change_no_score(
    make_dataset: Make, tmp_path: Path, protocol: Protocol
) -> None:
    """The same images are scored with and without three others beside them that are wholly ignored."""
    predictor = Predictor(random_model(THREE))
    alone, beside = (make_dataset(test=5, side=40, classes=3, name=name) for name in ("alone", "beside"))
    for folder in (alone, beside):
        ignore(folder, "case11", "case12", "case13")
    write_json(alone / "split.json", {"train": ["case0"], "test": ["case10", "case14"]})
    without = evaluate(predictor, open_dataset(alone), "test", protocol)
    found = evaluate(predictor, open_dataset(beside), "test", protocol)
    for name in ("a", "b"):
        assert found.summaries[name] == without.summaries[name] | {"n_ignored": 3}
        assert (found.summaries[name]["n"], without.summaries[name]["n_ignored"]) == (2, 0)
    ignored = [row for row in found.rows if row["outcome"] == "ignored"]
    assert [row["case"] for row in ignored] == [case for case in ("case11", "case12", "case13") for _ in "ab"]
    assert {row[key] for row in ignored for key in (*METRICS, *OBJECT_COLUMNS)} == {None}
    assert [row for row in found.rows if row not in ignored] == list(without.rows)
    found.write(tmp_path / "scores")
    with (tmp_path / "scores" / "per_image.csv").open(encoding="utf-8", newline="") as file:
        written = [row for row in csv.DictReader(file) if row["outcome"] == "ignored"]
    assert {row[key] for row in written for key in (*METRICS, *OBJECT_COLUMNS)} == {""}
    shown = assemble(found, predictor, open_dataset(beside), None)
    assert sorted(case.name for case in shown.cases) == ["case10", "case14"]
    assert "case11" in render(shown)  # in its table, without scores


def test_nothing_but_ignored_images_is_an_error(make_dataset: Make) -> None:
    folder = make_dataset(test=2, side=40, classes=3)
    ignore(folder, "case10", "case11")
    with pytest.raises(InputError) as caught:
        evaluate(Predictor(random_model(THREE)), open_dataset(folder), "test", PROTOCOLS["strict"])
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_class_that_is_nowhere_has_no_scores_and_is_in_no_mean(make_dataset: Make, protocol: str) -> None:
    dataset = open_dataset(make_dataset(test=2, side=40, classes=3))
    only_a = np.zeros((40, 40), np.uint8)
    only_a[5:20, 5:20] = 1
    half = np.where(np.arange(40) < 12, only_a, 0).astype(np.uint8)
    scores = [
        class_scores(only_a, half, THREE, PROTOCOLS[protocol]),
        class_scores(only_a, only_a, THREE, PROTOCOLS[protocol]),
    ]
    found = Evaluation.of(dataset, "test", PROTOCOLS[protocol], scores, 0, {})
    of_b = [row for row in found.rows if row["class"] == "b"]
    assert [row["outcome"] for row in of_b] == ["both_empty"] * 2
    assert {row[key] for row in of_b for key in METRICS} == {None}
    assert {value for values in found.summaries["b"]["metrics"].values() for value in values.values()} == {None}
    assert (found.summaries["b"]["n"], found.summaries["b"]["n_both_empty"]) == (2, 2)
    expected = fmean(dice(only_a == 1, p == 1, smooth=protocol == "paper") for p in (half, only_a))
    assert mean_over_classes(found.summaries, "dice") == pytest.approx(expected)
    table = score_table(found)
    assert f"1 of 2 classes: {expected:.3f}" in table
    assert len(re.findall(r"^  Dice\b", table, re.MULTILINE)) == 1  # the other class has no row of numbers


def test_objects_of_the_paper_are_measured_in_pixels_of_the_image(make_dataset: Make) -> None:
    """At 512 x 512 a dot of four pixels has hundreds; it stays too small, and a missed object keeps its size."""
    folder = make_dataset(test=1, side=64)
    mask = np.zeros((64, 64), np.uint8)
    mask[5:15, 5:15] = mask[40, 40:44] = 1
    Image.fromarray(mask).save(folder / "masks" / "case10.png")
    dataset = open_dataset(folder)
    loaded = load_case(dataset.subset("test")[0], dataset.info)
    for protocol in PROTOCOLS.values():
        found = score_case(Silent(), loaded, dataset.info.classes, protocol)[0]["foreground"].to_dict()  # type: ignore[arg-type]
        assert [found[key] for key in OBJECT_COLUMNS] == [1, 1, 0, 1, 0, 100]


class Silent:
    """A predictor that sees nothing."""

    config = ModelConfig("tmunet_t", {}, ("background", "foreground"), Preprocess(size=32))

    def pipeline(self, images: list[np.ndarray], _: list[tuple[int, int]]) -> list[Any]:
        return [SimpleNamespace(mask=np.zeros(image.shape[:2], np.uint8), confidence=None) for image in images]


@pytest.mark.parametrize("protocol", list(PROTOCOLS.values()))
@pytest.mark.parametrize("tile_size", [None, 32])
def test_threads_score_as_one_image_after_the_other(
    make_dataset: Make, protocol: Protocol, tile_size: int | None
) -> None:
    dataset = open_dataset(make_dataset(train=6, val=3, test=3))
    predictor = Predictor(random_model(TWO), tile_size=tile_size, device="cpu")
    cases = [load_case(case, dataset.info) for case in dataset.cases]
    with CaseScorer(predictor, TWO, protocol) as scorer:
        for loaded in cases:
            scorer.add(loaded)
        found, confidences = scorer.finish()
    assert scorer.added == len(cases) == len(found) == len(confidences)
    expected = [score_case(predictor, loaded, TWO, protocol) for loaded in cases]
    assert list(zip(found, confidences, strict=True)) == expected
    assert len({one["foreground"].dice for one in found}) > 1
    assert len({one.agreement for one in confidences}) > 1
