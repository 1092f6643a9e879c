"""The limits of settings and of what a model states of its training: the last value that is taken, the first that is not."""

import math
from typing import Any

import numpy as np
import pytest

from tmunet.data.data_config import MAX_SIZE, AugmentConfig, Preprocess
from tmunet.data.training_stats import Intensity, Scale, Spread
from tmunet.training.train_config import LossConfig, OptimizerConfig, TrainConfig

ABOVE_0 = math.ulp(0.0)
BELOW_1 = math.nextafter(1.0, 0.0)
ABOVE_1 = math.nextafter(1.0, 2.0)
BELOW_0 = -ABOVE_0
ONE = Spread(1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("settings", "known", "name", "taken", "refused"),
    [
        (Preprocess, {}, "size", [32, MAX_SIZE], [31, MAX_SIZE + 1]),
        (Preprocess, {}, "channels", [1, 3], [0, 2, 4]),
        (Preprocess, {"normalize": "image"}, "channels", [1, 2, 4], [0]),
        (AugmentConfig, {}, "horizontal_flip", [0.0, 1.0], [BELOW_0, ABOVE_1]),
        (AugmentConfig, {}, "vertical_flip", [0.0, 1.0], [BELOW_0, ABOVE_1]),
        (AugmentConfig, {}, "zoom", [1.0, 9.0], [BELOW_1]),
        (AugmentConfig, {}, "brightness", [0.0, 1.0], [BELOW_0]),
        (AugmentConfig, {}, "contrast", [0.0, BELOW_1], [BELOW_0, 1.0]),
        (AugmentConfig, {}, "gamma", [0.0, 1.0], [BELOW_0]),
        (AugmentConfig, {}, "color", [0.0, BELOW_1], [BELOW_0, 1.0]),
        (Spread, {"median": 2.0, "highest": 3.0}, "lowest", [ABOVE_0, 2.0], [0.0, math.nextafter(2.0, 3.0)]),
        (Spread, {"lowest": 2.0, "highest": 3.0}, "median", [2.0, 3.0], [math.nextafter(2.0, 1.0), math.nextafter(3.0, 4.0)]),
        (Spread, {"lowest": 2.0, "median": 3.0}, "highest", [3.0, float(MAX_SIZE)], [math.nextafter(3.0, 2.0), MAX_SIZE + 1.0]),
        (Intensity, {"lowest": 0.0, "highest": 1.0}, "bits", [8, 16], [7, 9, 12, 15, 17]),
        (Intensity, {"bits": 8, "highest": 0.5}, "lowest", [0.0, 0.5], [BELOW_0, math.nextafter(0.5, 1.0)]),
        (Intensity, {"bits": 8, "lowest": 0.5}, "highest", [0.5, 1.0], [math.nextafter(0.5, 0.0), ABOVE_1]),
        (Scale, {"height": ONE, "width": ONE}, "mm_per_network_pixel", [None, ABOVE_0], [0.0, BELOW_0, math.inf, math.nan]),
        (LossConfig, {"dice": 0.0}, "cross_entropy", [ABOVE_0, 2.0], [0.0, BELOW_0, math.inf, math.nan]),
        (LossConfig, {"cross_entropy": 0.0}, "dice", [ABOVE_0, 2.0], [0.0, BELOW_0, math.inf, math.nan]),
        (LossConfig, {"cross_entropy": 1.0}, "dice", [0.0], [BELOW_0]),
        (OptimizerConfig, {}, "learning_rate", [ABOVE_0, 1.0], [0.0, math.inf, math.nan]),
        (OptimizerConfig, {}, "decay", [ABOVE_0, 1.0], [0.0, ABOVE_1]),
        (OptimizerConfig, {}, "warmup_epochs", [0.0, 3.0], [BELOW_0]),
        (OptimizerConfig, {}, "weight_decay", [0.0, 3.0], [BELOW_0]),
        (OptimizerConfig, {}, "clip_norm", [None, ABOVE_0], [0.0, BELOW_0, math.nan]),
        (OptimizerConfig, {}, "ema_decay", [None, 0.0, BELOW_1], [BELOW_0, 1.0]),
        (TrainConfig, {"data": "d"}, "epochs", [1], [0]),
        (TrainConfig, {"data": "d"}, "batch_size", [1], [0]),
        (TrainConfig, {"data": "d", "batch_size": 6}, "devices", [1, 2, 3], [0, 4]),
        (TrainConfig, {"data": "d", "batch_size": 6, "devices": 2}, "nodes", [1, 3], [0, 2]),
        (TrainConfig, {"data": "d"}, "seed", [0, 2**32 - 1], [-1, 2**32]),
    ],
)  # fmt: skip
def test_limits(settings: type, known: dict[str, Any], name: str, taken: list[Any], refused: list[Any]) -> None:
    for value in taken:
        assert getattr(settings(**known, **{name: value}), name) == value
    for value in refused:
        with pytest.raises(ValueError, match="Expected"):
            settings(**known, **{name: value})


@pytest.mark.parametrize(("dtype", "bits"), [(np.uint8, 8), (np.uint16, 16)])
def test_an_intensity_is_measured_as_the_file_stores_it(dtype: type, bits: int) -> None:
    white = np.iinfo(dtype).max
    found = Intensity.of(np.array([[[3], [white - 2]]], dtype))
    assert (found.bits, found.lowest, found.highest) == (bits, 3 / white, (white - 2) / white)
    assert found.brightest == white - 2
    assert found.used_bits == bits
    assert not found.is_dark


@pytest.mark.parametrize(
    ("bits", "brightest", "used", "dark"),
    [(16, 4095, 12, True), (16, 8191, 13, True), (16, 8192, 14, False), (8, 15, 4, False)],
)
def test_an_image_of_16_bits_is_dark_below_an_eighth(bits: int, brightest: int, used: int, dark: bool) -> None:
    found = Intensity(bits, 0.0, brightest / (2**bits - 1))
    assert (found.used_bits, found.is_dark) == (used, dark)


def test_typical_intensities_are_medians_by_bit_depth_without_blank_images() -> None:
    images = [Intensity(8, low, high) for low, high in ((0.0, 0.5), (0.1, 0.7), (0.2, 0.6), (0.9, 0.9))]
    assert Intensity.typical([*images, Intensity(16, 0.1, 0.2)]) == (Intensity(8, 0.1, 0.6), Intensity(16, 0.1, 0.2))
    assert Intensity.typical([Intensity(8, 0.5, 0.5)]) == ()


@pytest.mark.parametrize(
    ("count", "lowest", "highest"), [(1, 1, 1), (10, 1, 10), (12, 2, 11), (21, 2, 20), (41, 3, 39)]
)
def test_a_spread_leaves_out_a_twentieth_at_each_end(count: int, lowest: int, highest: int) -> None:
    found = Spread.of(range(count, 0, -1))
    assert found == Spread(lowest, (count + 1) / 2, highest)
    assert [found.factor(value) for value in (lowest / 2, lowest, found.median, highest, 2 * highest)] == [
        0.5,
        1,
        1,
        1,
        2,
    ]
