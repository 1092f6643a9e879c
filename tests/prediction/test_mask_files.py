"""Masks as files: exact when read back, and shown in colors that differ."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from tmunet.data.io.masks import read_mask
from tmunet.prediction.mask_files import write_mask
from tmunet.visualize import COLORS, color


@st.composite
def masks(draw: st.DrawFn) -> tuple[np.ndarray, list[str]]:
    K = draw(st.integers(2, 255))
    shape = draw(arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))
    return draw(arrays.arrays(np.uint8, shape, elements=st.integers(0, K - 1))), [f"class {k}" for k in range(K)]


@given(masks())
def test_a_mask_is_read_back_exactly(drawn: tuple[np.ndarray, list[str]]) -> None:
    mask, classes = drawn
    with TemporaryDirectory() as folder:
        path = Path(folder) / "mask.png"
        write_mask(path, mask, classes)
        assert np.array_equal(read_mask(path, classes), mask)
        assert [file.name for file in Path(folder).iterdir()] == ["mask.png"]


def test_two_classes_are_black_and_white_for_any_viewer(tmp_path: Path) -> None:
    write_mask(tmp_path / "mask.png", np.array([[0, 1]], np.uint8), ["background", "foreground"])
    with Image.open(tmp_path / "mask.png") as picture:
        assert picture.mode == "L"
        assert np.asarray(picture).tolist() == [[0, 255]]


def test_more_classes_are_a_palette_that_shows_their_colors(tmp_path: Path) -> None:
    write_mask(tmp_path / "mask.png", np.array([[0, 1, 2]], np.uint8), ["background", "a", "b"])
    with Image.open(tmp_path / "mask.png") as picture:
        assert picture.mode == "P"
        assert np.asarray(picture).tolist() == [[0, 1, 2]]
        assert [tuple(rgb) for rgb in np.asarray(picture.convert("RGB"))[0].tolist()] == list(COLORS[:3])


@pytest.mark.parametrize(("labels", "apart"), [(8, 60), (22, 15), (256, 1)])
def test_the_colors_of_labels_differ(labels: int, apart: int) -> None:
    colors = np.array([color(label) for label in range(labels)])
    distance = np.abs(colors[:, None] - colors).max(axis=2) + 1000 * np.eye(labels)
    assert colors.min() >= 0
    assert colors.max() <= 255
    assert distance.min() >= apart
