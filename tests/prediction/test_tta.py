"""A prediction is averaged over the flips of training and no others."""

from dataclasses import replace

import numpy as np
import pytest

from tmunet.data.data_config import AugmentConfig
from tmunet.data.training_stats import Turns
from tmunet.errors import TMUNetWarning, UsageError
from tmunet.model import TrainedModel
from tmunet.prediction.predictor import Predictor

from ..small_models import random_model

H, V, BOTH = (-1,), (-2,), (-2, -1)


def model(turns: Turns | None) -> TrainedModel:
    trained = random_model()
    return replace(trained, config=replace(trained.config, turns=turns))


@pytest.mark.parametrize(
    ("augment", "flips"),
    [
        (AugmentConfig(horizontal_flip=0.25), [H]),
        (AugmentConfig(vertical_flip=0.5), [V]),
        (AugmentConfig(horizontal_flip=0.5, vertical_flip=0.5), [H, V, BOTH]),
        (AugmentConfig(quarter_turns=True), [BOTH]),
        (AugmentConfig(horizontal_flip=0.5, quarter_turns=True), [H, V, BOTH]),
    ],
)
def test_the_mean_is_over_the_flips_of_training(augment: AugmentConfig, flips: list[tuple[int, ...]]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    turns = Turns.of(augment)
    plain, flipped = Predictor(model(turns)), Predictor(model(turns), tta=True)
    each = [plain(image).probability]
    each += [np.flip(plain(np.flip(image, [a + 2 for a in axes])).probability, axes) for axes in flips]
    assert flipped(image).probability == pytest.approx(np.mean(each, axis=0), abs=1e-5)


def test_a_model_that_was_never_turned_takes_no_flips() -> None:
    with pytest.raises(UsageError):
        Predictor(model(Turns.of(AugmentConfig(zoom=1.2))), tta=True)


def test_a_model_that_does_not_say_takes_all_with_a_warning() -> None:
    image = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    with pytest.warns(TMUNetWarning) as told:
        predictor = Predictor(model(None), tta=True)
    assert [warning.filename for warning in told] == [__file__]
    assert np.array_equal(predictor(image).probability, Predictor(random_model(), tta=True)(image).probability)
