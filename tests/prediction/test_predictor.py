"""The predictor: what it takes, what it gives, and what it refuses."""

import inspect
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tmunet import Predictor
from tmunet.data.fingerprint import TrainingFingerprint
from tmunet.errors import InputError, ModelError, UsageError
from tmunet.model import save_model

from ..coded_errors import coded
from ..small_models import THREE, bright_model, colored_model, random_model

Draw = Callable[..., np.ndarray]


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 1), (40, 50, 3), (40, 50, 4), (33, 71, 3), (1, 1, 3), (7, 200)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_array_gives_mask_and_probability_at_its_own_size(noise: Draw, shape: tuple[int, ...], dtype: type) -> None:
    found = Predictor(random_model())(noise(*shape, dtype=dtype))
    assert (found.mask.shape, found.probability.shape) == (shape[:2], (2, *shape[:2]))
    assert (found.mask.dtype, found.probability.dtype) == (np.uint8, np.float32)
    assert np.array_equal(found.mask, found.probability[1] > 0.5)
    assert 0 <= found.probability.min() <= found.probability.max() <= 1
    assert found.classes == ("background", "foreground")


@pytest.mark.parametrize("size", [(32, 32), (45, 37)])
def test_several_classes_have_a_probability_each(noise: Draw, size: tuple[int, int]) -> None:
    found = Predictor(random_model(THREE))(noise(*size, 3))
    assert found.probability.shape == (3, *size)
    assert found.probability.sum(0) == pytest.approx(1, abs=1e-6)
    assert np.array_equal(found.mask, found.probability.argmax(0))
    assert len(np.unique(found.mask)) > 1


def test_the_mask_is_where_the_network_says(noise: Draw) -> None:
    image = noise(32, 32, 3)
    mean = image.mean(axis=2) / 255
    assert np.array_equal(Predictor(bright_model())(image).mask, mean > 0.5)
    assert Predictor(bright_model())(image).probability[1] == pytest.approx(
        1 / (1 + np.exp(-8 * (mean - 0.5))), abs=1e-5
    )


def test_forms_of_one_picture_give_one_prediction(noise: Draw, tmp_path: Path) -> None:
    predictor, gray, color = Predictor(random_model()), noise(40, 50), noise(40, 50, 3)
    opaque = np.dstack([color, noise(40, 50)])
    Image.fromarray(color).save(tmp_path / "color.png")
    expected = predictor(color).probability
    for same in (opaque, tmp_path / "color.png", str(tmp_path / "color.png")):
        assert np.array_equal(predictor(same).probability, expected)
    deep = color.astype(np.uint16) * 257  # resized without rounding to 8 bits
    assert predictor(deep).probability == pytest.approx(expected, abs=0.02)
    expected = predictor(gray).probability
    for same in (gray[..., None], np.dstack([gray] * 3)):
        assert np.array_equal(predictor(same).probability, expected)


