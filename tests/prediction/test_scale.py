"""The network sees an image at the scale of training, with a window too; where it cannot, the user is told."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from tmunet.data.data_config import Preprocess
from tmunet.data.training_stats import Scale, Spread
from tmunet.errors import InputError, TMUNetWarning
from tmunet.file_limits import MAX_PIXELS
from tmunet.model import TrainedModel
from tmunet.model_config import ModelConfig
from tmunet.prediction.domain_shift import scale_factor
from tmunet.prediction.folder import predict_files
from tmunet.prediction.predictor import Predictor
from tmunet.prediction.sliding_window import scaled_size

from ..small_models import bright_model

SIDE = 64


class Seen(nn.Module):
    """Keeps what it is given (its copies too); the foreground is what is bright."""

    given: ClassVar[list[Tensor]] = []

    def __init__(self) -> None:
        super().__init__()
        self.given.clear()
        self.weight = nn.Parameter(torch.zeros(1), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        self.given.append(x.clone())
        return x.mean(1, keepdim=True) * 8 + self.weight


def model(scale: Scale | None) -> tuple[TrainedModel, Seen]:
    network = Seen().eval()
    return TrainedModel(network, ModelConfig("tmunet_t", preprocess=Preprocess(SIDE, 3), scale=scale)), network


def disc(height: int, width: int, radius: float) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    inside = (y - height / 2 + 0.5) ** 2 + (x - width / 2 + 0.5) ** 2 < radius**2
    return np.repeat(np.where(inside, 255, 0).astype(np.uint8)[..., None], 3, axis=2)


def extent(x: Tensor) -> tuple[int, int]:
    """Height and width of what is bright."""
    bright = (x.mean(1) > 0).any(0)
    return int(bright.any(1).sum()), int(bright.any(0).sum())


def test_a_window_shows_a_disc_at_the_size_that_it_had_in_training() -> None:
    trained, network = model(Scale.of([(256, 256)], SIDE))  # images of 256 pixels at 64: a quarter
    image = disc(256, 256, 80)
    mask = Predictor(trained, tile_size=SIDE)(image).mask
    seen = network.given[-1]
    assert extent(seen) == pytest.approx((40, 40), abs=1)
    whole, _ = model(trained.config.scale)
    assert np.array_equal(mask, Predictor(whole)(image).mask)  # one window over an image of training is that image
    assert mask.shape == (256, 256)
    assert 2 * np.sqrt(mask.sum() / np.pi) == pytest.approx(160, rel=0.02)


def test_each_axis_has_its_own_scale() -> None:
    trained, network = model(Scale.of([(128, 512)], SIDE))
    Predictor(trained, tile_size=SIDE)(disc(128, 512, 48))
    assert extent(network.given[-1]) == pytest.approx((48, 12), abs=1)


def test_a_larger_image_is_cut_into_windows_at_the_scale_of_training() -> None:
    trained, network = model(Scale.of([(256, 256)], SIDE))
    found = Predictor(trained, tile_size=SIDE)(disc(1024, 512, 60))
    assert {tuple(x.shape[2:]) for x in network.given} == {(SIDE, SIDE)}
    assert max(extent(x[None])[1] for x in torch.cat(network.given)) == pytest.approx(30, abs=1)
    assert found.mask.shape == (1024, 512)
    assert 2 * np.sqrt(found.mask.sum() / np.pi) == pytest.approx(120, rel=0.04)


def test_pixels_that_were_resized_before_keep_the_scale_of_the_image_itself() -> None:
    trained, network = model(Scale.of([(256, 256)], SIDE))
    predictor = Predictor(trained, tile_size=SIDE)
    predictor.pipeline([predictor.pipeline.load(disc(128, 128, 40))], [(256, 256)])
    assert extent(network.given[-1]) == pytest.approx((40, 40), abs=1)


def test_a_model_that_does_not_know_its_scale_says_so_once_and_takes_images_as_they_are() -> None:
    trained, network = model(None)
    with pytest.warns(TMUNetWarning) as told:
        predictor = Predictor(trained, tile_size=SIDE)
    assert [warning.filename for warning in told] == [__file__]  # at the user's line, not at ours
    predictor(disc(64, 64, 20))  # a second warning would be an error
    assert extent(network.given[-1]) == pytest.approx((40, 40), abs=1)


@pytest.mark.parametrize(
    ("size", "factor"),
    [((256, 256), 1), ((200, 300), 1.28), ((512, 256), 0.5), ((256, 64), 4), ((64, 1024), 4), ((100, 1024), 0.25)],
)
def test_the_factor_is_that_of_the_axis_that_is_further_off(size: tuple[int, int], factor: float) -> None:
    assert scale_factor(size, SIDE, Scale.of([(256, 256)], SIDE)) == pytest.approx(factor)


def test_within_the_spread_of_training_nothing_is_off() -> None:
    assert scale_factor((300, 500), SIDE, Scale.of([(256, 256), (512, 512)], SIDE)) == 1


@pytest.mark.parametrize(("sizes", "told"), [([(256, 256), (180, 256)], 0), ([(256, 256), (64, 256), (900, 900)], 1)])
def test_a_folder_of_other_sizes_is_told_once(tmp_path: Path, sizes: list[tuple[int, int]], told: int) -> None:
    images = [tmp_path / f"{number}.png" for number in range(len(sizes))]
    for path, size in zip(images, sizes, strict=True):
        Image.fromarray(disc(*size, 20)).save(path)
    trained, _ = model(Scale.of([(256, 256)], SIDE))
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        predict_files(Predictor(trained), images, tmp_path / "out", batch_size=1)
    assert [warning.category for warning in found] == [TMUNetWarning] * told
    assert all("2 of 3 images" in str(warning.message) and "4 times" in str(warning.message) for warning in found)


def test_a_window_much_larger_than_the_image_is_told() -> None:
    trained, _ = model(Scale.of([(256, 256)], SIDE))
    with pytest.warns(TMUNetWarning):
        Predictor(trained, tile_size=2 * SIDE)(disc(256, 256, 80))


def test_an_image_that_would_be_too_large_is_a_fault_of_its_own(tmp_path: Path) -> None:
    Image.fromarray(disc(40, 40, 9)).save(tmp_path / "small.png")
    trained, _ = model(Scale(Spread(1, 1000, 1000), Spread(1, 1000, 1000)))
    assert np.prod(scaled_size((40, 40), trained.config.scale)) > MAX_PIXELS  # type: ignore[arg-type]
    predictor = Predictor(trained, tile_size=SIDE)
    assert len(predict_files(predictor, [tmp_path / "small.png"], tmp_path / "out").faults) == 1
    with pytest.raises(InputError):
        predictor(disc(40, 40, 9))


def test_masks_at_another_scale_are_not_mixed(tmp_path: Path) -> None:
    Image.fromarray(disc(64, 64, 9)).save(tmp_path / "a.png")
    trained = bright_model(size=SIDE)
    predict_files(Predictor(trained, tile_size=32), [tmp_path / "a.png"], tmp_path / "out")
    other = replace(trained, config=replace(trained.config, scale=Scale.of([(128, 128)], SIDE)))
    with pytest.raises(InputError):
        predict_files(Predictor(other, tile_size=32), [tmp_path / "a.png"], tmp_path / "out")
