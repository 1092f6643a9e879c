"""Images and masks of a torch Dataset: what is taken as it is, and what is refused."""

from typing import Any

import numpy as np
import pytest
import torch

from tmunet.data.array_items import to_label_mask, to_pixels
from tmunet.data.cases import DatasetInfo
from tmunet.data.item_dataset import dataset_of_items
from tmunet.data.reader import load_case, map_cases
from tmunet.errors import DataError, InputError

RANDOM = np.random.default_rng(1)
EIGHT = RANDOM.integers(0, 256, (5, 7, 3), dtype=np.uint8)
TWO, THREE = DatasetInfo("x"), DatasetInfo("x", ("background", "a", "b"), 255)


def test_tensors_have_their_channels_first_and_arrays_last() -> None:
    assert np.array_equal(to_pixels(EIGHT), EIGHT)
    assert np.array_equal(to_pixels(torch.from_numpy(EIGHT).permute(2, 0, 1)), EIGHT)
    for plane in (EIGHT[..., 0], torch.from_numpy(EIGHT[..., 0].copy())):
        assert np.array_equal(to_pixels(plane), EIGHT[..., :1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_become_what_they_came_from(dtype: type) -> None:
    assert np.array_equal(to_pixels(EIGHT.astype(dtype) / 255), EIGHT)
    deep = EIGHT.astype(np.uint16) * 201
    found = to_pixels(deep.astype(dtype) / 65535)
    assert found.dtype == np.uint16
    assert np.array_equal(found, deep)


@pytest.mark.parametrize(
    "image",
    [
        EIGHT.astype(np.float32),
        EIGHT / 255 - 0.5,
        np.full((4, 4), np.nan),
        EIGHT.astype(np.int64),
        np.zeros((2, 3, 4, 5), np.uint8),
        np.zeros((0, 4), np.uint8),
    ],
)
def test_normalized_images_and_other_shapes_are_refused(image: Any) -> None:
    with pytest.raises(InputError):
        to_pixels(image)


@pytest.mark.parametrize("kind", [np.bool_, np.uint8, np.int64, np.float32])
def test_masks_of_two_classes(kind: type) -> None:
    mask = np.array([[0, 1], [1, 0]])
    for given in (mask.astype(kind), torch.from_numpy(mask.astype(kind))[None]):
        assert to_label_mask(given, TWO).tolist() == mask.tolist()
    if kind != np.bool_:
        assert to_label_mask((mask * 255).astype(kind), TWO).tolist() == mask.tolist()


def test_masks_of_several_classes_and_what_is_no_label() -> None:
    assert to_label_mask(np.array([[0, 2], [255, 1]]), THREE).tolist() == [[0, 2], [255, 1]]
    wrong = ([[0, 3]], [[0.5, 1]], [[-1, 0]], [[np.nan, 0]])
    for values in wrong:
        with pytest.raises(InputError):
            to_label_mask(np.array(values), THREE)
    for values in ([[0, 2]], [[0, 1, 255]], [0, 1], np.zeros((2, 3, 3))):
        with pytest.raises(InputError):
            to_label_mask(np.array(values), TWO)


def test_faults_of_items_name_them_all() -> None:
    items: list[Any] = [
        (EIGHT, np.zeros((5, 7))),
        (EIGHT, np.zeros((5, 6))),
        {"image": EIGHT},
        (EIGHT / 9, np.zeros((5, 7))),
    ]
    dataset = dataset_of_items({"train": items}, TWO.classes)
    assert np.array_equal(load_case(dataset.cases[0], dataset.info).image, EIGHT)
    with pytest.raises(DataError):
        load_case(dataset.cases[1], dataset.info)
    faults = map_cases(dataset.subset("train"), dataset.info, lambda *_: None)
    assert [fault.split(":")[0] for fault in faults] == ["train1", "train2", "train3"]
