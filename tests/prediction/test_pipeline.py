"""The inference pipeline: one conversion of each image, and stages that compose."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tmunet.data.io.images import to_channels
from tmunet.errors import InputError
from tmunet.prediction import pipeline as pipeline_module
from tmunet.prediction.folder import predict_files
from tmunet.prediction.postprocess import THRESHOLD
from tmunet.prediction.predictor import Predictor

from ..small_models import THREE, bright_model, random_model

Draw = Callable[..., np.ndarray]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Calls of the steps of preprocessing."""
    found: Counter[str] = Counter()

    def counting(name: str) -> None:
        step = getattr(pipeline_module, name)

        def count(*values: object) -> object:
            found[name] += 1
            return step(*values)

        monkeypatch.setattr(pipeline_module, name, count)

    for name in ("decode_image", "to_channels", "resize_image", "normalize"):
        counting(name)
    return found


def test_each_image_is_read_converted_resized_and_normalized_once(
    noise: Draw, tmp_path: Path, calls: Counter[str]
) -> None:
    images = [tmp_path / f"{number}.png" for number in range(3)]
    for path in images:
        Image.fromarray(noise(40, 50)).save(path)
    once = dict.fromkeys(("decode_image", "to_channels", "resize_image", "normalize"), 3)
    predictor = Predictor(random_model())
    predictor.predict(images)
    assert calls == once
    calls.clear()
    predict_files(predictor, images, tmp_path / "out")
    assert calls == once


@pytest.mark.parametrize("tile_size", [None, 32])
def test_the_stages_compose_to_the_prediction(noise: Draw, tile_size: int | None) -> None:
    predictor, image = Predictor(random_model(THREE), tile_size=tile_size, tta=True), noise(40, 50)
    pipeline = predictor.pipeline
    pixels = pipeline.load(image)
    assert np.array_equal(pixels, to_channels(image[..., None], 3))
    x = pipeline.preprocess(pixels)
    assert (x.dtype, tuple(x.shape)) == (torch.float32, (1, 3, 32, 32) if tile_size is None else (1, 3, 40, 50))
    probability = pipeline.predict_probabilities(x)
    found = pipeline.postprocess(probability, (40, 50))
    assert found.probability == pytest.approx(
        predictor(image).probability, abs=1e-5
    )  # batches have another memory layout
    assert np.array_equal(found.mask, found.probability.argmax(0))


def test_a_pixel_at_the_threshold_is_background() -> None:
    pipeline = Predictor(bright_model()).pipeline
    above = float(np.nextafter(np.float32(THRESHOLD), np.float32(1)))
    foreground = torch.tensor([[THRESHOLD, above]])
    found = pipeline.postprocess(torch.stack([1 - foreground, foreground])[None], (1, 2))
    assert found.mask.tolist() == [[0, 1]]


def test_the_session_is_all_that_a_backend_replaces(noise: Draw) -> None:
    predictor, image = Predictor(bright_model()), noise(32, 32, 3)
    inverted = replace(predictor.pipeline, session=lambda x: -predictor.pipeline.session(x))
    mask = inverted([inverted.load(image)])[0].mask
    assert np.array_equal(mask, 1 - predictor(image).mask)


def test_a_file_of_other_channels_is_named(noise: Draw, tmp_path: Path) -> None:
    Image.fromarray(noise(40, 50)).save(tmp_path / "gray.png")
    with pytest.raises(InputError) as error:
        Predictor(random_model(channels=5)).pipeline.load(tmp_path / "gray.png")
    assert str(error.value).startswith(str(tmp_path / "gray.png"))
