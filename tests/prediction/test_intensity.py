"""12-bit values in 16 bits are nearly black to a model of 8-bit images: the user is told, and nothing is stretched."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from tmunet.data.training_stats import Intensity
from tmunet.errors import TMUNetWarning
from tmunet.prediction.folder import predict_files
from tmunet.prediction.predictor import Predictor

from ..small_models import bright_model

EIGHT, TWELVE, SIXTEEN = Intensity(8, 0.0, 1.0), Intensity(16, 0.0, 4095 / 65535), Intensity(16, 0.0, 1.0)


def image(bits: int, stored: type = np.uint16) -> np.ndarray:
    return np.linspace(0, 2**bits - 1, 40 * 40).round().astype(stored).reshape(40, 40)


def predictor(*trained: Intensity, normalize: Literal["imagenet", "image"] = "imagenet") -> Predictor:
    model = bright_model()
    preprocess = replace(model.config.preprocess, normalize=normalize)
    return Predictor(replace(model, config=replace(model.config, preprocess=preprocess, intensity=trained)))


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_the_bits_that_are_used_are_counted(bits: int) -> None:
    found = Intensity.of(image(bits)[..., None])
    assert (found.bits, found.used_bits, found.brightest) == (16, bits, 2**bits - 1)
    assert found.is_dark == (bits < 13)


@pytest.mark.parametrize(
    ("trained", "bits", "told"),
    [
        ((EIGHT,), 12, 1),
        ((), 12, 1),
        ((SIXTEEN,), 12, 1),
        ((TWELVE,), 12, 0),
        ((EIGHT, TWELVE), 12, 0),
        ((TWELVE,), 16, 1),
        ((EIGHT,), 16, 0),
        ((), 16, 0),
    ],
)
def test_values_unlike_those_of_training_are_told(trained: tuple[Intensity, ...], bits: int, told: int) -> None:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        predictor(*trained)(image(bits))
    assert [warning.category for warning in found] == [TMUNetWarning] * told
    assert all(f"{2**bits - 1:,}" in str(warning.message) for warning in found)


def test_a_folder_is_told_once_with_its_files_and_no_value_is_changed(tmp_path: Path) -> None:
    for name, bits in {"a": 12, "b": 12, "c": 16}.items():
        Image.fromarray(image(bits)).save(tmp_path / f"{name}.png")
    with pytest.warns(TMUNetWarning) as told:
        predict_files(predictor(EIGHT), sorted(tmp_path.glob("*.png")), tmp_path / "out", batch_size=1)
    assert len(told) == 1
    assert [name in str(told[0].message) for name in ("a.png", "b.png", "c.png")] == [True, True, False]
    assert not np.asarray(Image.open(tmp_path / "out" / "a.png")).any()


def test_a_model_that_normalizes_each_image_and_an_image_of_one_value_give_no_reason() -> None:
    predictor(EIGHT, normalize="image")(image(12))
    predictor(EIGHT)(np.zeros((40, 40), np.uint16))


def test_what_is_typical_of_training_is_kept_for_each_depth() -> None:
    images = [Intensity(8, 0.0, 0.5), Intensity(8, 0.2, 1.0), Intensity(16, 0.0, 0.0), TWELVE]
    assert Intensity.typical(images) == (Intensity(8, 0.1, 0.75), TWELVE)
