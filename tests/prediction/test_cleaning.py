"""Cleaning of masks: holes, small objects, the largest object, against masks drawn by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tmunet.errors import UsageError
from tmunet.metrics import components
from tmunet.prediction.postprocess import Postprocess

MASK = np.array(
    [
        [1, 1, 1, 0, 0, 2, 2],
        [1, 0, 1, 0, 0, 2, 2],
        [1, 1, 1, 0, 0, 0, 0],
        [0, 0, 0, 1, 0, 2, 0],
        [0, 1, 0, 0, 0, 0, 0],
    ],
    np.uint8,
)


def test_holes_are_filled_and_nothing_else_changes() -> None:
    found = Postprocess(fill_holes=True).clean(MASK)
    assert np.argwhere(found != MASK).tolist() == [[1, 1]]
    assert found[1, 1] == 1
    inside = MASK.copy()
    inside[1, 1] = 2  # another class in a hole is no background
    assert np.array_equal(Postprocess(fill_holes=True).clean(inside), inside)
    open_ring = MASK.copy()
    open_ring[0, 1] = 0
    assert np.array_equal(Postprocess(fill_holes=True).clean(open_ring), open_ring)


@pytest.mark.parametrize(
    ("size", "gone"), [(0, []), (1, []), (2, [[3, 5], [4, 1]]), (5, [[0, 5], [0, 6], [1, 5], [1, 6], [3, 5], [4, 1]])]
)
def test_small_objects_of_each_class_become_background(size: int, gone: list[list[int]]) -> None:
    found = Postprocess(min_size=size).clean(MASK)  # the pixel at (3, 3) touches the ring by its corner
    assert np.argwhere(found != MASK).tolist() == gone
    assert not found[found != MASK].any()


def test_the_largest_object_of_each_class_is_kept_and_holes_count_once_they_are_filled() -> None:
    found = Postprocess(keep="largest").clean(MASK)
    assert np.argwhere(found != MASK).tolist() == [[3, 5], [4, 1]]
    ring_or_block = np.zeros((6, 12), np.uint8)
    ring_or_block[:4, :4] = 1
    ring_or_block[1:3, 1:3] = 0  # 12 pixels, 16 when filled
    ring_or_block[:2, 5:12] = 1  # 14 pixels
    assert Postprocess(keep="largest").clean(ring_or_block)[0].tolist() == [0] * 5 + [1] * 7
    assert Postprocess(keep="largest", fill_holes=True).clean(ring_or_block)[0].tolist() == [1] * 4 + [0] * 8
    equal = np.array([[1, 0, 1]], np.uint8)
    assert Postprocess(keep="largest").clean(equal).tolist() == [[1, 0, 0]]


@given(seed=st.integers(0, 200), keep=st.sampled_from(("all", "largest")), fill=st.booleans(), size=st.integers(0, 9))
def test_cleaning_twice_changes_nothing_and_the_given_mask_stays(seed: int, keep: str, fill: bool, size: int) -> None:
    mask = np.random.default_rng(seed).choice([0, 0, 1, 2], (9, 10)).astype(np.uint8)
    before, clean = mask.copy(), Postprocess(keep=keep, fill_holes=fill, min_size=size).clean  # type: ignore[arg-type]
    once = clean(mask)
    assert np.array_equal(mask, before)
    for label in (1, 2):
        _, areas = components(once == label)
        assert all(area >= size for area in areas[1:])
        assert keep == "all" or len(areas) <= 2
        if not fill:
            assert not (once[mask != label] == label).any()
    if keep == "all" and not fill:
        assert np.array_equal(clean(once), once)


def test_an_empty_mask_stays_empty() -> None:
    assert not Postprocess(keep="largest", fill_holes=True, min_size=9).clean(np.zeros((4, 5), np.uint8)).any()


def test_the_threshold_is_of_the_foreground() -> None:
    foreground = torch.tensor([[0.2, 0.3, 0.31, 0.9]])[None, None]
    probability = torch.cat([1 - foreground, foreground], dim=1)
    assert Postprocess(threshold=0.3)(probability).tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize("wrong", [{"threshold": 0}, {"threshold": 1.0}, {"keep": "biggest"}, {"min_size": -1}])
def test_what_does_not_fit_is_an_error(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError) as caught:
        Postprocess(**wrong)  # type: ignore[arg-type]
    assert caught.value.code == "value"
