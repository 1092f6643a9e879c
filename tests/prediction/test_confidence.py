"""Confidence of masks: soft Dice and agreement against counts by hand, calibration, and the flags of unusual images."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage
from sklearn.isotonic import IsotonicRegression

from tmunet.api import train
from tmunet.calibration import Calibration
from tmunet.cli.main import main
from tmunet.data.dataset import open_dataset
from tmunet.data.training_stats import Appearance, AppearanceRange
from tmunet.errors import InputError, UsageError
from tmunet.metrics import dice
from tmunet.metrics.failure_detection import detect_failures
from tmunet.model import load_model, save_model
from tmunet.model_config import OperatingPoint
from tmunet.prediction.calibrate import MIN_IMAGES, calibrate, fit
from tmunet.prediction.confidence import LOW_AGREEMENT, NOTHING_FOUND, soft_dice, worst_dice
from tmunet.prediction.domain_shift import shift_flags
from tmunet.prediction.export_model import export_model
from tmunet.prediction.folder import predict_files
from tmunet.prediction.mask_files import FLAGGED
from tmunet.prediction.predictor import Predictor

from ..coded_errors import coded
from ..small_models import THREE, TWO, bright_model, random_model

Make = Callable[..., Path]
Draw = Callable[..., np.ndarray]
FIT = Calibration((0.8, 0.9), (0.7, 0.95), 0.02, 0.81, 20, "discs", "0" * 64)


@pytest.mark.parametrize("classes", [TWO, THREE])
def test_soft_dice_is_the_mean_over_the_classes_in_the_mask(noise: Draw, classes: tuple[str, ...]) -> None:
    found = Predictor(random_model(classes))(noise(40, 50, 3))
    scores = []
    for label in np.unique(found.mask[found.mask > 0]):
        p, m = found.probability[label].astype(float), found.mask == label
        scores.append(2 * (p * m).sum() / (p.sum() + m.sum()))
    assert found.confidence.soft_dice == pytest.approx(np.mean(scores), abs=1e-5)
    assert found.confidence.agreement == found.confidence.soft_dice
    assert soft_dice(found.probability, np.zeros_like(found.mask)) == 0


@given(st.integers(0, 99))
def test_worst_dice_is_the_lowest_of_all_pairs(seed: int) -> None:
    masks = [one > 0.5 for one in np.random.default_rng(seed).random((3, 4, 5))]
    pairs = [dice(masks[i], masks[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert worst_dice([mask.astype(np.uint8) for mask in masks]) == pytest.approx(min(pairs))
    assert worst_dice([np.zeros((3, 3), np.uint8)] * 2) == 1


@pytest.mark.parametrize("tile_size", [None, 32])
def test_with_tta_the_agreement_is_of_the_flips(noise: Draw, tile_size: int | None) -> None:
    image, trained = noise(32, 32, 3), random_model()
    found = Predictor(trained, tta=True, tile_size=tile_size)(image)
    alone = Predictor(trained, tile_size=tile_size)
    flips = [(), (1,), (0,), (0, 1)]
    masks = [np.flip(alone(np.flip(image, axes).copy()).mask, axes) for axes in flips]
    assert found.confidence.agreement == pytest.approx(worst_dice(masks), abs=0.01)
    assert found.confidence.agreement != found.confidence.soft_dice


def test_the_agreement_of_several_models_is_that_of_their_masks(noise: Draw) -> None:
    image, models = noise(32, 32, 3), [random_model(seed=seed) for seed in (0, 1)]
    masks = [Predictor(model)(image).mask for model in models]
    assert Predictor(models)(image).confidence.agreement == pytest.approx(worst_dice(masks))


def test_settings_that_a_calibration_was_not_fitted_with_are_said() -> None:
    trained = random_model()
    assert Predictor(trained).missing_calibration() is None  # was never calibrated
    calibrated = replace(trained, config=replace(trained.config, calibration=FIT))
    assert Predictor(calibrated).missing_calibration() is None
    for settings, word in (({"tta": True}, "tta"), ({"threshold": 0.3}, "threshold"), ({"tile_size": 32}, "tile_size")):
        said = Predictor(calibrated, **settings).missing_calibration()  # type: ignore[arg-type]
        assert said is not None
        assert [name for name in ("tta", "threshold", "tile_size") if f"{name} " in said] == [word]
    assert Predictor([calibrated, trained]).missing_calibration() is not None
    assert Predictor([trained, trained]).missing_calibration() is None


def test_a_calibration_holds_for_its_own_settings(noise: Draw) -> None:
    trained = random_model()
    trained = replace(trained, config=replace(trained.config, calibration=FIT))
    image = noise(32, 32, 3)
    found = Predictor(trained)(image).confidence
    assert found.expected_dice == FIT.expected_dice(found.agreement)
    assert found.error == 0.02
    for other in ({"tta": True}, {"threshold": 0.4}, {"tile_size": 32}):
        assert Predictor(trained, **other)(image).confidence.expected_dice is None  # type: ignore[arg-type]


def test_nothing_found_is_a_flag_of_its_own() -> None:
    trained = bright_model()
    trained = replace(trained, config=replace(trained.config, calibration=FIT))
    found = Predictor(trained)(np.full((32, 32, 3), 20, np.uint8)).confidence
    assert found.flags == (NOTHING_FOUND,)
    assert (found.expected_dice, found.soft_dice) == (None, 0)
    clear = np.full((32, 32, 3), 20, np.uint8)
    clear[8:24, 8:24] = 240
    assert Predictor(bright_model(gain=40))(clear).confidence.flags == ()
    assert Predictor(bright_model(gain=0.5))(clear).confidence.flags == (LOW_AGREEMENT,)


def test_images_unlike_the_training_images_are_flagged_with_the_reason(noise: Draw) -> None:
    generator = np.random.default_rng(0)
    smooth = [ndimage.gaussian_filter(generator.uniform(60, 200, (64, 64, 3)), (1, 1, 0)) for _ in range(20)]
    images = [image.astype(np.uint8) for image in smooth]
    trained = bright_model(size=64)
    known = AppearanceRange.of([Appearance.of(image) for image in images])
    predictor = Predictor(replace(trained, config=replace(trained.config, appearance=known)))

    def flags(image: np.ndarray) -> set[str]:
        return set(predictor(image.clip(0, 255).astype(np.uint8)).confidence.flags) - {LOW_AGREEMENT, NOTHING_FOUND}

    one = images[0].astype(float)
    assert all(not flags(image) for image in images)
    assert "blur" in flags(ndimage.gaussian_filter(one, (3, 3, 0)))
    assert "noise" in flags(one + generator.normal(0, 60, one.shape))
    assert "brightness" in flags(one / 3)
    assert "contrast" in flags(130 + 3 * (one - 130))


def test_a_large_image_is_sampled_on_a_grid() -> None:
    values = np.random.default_rng(0).integers(0, 255, (100, 3000, 3), dtype=np.uint8)
    large, part = Appearance.of(values), Appearance.of(values[:, :2000])
    assert large.brightness == pytest.approx(part.brightness, rel=0.02)
    assert large.sharpness == pytest.approx(part.sharpness, rel=0.02)
    assert Appearance.of(np.zeros((1, 1, 1), np.uint16)) == Appearance(0, 0, 0, 0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_fine_detail_is_that_of_pillow_and_scipy(noise: Draw, dtype: type) -> None:
    image = noise(44, 52, 3, dtype=dtype)
    gray = Image.fromarray((image / np.iinfo(dtype).max).mean(2).astype(np.float32))
    half, quarter = (ndimage.laplace(np.asarray(gray.reduce(factor)))[1:-1, 1:-1].std() for factor in (2, 4))
    expected = pytest.approx(half / quarter, rel=1e-4)
    assert Appearance.of(image).fine_detail == expected
    odd = np.pad(image, ((0, 1), (0, 3), (0, 0)))  # which makes no whole block of 4 x 4 pixels
    assert Appearance.of(odd).fine_detail == pytest.approx(expected.expected, rel=0.2)


def test_blur_is_found_at_any_contrast() -> None:
    generator, ramp = np.random.default_rng(0), np.linspace(-80, 80, 64)[:, None, None]

    def texture(sigma: float, sd: float) -> np.ndarray:
        values = ndimage.gaussian_filter(generator.normal(size=(64, 64, 3)), (sigma, sigma, 0))
        return 130 + sd * values / values.std()

    known = AppearanceRange.of([Appearance.of((texture(1, 5) + ramp).astype(np.uint8)) for _ in range(20)])
    blurred = texture(3, 40).clip(0, 255).astype(np.uint8)
    found = Appearance.of(blurred)
    assert found.sharpness > known.lowest.sharpness
    config = replace(bright_model(size=64).config, appearance=known)
    assert "blur" in shift_flags(blurred, (64, 64), found, config, None)
    older = replace(known, lowest=replace(known.lowest, fine_detail=None))
    assert "blur" not in shift_flags(blurred, (64, 64), found, replace(config, appearance=older), None)


@given(st.lists(st.tuples(st.floats(0.01, 1), st.floats(0, 1)), min_size=2, max_size=20))
def test_the_fit_is_the_isotonic_regression_of_scikit_learn(pairs: list[tuple[float, float]]) -> None:
    x = [round(pair[0], 3) for pair in pairs]
    y = [round(pair[1], 3) for pair in pairs]
    fitted, oracle = fit(x, y), IsotonicRegression(out_of_bounds="clip").fit(x, y)
    for at in x:
        assert fitted.expected_dice(at) == pytest.approx(
            oracle.predict([at])[0] if at else fitted.dice[0] * 0, abs=2e-4
        )
    between = np.linspace(min(x), 1, 7)
    assert [fitted.expected_dice(at) for at in between] == pytest.approx(
        [oracle.predict([at])[0] for at in between], abs=2e-4
    )
    assert list(fitted.agreement) == sorted(fitted.agreement)
    assert fitted.images == len(pairs)


def test_the_error_is_of_images_that_the_fit_has_not_seen() -> None:
    generator = np.random.default_rng(0)
    x = generator.uniform(0.5, 1, 200)
    y = (x + generator.normal(0, 0.05, 200)).clip(0, 1)
    found = fit(x, y)
    assert found.error == pytest.approx(0.05 * np.sqrt(2 / np.pi), rel=0.25)
    assert found.review == pytest.approx(np.quantile(x, 0.05))
    groups = [str(index % 2) for index in range(200)]
    shifted = np.where(np.arange(200) % 2, 0.9, 0.5)
    assert fit(x, shifted, groups).error == pytest.approx(0.4, abs=0.01)  # each group is predicted by the other


def test_a_calibration_refuses_too_few_images_training_images_and_averages(make_dataset: Make) -> None:
    trained = random_model()
    with pytest.raises(InputError, check=coded("few-images", None)):
        calibrate(Predictor(trained), open_dataset(make_dataset(val=MIN_IMAGES - 1)))
    with pytest.raises(UsageError):
        calibrate(Predictor([trained, trained]), open_dataset(make_dataset(name="two", val=MIN_IMAGES)))


def test_expected_dice_is_that_of_similar_validation_masks(make_dataset: Make) -> None:
    dataset = open_dataset(make_dataset(val=20, test=0, train=1))
    predictor = Predictor(random_model())
    found = calibrate(predictor, dataset)
    assert (found.images, found.data, found.split_sha256) == (20, "discs", dataset.split.sha256)
    expected, true = [], []
    predictor.use_calibration(found)
    for case in dataset.subset("val"):
        prediction = predictor(case.image)
        reference = np.asarray(Image.open(case.mask)) > 0  # type: ignore[arg-type]
        expected.append(prediction.confidence.expected_dice)
        true.append(dice(prediction.mask > 0, reference))
    assert np.mean(expected) == pytest.approx(np.mean(true), abs=1e-3)  # an isotonic regression keeps the mean


def test_a_folder_lists_its_masks_with_flagged_ones_first(tmp_path: Path) -> None:
    images, out = tmp_path / "images", tmp_path / "out"
    images.mkdir()
    clear = np.full((32, 32, 3), 20, np.uint8)
    clear[8:24, 8:24] = 240
    weak = np.where(clear > 100, 131, 124).astype(np.uint8)
    for name, pixels in (("a", clear), ("b", np.full_like(clear, 20)), ("c", weak), ("d", clear)):
        Image.fromarray(pixels).save(images / f"{name}.png")
    paths = sorted(images.iterdir())
    predictor = Predictor(bright_model(gain=40))
    found = predict_files(predictor, paths, out, overlays=True)
    assert [Path(image).stem for image in found.flagged] == ["b", "c"]
    with (out / "confidence.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["mask"] for row in rows] == ["b.png", "c.png", "a.png", "d.png"]
    assert [row["flags"] for row in rows] == [NOTHING_FOUND, LOW_AGREEMENT, "", ""]
    manifest = json.loads((out / "predictions.json").read_text("utf-8"))
    assert [row["agreement"] for row in manifest["images"]] == [float(row["agreement"]) for row in rows]
    borders = {path.stem: np.asarray(Image.open(path))[0, 0].tolist() for path in (out / "overlays").iterdir()}
    assert {name for name, color in borders.items() if color == list(FLAGGED)} == {"b", "c"}
    (out / "c.png").unlink()
    assert predict_files(predictor, paths, out, overlays=True).flagged == found.flagged  # of former calls too
    assert json.loads((out / "predictions.json").read_text("utf-8"))["images"] == manifest["images"]


def test_a_calibration_is_stored_by_evaluate_and_used_by_predict_and_export(make_dataset: Make, tmp_path: Path) -> None:
    data, model, trained = make_dataset(val=12, test=4), tmp_path / "model", random_model()
    save_model(model, trained.network, trained.config)
    words = ["evaluate", "-m", str(model), "-d", str(data)]
    assert main([*words, "--calibrate", "-o", str(tmp_path / "val")]) == 0
    fitted = load_model(model).config.calibration
    assert fitted is not None
    assert (fitted.images, fitted.threshold, fitted.tta) == (12, 0.5, False)
    assert str(fitted) in (model / "README.md").read_text("utf-8")
    assert main([*words, "-o", str(tmp_path / "test")]) == 0
    summary = json.loads((tmp_path / "test" / "summary.json").read_text("utf-8"))
    rows, found = summary["per_image"], summary["failure_detection"]
    assert [row["expected_dice"] for row in rows] == [
        pytest.approx(fitted.expected_dice(row["agreement"]), abs=1e-3) for row in rows
    ]
    assert (
        found
        == detect_failures(
            [row["agreement"] for row in rows], [row["dice"] for row in rows], [bool(row["flags"]) for row in rows]
        ).to_dict()
    )
    assert main([*words, "--calibrate", "--subset", "test"]) == 2
    quick = bright_model()  # a TM-UNet is exported by the contract
    stored = replace(quick, config=replace(quick.config, calibration=fitted))
    about = export_model(stored, "torch", None, tmp_path / "export").folder / "model.json"
    assert json.loads(about.read_text("utf-8"))["calibration"]["images"] == 12
    point = OperatingPoint(0.3, 0.9, 0.8, 4, "d", "0" * 64)
    tuned = replace(quick, config=replace(stored.config, operating_point=point))
    about = export_model(tuned, "torch", None, tmp_path / "other").folder / "model.json"
    assert json.loads(about.read_text("utf-8"))["calibration"] is None  # fitted for masks of another threshold


@pytest.mark.parametrize(("val", "calibrated"), [(2, False), (12, True)])
def test_training_calibrates_where_there_are_enough_validation_images(
    make_dataset: Make, tmp_path: Path, val: int, calibrated: bool
) -> None:
    data = make_dataset(train=4, val=val, test=1, side=32)
    settings = {"preprocess.size": 32, "batch_size": 4, "device": "cpu", "learning_rate": 1e-2}
    run = train(data, epochs=12, out=tmp_path / "run", **settings)
    config = load_model(run.path).config
    assert (config.calibration is not None) == calibrated
    assert config.appearance is not None
    assert config.appearance.lowest.brightness < config.appearance.highest.brightness < 1
