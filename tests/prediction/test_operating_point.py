"""The threshold that is chosen on validation images, against a search by hand, and where it goes from there."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmunet.cli.main import main
from tmunet.data.dataset import open_dataset
from tmunet.data.fingerprint import TrainingFingerprint, pixels_sha256
from tmunet.data.io.images import read_image
from tmunet.errors import InputError, UsageError
from tmunet.files import write_json
from tmunet.metrics import StrictProtocol
from tmunet.model import load_model, save_model
from tmunet.model_config import OperatingPoint
from tmunet.prediction.export_model import export_model
from tmunet.prediction.operating_point import GRID, choose, dice_curve, tune_threshold
from tmunet.prediction.postprocess import choose_threshold
from tmunet.prediction.predictor import Predictor

from ..small_models import bright_model, colored_model, random_model

Make = Callable[..., Path]
POINT = OperatingPoint(0.3, 0.9, 0.8, 4, "discs", "0" * 64)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 99), empty=st.booleans())
def test_the_curve_is_the_dice_of_the_strict_protocol_at_each_threshold(seed: int, empty: bool) -> None:
    random = np.random.default_rng(seed)
    probability = random.choice([0.0, 0.01, 0.37, 0.5, 1.0, *random.random(4)], (6, 7)).astype(np.float32)
    reference = (random.random((6, 7)) > 0.5) & (not empty)
    expected = [StrictProtocol().score(preds=probability > np.float32(t), target=reference).dice for t in GRID]
    assert dice_curve(probability.ravel(), reference.ravel()) == pytest.approx(expected, abs=1e-12)


def test_of_equally_good_thresholds_the_nearest_to_one_half_is_taken_and_then_the_lower() -> None:
    for best, expected in (((10, 20), 20), ((40, 60), 40), ((60, 70), 60), ((3,), 3), ((48, 50, 52), 50)):
        means = np.isin(np.arange(1, 100), best).astype(float)
        assert round(100 * GRID[choose(means)]) == expected


def test_the_chosen_threshold_is_the_best_of_all_on_the_validation_images(make_dataset: Make) -> None:
    dataset = open_dataset(make_dataset(val=3))
    predictor = Predictor(random_model(), device="cpu")
    point = tune_threshold(predictor, dataset)
    maps = [(predictor(case.image).probability[1], case.mask) for case in dataset.subset("val")]
    means = []
    for threshold in GRID:
        scores = [
            StrictProtocol().score(preds=p > np.float32(threshold), target=read_image(mask)[..., 0] > 0).dice  # type: ignore[arg-type]
            for p, mask in maps
        ]
        means.append(np.mean(scores))
    assert point.dice == pytest.approx(max(means))
    assert means[round(100 * point.threshold) - 1] == pytest.approx(max(means))
    assert point.dice_at_half == pytest.approx(means[49])
    assert (point.images, point.data, point.split_sha256) == (3, "discs", dataset.split.sha256)


def test_test_images_training_images_and_more_classes_are_refused(make_dataset: Make) -> None:
    data = make_dataset(train=2, val=1, test=1)  # case2 is val
    dataset, trained = open_dataset(data), random_model()
    with pytest.raises(InputError) as caught:
        tune_threshold(Predictor(trained), dataset, known_test=["case2"])
    assert caught.value.code == "test-images"
    seen = TrainingFingerprint(train={"x": pixels_sha256(read_image(data / "images" / "case2.png"))})
    with pytest.raises(InputError) as caught:
        tune_threshold(Predictor(replace(trained, fingerprint=seen)), dataset)
    assert caught.value.code == "train-images"
    write_json(data / "split.json", {"test": ["case0"]})
    with pytest.raises(InputError) as caught:
        tune_threshold(Predictor(trained), open_dataset(data))
    assert caught.value.code == "empty-subset"
    with pytest.raises(UsageError):
        tune_threshold(Predictor(colored_model()), dataset)
    with pytest.raises(UsageError):
        choose_threshold(0.4, [None], classes=3)


def test_where_a_threshold_comes_from() -> None:
    assert choose_threshold(None, [None], 2)[0] == 0.5
    assert choose_threshold(None, [POINT], 2)[0] == 0.3
    assert choose_threshold(0.7, [POINT], 2)[0] == 0.7
    assert choose_threshold(None, [POINT, replace(POINT, threshold=0.4)], 2)[0] == 0.5
    assert choose_threshold(None, [POINT, None], 2)[0] == 0.5
    assert choose_threshold(None, [POINT, replace(POINT, images=9)], 2)[0] == 0.3


def test_a_stored_threshold_is_used_by_predict_evaluate_and_export(
    make_dataset: Make, model: Path, tmp_path: Path
) -> None:
    data, out = make_dataset(val=3, test=2), tmp_path / "tuned"
    assert main(["evaluate", "-m", str(model), "-d", str(data), "--tune-threshold", "-o", str(out)]) == 0
    point = load_model(model).config.operating_point
    assert point is not None
    summary = json.loads((out / "summary.json").read_text("utf-8"))
    assert (summary["facts"]["subset"], summary["facts"]["threshold"]) == ("val", point.threshold)
    assert summary["classes"]["foreground"]["metrics"]["dice"]["mean"] == pytest.approx(point.dice)
    assert str(point) in (model / "README.md").read_text("utf-8")
    predictor = Predictor(model)
    found = predictor(data / "images" / "case12.png")
    assert np.array_equal(found.mask, found.probability[1] > np.float32(point.threshold))
    assert Predictor(model, threshold=0.5).postprocess.threshold == 0.5
    words = ["predict", str(data / "images"), "-m", str(model), "-o", str(tmp_path / "masks")]
    assert main(words) == 0
    manifest = json.loads((tmp_path / "masks" / "predictions.json").read_text("utf-8"))
    assert manifest["threshold"] == point.threshold
    assert main([*words, "--threshold", "0.9"]) == 3  # masks of another threshold
    quick = bright_model()  # a TM-UNet is exported by the contract
    stored = replace(quick, config=replace(quick.config, operating_point=point))
    folder = export_model(stored, "torch", None, tmp_path / "export").folder
    about = json.loads((folder / "model.json").read_text("utf-8"))
    assert (about["threshold"], about["operating_point"]["images"]) == (point.threshold, 3)


@pytest.mark.parametrize("words", [("--subset", "test"), ("--subset", "train"), ("--threshold", "0.4")])
def test_flags_that_would_tune_on_other_images_are_refused(
    words: tuple[str, ...], model: Path, make_dataset: Make
) -> None:
    before = (model / "config.json").read_bytes()
    assert main(["evaluate", "-m", str(model), "-d", str(make_dataset()), "--tune-threshold", *words]) == 2
    assert (model / "config.json").read_bytes() == before


def test_a_packaged_model_is_not_changed(make_dataset: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    data = make_dataset()
    write_json(data / "dataset.json", {"classes": ["background", "nucleus"]})
    assert main(["evaluate", "-m", "nuclei-t", "-d", str(data), "--tune-threshold"]) == 2


def test_the_default_place_of_scores_names_the_threshold(
    make_dataset: Make, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    data = make_dataset()
    for words, name in (((), "discs-test-strict"), (("--threshold", "0.3"), "discs-test-strict-threshold0.3")):
        assert main(["evaluate", "-m", str(model), "-d", str(data), *words]) == 0
        assert (tmp_path / "evaluation" / name / "summary.json").is_file()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    trained = random_model()
    save_model(tmp_path / "model", trained.network, trained.config)
    return tmp_path / "model"


def test_models_of_before_have_no_operating_point(model: Path, tmp_path: Path) -> None:
    content = json.loads((model / "config.json").read_text("utf-8"))
    del content["operating_point"]
    shutil.copytree(model, tmp_path / "old")
    write_json(tmp_path / "old" / "config.json", content)
    assert load_model(tmp_path / "old").config.operating_point is None