def test_a_gray_model_takes_color_and_leaves_out_alpha(noise: Draw) -> None:
    predictor, color = Predictor(random_model(channels=1)), noise(40, 50, 3)
    assert np.array_equal(predictor(np.dstack([color, noise(40, 50)])).mask, predictor(color).mask)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((40, 50), np.float32), r"type uint8 or uint16, but got \(40, 50\) and float32"),
        (np.zeros((40, 50), bool), "and bool"),
        (np.zeros((40, 50), np.int64), "and int64"),
        (np.zeros((2, 40, 50, 3), np.uint8), r"but got \(2, 40, 50, 3\)"),
        (np.zeros((50,), np.uint8), r"but got \(50,\)"),
        (np.zeros((0, 50, 3), np.uint8), r"but got \(0, 50, 3\)"),
        (np.zeros((40, 50, 2), np.uint8), "Expected an image of 3 channels, but got 2"),
    ],
)
def test_an_array_that_is_no_image_is_an_error(array: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Predictor(random_model())(array)


def test_a_batch_gives_what_its_images_give_alone(noise: Draw) -> None:
    predictor = Predictor(random_model())
    images = [noise(40, 50, 3), noise(64, 33), noise(35, 90, 3, dtype=np.uint16), noise(32, 32, 4)]
    for image, together in zip(images, predictor.predict(images), strict=True):
        alone = predictor(image)
        assert together.probability == pytest.approx(alone.probability, abs=1e-5)
        assert together.mask.shape == image.shape[:2]
    assert predictor.predict([]) == []


@pytest.mark.parametrize("size", [(32, 32), (45, 70)])
def test_averaging_over_flips_makes_the_prediction_turn_with_the_image(noise: Draw, size: tuple[int, int]) -> None:
    image, flipped_alike = noise(*size, 3), []
    for flips in (True, False):
        predictor = Predictor(random_model(), tta=flips)
        straight = predictor(image).probability
        for axes in (0, 1, (0, 1)):
            turned = predictor(np.flip(image, axes)).probability  # (K, H, W): an axis later
            back = np.flip(turned, np.add(axes, 1).tolist())
            flipped_alike.append(np.abs(back - straight).max() <= 1e-6)
    assert flipped_alike == [True] * 3 + [False] * 3


def test_a_model_comes_from_memory_from_its_folder_or_from_a_run(noise: Draw, tmp_path: Path) -> None:
    image, trained = noise(40, 50, 3), random_model(THREE)
    save_model(tmp_path / "run" / "model", trained.network, trained.config)
    expected = Predictor(trained)(image).probability
    for path in (tmp_path / "run" / "model", str(tmp_path / "run"), tmp_path / "run" / "model" / "config.json"):
        assert np.array_equal(Predictor(path)(image).probability, expected)
    with pytest.raises(ModelError, check=coded("no-model")):
        Predictor(tmp_path / "nowhere")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("tile_size", [None, 32])
def test_views_and_locked_arrays_are_images_too(noise: Draw, tile_size: int | None) -> None:
    predictor, image = Predictor(bright_model(), tile_size=tile_size), noise(32, 32, 3)
    image.flags.writeable = False
    expected = predictor(image).mask
    assert np.array_equal(predictor(image[::-1, ::-1]).mask, expected[::-1, ::-1])
    assert np.array_equal(predictor(np.asfortranarray(image)).mask, expected)


def test_predicting_leaves_the_network_as_it_was(noise: Draw) -> None:
    trained = random_model()
    before = {name: tensor.clone() for name, tensor in trained.network.state_dict().items()}
    predictor = Predictor(trained, tta=True, precision="bfloat16")
    sha = predictor.weights_sha256()
    predictor(noise(40, 50, 3))
    assert predictor.weights_sha256() == sha
    assert not trained.network.training
    for name, tensor in trained.network.state_dict().items():
        assert torch.equal(tensor, before[name])
        assert tensor.dtype == before[name].dtype


def test_bfloat16_is_close_to_float32(noise: Draw) -> None:
    image = noise(40, 50, 3)
    exact, lower = (Predictor(bright_model(), precision=p)(image).probability for p in ("float32", "bfloat16"))
    assert lower.dtype == np.float32
    assert not np.array_equal(lower, exact)
    assert lower == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tile_size": 31}, "Expected `tile_size` to be at least 32 pixels, but got 31."),
        ({"device": "tpu"}, "Expected `device` to be auto, cuda, mps or cpu, but got 'tpu'"),
        ({"precision": "float16"}, "Expected `precision` to be one of float32, tf32, bfloat16, but got 'float16'."),
    ],
)
def test_a_setting_that_does_not_exist_is_an_error(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Predictor(random_model(), **settings)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_an_error_and_auto_finds_another() -> None:
    with pytest.raises(UsageError, check=coded("device")):
        Predictor(random_model(), device="cuda")
    assert Predictor(random_model(), device="auto").device.type in ("cpu", "mps")


def test_one_image_is_no_sequence_of_images() -> None:
    predictor = Predictor(random_model())
    for one in (np.zeros((40, 40, 3), np.uint8), "scan.png"):
        with pytest.raises(InputError, check=coded("type")):
            predictor.predict(one)


def test_what_is_no_image_is_named_with_what_to_do() -> None:
    with pytest.raises(InputError, check=coded("type")):
        Predictor(random_model())(Image.new("P", (40, 40)))  # type: ignore[arg-type]


def test_weights_that_are_no_numbers_are_an_error() -> None:
    model = random_model()
    with torch.no_grad():
        next(model.network.parameters()).fill_(float("nan"))
    with pytest.raises(ModelError, check=coded("not-finite")):
        Predictor(model)(np.zeros((40, 40, 3), np.uint8))


def test_the_range_of_16_bits_does_not_matter() -> None:
    predictor = Predictor()
    side = predictor.config.preprocess.size  # nothing is resized, which rounds
    image = np.random.default_rng(0).integers(0, 120, (side, side, 3), dtype=np.uint8)
    np.testing.assert_allclose(predictor(image.astype(np.uint16)).probability, predictor(image).probability, atol=1e-3)


def test_threads_share_a_predictor() -> None:
    predictor = Predictor(colored_model(256), backend="openvino")
    images = [np.random.default_rng(seed).integers(0, 256, (256, 256, 3), dtype=np.uint8) for seed in range(8)]
    alone = [predictor(image).probability for image in images]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda image: predictor(image).probability, images * 4))
    for place, found in enumerate(together):
        np.testing.assert_allclose(found, alone[place % len(images)], atol=1e-5)


