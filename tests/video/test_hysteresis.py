"""Temporal hysteresis: what it hides, holds and leaves alone."""

import numpy as np
import pytest

from tmunet.video.hysteresis import TemporalHysteresis, count_flips

SIDE = 40


def frame(spot: int = 0, probability: float = 0.9, disc: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A mask and probabilities with a small spot of a side, and a large square of a side."""
    mask, foreground = np.zeros((SIDE, SIDE), np.uint8), np.full((SIDE, SIDE), 0.01, np.float32)
    for where, side, value in ((slice(3, 3 + spot), spot, probability), (slice(15, 15 + disc), disc, 0.9)):
        if side:
            foreground[where, where] = value
    mask[foreground > 0.5] = 1
    return mask, np.stack([1 - foreground, foreground])


def areas(*frames: tuple[np.ndarray, np.ndarray]) -> list[int]:
    steady = TemporalHysteresis()
    return [int(steady(*one).sum()) for one in frames]


def test_a_spot_of_one_frame_is_hidden_and_one_of_two_is_shown() -> None:
    assert areas(frame(), frame(spot=2), frame(), frame()) == [0, 0, 0, 0]
    assert areas(frame(), frame(spot=2), frame(spot=2), frame()) == [0, 0, 4, 0]


def test_the_first_frame_is_shown_as_it_is() -> None:
    assert areas(frame(spot=2)) == [4]


def test_a_spot_that_was_shown_stays_while_it_is_faint() -> None:
    assert areas(frame(spot=2), frame(spot=2, probability=0.3), frame(spot=2, probability=0.2)) == [4, 4, 0]


def test_a_large_region_passes_at_once() -> None:
    assert areas(frame(), frame(disc=8), frame()) == [0, 64, 0]


def test_the_given_mask_is_not_changed() -> None:
    steady, (mask, probability) = TemporalHysteresis(), frame(spot=2)
    steady(*frame())
    steady(mask, probability)
    assert mask.sum() == 4


@pytest.mark.parametrize("shift", [0, 1])
def test_flips_count_small_regions_that_come_or_go(shift: int) -> None:
    spot = frame(spot=2)[0]
    empty, large = frame()[0], frame(disc=8)[0]
    assert count_flips([empty, spot, empty]) == 2
    assert count_flips([spot, np.roll(spot, shift, 1)]) == 0
    assert count_flips([empty, large, empty]) == 0
    assert count_flips([empty, spot + np.roll(spot, 20, 0)]) == 2
