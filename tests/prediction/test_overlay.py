"""The outline of a mask in its image."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tmunet.data.io.images import read_image
from tmunet.prediction.mask_files import overlay, write_overlay
from tmunet.visualize import color, to_rgb8

Draw = Callable[..., np.ndarray]


def squares() -> tuple[np.ndarray, np.ndarray]:
    """Labels (20, 30) of two squares, 1 and 2, and where their outlines are."""
    mask, outline = np.zeros((20, 30), np.uint8), np.zeros((20, 30), np.uint8)
    for label, left in ((1, 3), (2, 16)):
        outline[4:14, left : left + 10] = mask[4:14, left : left + 10] = label
        outline[5:13, left + 1 : left + 9] = 0
    return mask, outline


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_only_the_outline_is_drawn_in_the_color_of_its_label(noise: Draw, channels: int, dtype: type) -> None:
    image = noise(20, 30, channels, dtype=dtype)
    before, (mask, outline) = image.copy(), squares()
    drawn = overlay(image, mask)
    assert drawn.shape == (20, 30, 3)
    assert drawn.dtype == np.uint8
    for label in (1, 2):
        assert (drawn[outline == label] == color(label)).all()
    assert np.array_equal(drawn[outline == 0], to_rgb8(image)[outline == 0])
    assert np.array_equal(image, before)


def test_an_empty_mask_leaves_the_picture_as_it_is(noise: Draw) -> None:
    image = noise(20, 30, 3)
    assert np.array_equal(overlay(image, np.zeros((20, 30), np.uint8)), image)


def test_the_line_is_wider_in_a_large_picture() -> None:
    mask = np.zeros((900, 900), np.uint8)
    mask[100:800, 100:800] = 1
    drawn = overlay(np.zeros((900, 900, 1), np.uint8), mask)
    assert (drawn[450] != 0).any(axis=1).sum() == 2 * 3


def test_an_overlay_is_a_picture_file(noise: Draw, tmp_path: Path) -> None:
    image, (mask, _) = noise(20, 30, 3), squares()
    write_overlay(tmp_path / "new" / "overlay.png", image, mask)
    assert np.array_equal(read_image(tmp_path / "new" / "overlay.png"), overlay(image, mask))
