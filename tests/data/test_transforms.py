"""Augmentation: drawn by seed, epoch and case alone; image and mask move together; no label is invented."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tmunet.data.data_config import AugmentConfig
from tmunet.data.transforms import augment, draw

EVERYTHING = AugmentConfig(
    horizontal_flip=0.5,
    vertical_flip=0.5,
    quarter_turns=True,
    zoom=1.5,
    brightness=0.1,
    contrast=0.3,
    gamma=0.3,
    color=0.2,
)
NOTHING = draw(AugmentConfig(), 3, 0, 0, 0)


def batch(count: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(5)
    masks = torch.randint(0, 3, (count, 24, 24), generator=random, dtype=torch.uint8)
    return torch.rand(count, 3, 24, 24, generator=random), masks


@given(st.integers(0, 2**32), st.integers(0, 10**4), st.integers(0, 10**6))
def test_the_same_numbers_draw_the_same_changes_within_their_bounds(seed: int, epoch: int, case: int) -> None:
    drawn = draw(EVERYTHING, 3, seed, epoch, case)
    assert drawn == draw(EVERYTHING, 3, seed, epoch, case)
    assert 1 / 1.5 <= drawn.zoom <= 1.5
    assert all(abs(shift) <= max(0.0, 1 - 1 / drawn.zoom) for shift in drawn.shift)
    assert all(0.8 <= gain <= 1.2 for gain in drawn.color)
    assert drawn.quarter_turns in range(4)


def test_cases_epochs_and_seeds_draw_different_changes() -> None:
    drawn = {draw(EVERYTHING, 3, *numbers).contrast for numbers in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]}
    assert len(drawn) == 4


def test_the_default_changes_nothing() -> None:
    images, masks = batch()
    new_images, new_masks = augment(images, masks, [NOTHING, NOTHING])
    torch.testing.assert_close(new_images, images, rtol=0, atol=1e-6)
    assert torch.equal(new_masks, masks)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize(("left_right", "up_down"), [(False, False), (True, False), (False, True), (True, True)])
def test_flips_and_quarter_turns_are_exact(turns: int, left_right: bool, up_down: bool) -> None:
    images, masks = batch(1)
    changed = replace(NOTHING, quarter_turns=turns, horizontal_flip=left_right, vertical_flip=up_down)
    new_images, new_masks = augment(images, masks, [changed])
    expected, expected_mask = images[0].numpy(), masks[0].numpy()
    if left_right:
        expected, expected_mask = expected[:, :, ::-1], expected_mask[:, ::-1]
    if up_down:
        expected, expected_mask = expected[:, ::-1], expected_mask[::-1]
    np.testing.assert_allclose(new_images[0].numpy(), np.rot90(expected, turns, (1, 2)), atol=1e-6)
    np.testing.assert_array_equal(new_masks[0].numpy(), np.rot90(expected_mask, turns))


@given(st.integers(0, 500))
def test_image_and_mask_move_together_and_no_label_is_invented(case: int) -> None:
    y, x = np.mgrid[:48, :48]
    mask = torch.from_numpy((((y - 20) ** 2 + (x - 30) ** 2) < 140).astype(np.uint8) * 2)[None]
    image = (mask.float() / 2).unsqueeze(1).repeat(1, 3, 1, 1)
    moves = replace(EVERYTHING, brightness=0.0, contrast=0.0, gamma=0.0, color=0.0)
    new_image, new_mask = augment(image, mask, [draw(moves, 3, 1, 2, case)])
    assert set(new_mask.unique().tolist()) <= {0, 2}
    disagree = (new_image[0, 0] > 0.5) != (new_mask[0] == 2)
    assert disagree.float().mean() < 0.02  # the outline is blended in the image and sharp in the mask


def test_colors_stay_in_range_and_each_image_has_its_own_changes() -> None:
    images, masks = batch(3)
    draws = [draw(EVERYTHING, 3, 0, 0, case) for case in range(3)]
    together, _ = augment(images, masks, draws)
    assert together.min() >= 0
    assert together.max() <= 1
    for b in range(3):
        alone, _ = augment(images[b : b + 1], masks[b : b + 1], draws[b : b + 1])
        torch.testing.assert_close(together[b : b + 1], alone)


@pytest.mark.parametrize("bad", [{"horizontal_flip": 2.0}, {"zoom": 0.5}, {"contrast": 1.0}, {"gamma": -0.1}])
def test_settings_that_make_no_sense_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Expected"):
        AugmentConfig(**bad)