@pytest.mark.parametrize("backend", ["torch", pytest.param("onnx", marks=pytest.mark.slow)])
def test_another_process_gets_the_same_predictor(noise: Draw, backend: Any) -> None:
    predictor, image = Predictor(bright_model(), backend=backend, tta=True), noise(40, 48, 3)
    other = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))  # the only way on Windows and macOS
    with other:
        found = other.submit(predictor, image).result()
    np.testing.assert_array_equal(found.mask, predictor(image).mask)


def test_a_packaged_model_goes_by_its_name() -> None:
    assert Predictor("nuclei-t").weights_sha256() == Predictor().weights_sha256()


def test_the_settings_stand_in_one_signature() -> None:
    assert {name: one.default for name, one in inspect.signature(Predictor).parameters.items()} == {
        "model": None,
        "tile_size": None,
        "tta": False,
        "backend": "torch",
        "device": "auto",
        "precision": "float32",
        "threshold": None,
        "keep": "all",
        "fill_holes": False,
        "min_size": 0,
    }


def test_a_predictor_names_its_model(tmp_path: Path) -> None:
    trained = random_model(THREE)
    save_model(tmp_path / "mine", trained.network, trained.config)
    assert (
        repr(Predictor(tmp_path / "mine"))
        == f"Predictor('{tmp_path / 'mine'}', network: tmunet_t, classes: background, a, b)"
    )
    assert repr(Predictor(trained)) == "Predictor('model in memory', network: tmunet_t, classes: background, a, b)"
    assert "mean of 2 models" in repr(Predictor([trained, tmp_path / "mine"]))


@pytest.mark.parametrize("tile_size", [None, 32])
def test_several_models_are_averaged_at_the_size_of_the_image(noise: Draw, tile_size: int | None) -> None:
    models = [random_model(THREE, seed=1), random_model(THREE, size=64, seed=2)]  # each at its own input size
    images = [noise(40, 50, 3), noise(70, 33)]
    each = [Predictor(model, tile_size) for model in models]
    both = Predictor(models, tile_size)
    for image, found in zip(images, both.predict(images), strict=True):
        expected = np.mean([one(image).probability for one in each], axis=0)
        assert found.probability == pytest.approx(expected, abs=1e-5)
        assert np.array_equal(found.mask, found.probability.argmax(0))
    assert len({both.weights_sha256(), *(one.weights_sha256() for one in each)}) == 3
    copy = pickle.loads(pickle.dumps(both))
    assert np.array_equal(copy(images[0]).probability, both(images[0]).probability)


def test_one_image_of_any_member_in_training_is_known_to_the_average() -> None:
    models = [
        replace(random_model(seed=seed), fingerprint=TrainingFingerprint(train={"a": f"{seed}"}, val={"a": "9"}))
        for seed in (1, 2)
    ]
    assert Predictor(models).fingerprint.side_of() == {"1": "train", "2": "train", "9": "val"}


def test_models_of_other_classes_or_channels_are_not_averaged() -> None:
    for other in (random_model(THREE), random_model(channels=1)):
        with pytest.raises(UsageError) as caught:
            Predictor([random_model(), other])
        assert caught.value.code == "ensemble"
    with pytest.raises(UsageError) as caught:
        Predictor([])
    assert caught.value.code == "ensemble"
