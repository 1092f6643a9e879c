"""The sliding window: a network that looks at single pixels must not notice it."""

import sys
from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest

from tmunet.errors import MissingExtraError, TMUNetWarning
from tmunet.prediction.predictor import Predictor

from ..small_models import THREE, bright_model, random_model

Draw = Callable[..., np.ndarray]


@pytest.mark.parametrize("shape", [(100, 77, 3), (32, 32, 3), (33, 130), (90, 60, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_network_of_single_pixels_gives_the_same_inside_and_across_seams(
    noise: Draw, shape: tuple[int, ...], dtype: type
) -> None:
    image = noise(*shape, dtype=dtype)
    planes = image if image.ndim == 3 else image[..., None]
    mean = planes[..., :3].mean(axis=2) / np.iinfo(dtype).max
    found = Predictor(bright_model(), tile_size=32)(image)
    assert found.probability[1] == pytest.approx(1 / (1 + np.exp(-8 * (mean - 0.5))), abs=1e-5)
    assert np.array_equal(found.mask, found.probability[1] > 0.5)


@pytest.mark.parametrize("shape", [(20, 25, 3), (5, 64, 3), (1, 1, 3)])
def test_an_image_smaller_than_the_window_keeps_its_size(noise: Draw, shape: tuple[int, ...]) -> None:
    image = noise(*shape)
    with pytest.warns(TMUNetWarning):  # most of the window is padding
        found = Predictor(bright_model(), tile_size=48)(image)
    assert np.array_equal(found.mask, image.mean(axis=2) / 255 > 0.5)
    with pytest.warns(TMUNetWarning):
        assert Predictor(random_model(), tile_size=48)(image).mask.shape == shape[:2]


def test_a_constant_image_is_constant_across_seams() -> None:
    found = Predictor(bright_model(), tile_size=32)(np.full((90, 90, 3), 200, np.uint8))
    assert np.ptp(found.probability[1]) <= 1e-6


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_classes_flips_and_several_images_go_with_a_window(
    noise: Draw, precision: Literal["float32", "bfloat16"]
) -> None:
    predictor = Predictor(random_model(THREE), tile_size=32, tta=True, precision=precision)
    images = [noise(50, 40, 3), noise(36, 61)]
    for image, found in zip(images, predictor.predict(images), strict=True):
        assert found.probability.shape == (3, *image.shape[:2])
        assert found.probability.sum(0) == pytest.approx(1, abs=1e-5)
        assert np.array_equal(found.probability, predictor(image).probability)


def test_without_monai_the_error_names_the_extra(noise: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "monai"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "monai", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tmunet\[monai\]'"):
        Predictor(bright_model(), tile_size=32)(noise(40, 40, 3))
