"""Preparation and cache: what a network sees is what the file holds, resized and scaled, once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tmunet.data.cached_dataset import cache_cases
from tmunet.data.data_config import Preprocess
from tmunet.data.dataset import open_dataset
from tmunet.data.preprocess import IMAGENET_MEAN, IMAGENET_SD, normalize, prepare, resize_image, resize_mask, unit
from tmunet.data.reader import load_case
from tmunet.visualize import to_rgb8


def test_the_cache_holds_every_case_prepared(make_dataset: Callable[..., Path]) -> None:
    dataset = open_dataset(make_dataset())
    preprocess = Preprocess(size=32)
    cases, _, faults = cache_cases(dataset.cases, dataset.info, preprocess)
    assert not faults
    batch = cases.__getitems__([3, 0])
    for row, index in enumerate([3, 0]):
        loaded = load_case(dataset.cases[index], dataset.info)
        np.testing.assert_array_equal(batch["image"][row].numpy().transpose(1, 2, 0), prepare(loaded.image, preprocess))
        np.testing.assert_array_equal(batch["mask"][row].numpy(), resize_mask(loaded.mask, (32, 32)))
    assert batch["case"].tolist() == [3, 0]
    assert len(cases) == len(dataset.cases)
    assert torch.equal(cases[3]["image"][0], batch["image"][0])


def test_the_hash_follows_the_pixels(make_dataset: Callable[..., Path]) -> None:
    dataset = open_dataset(make_dataset())
    first, _, _ = cache_cases(dataset.cases, dataset.info, Preprocess(size=32))
    again, _, _ = cache_cases(dataset.cases, dataset.info, Preprocess(size=32))
    assert first.sha256() == again.sha256()
    mask = np.asarray(Image.open(dataset.cases[0].mask)).copy()
    mask[20:28, 20:28] ^= 1
    Image.fromarray(mask).save(dataset.cases[0].mask)
    changed, _, _ = cache_cases(dataset.cases, dataset.info, Preprocess(size=32))
    assert changed.sha256() != first.sha256()


def test_8_and_16_bit_images_mix_without_loss(make_dataset: Callable[..., Path]) -> None:
    folder = make_dataset(train=3, val=0, test=0, side=32)
    gray = np.arange(32 * 32, dtype=np.uint16).reshape(32, 32) * 64
    Image.fromarray(gray).save(folder / "images" / "case1.png")
    dataset = open_dataset(folder)
    cases, _, faults = cache_cases(dataset.cases, dataset.info, Preprocess(size=32))
    assert not faults
    assert cases.images.dtype == np.uint16
    np.testing.assert_array_equal(cases.images[1, 0], gray)
    eight = load_case(dataset.cases[0], dataset.info).image.transpose(2, 0, 1)
    scaled = unit(cases.__getitems__([0])["image"])[0]
    torch.testing.assert_close(scaled, unit(torch.from_numpy(eight.copy())))


def test_faults_of_all_cases_are_reported_at_once(make_dataset: Callable[..., Path]) -> None:
    folder = make_dataset()
    (folder / "images" / "case2.png").write_bytes(b"not an image")
    Image.fromarray(np.full((48, 48), 7, np.uint8)).save(folder / "masks" / "case5.png")
    dataset = open_dataset(folder)
    _, _, faults = cache_cases(dataset.cases, dataset.info, Preprocess(size=32))
    assert len(faults) == 2
    assert "case2" in faults[0]
    assert "case5" in faults[1]


def test_normalization_for_efficientnet_lite_has_the_numbers_of_its_authors() -> None:
    bytes_ = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    for channels in (1, 3, 5):
        result = normalize(unit(bytes_.repeat(1, channels, 1, 1)), "efficientnet_lite")
        expected = (np.arange(256).reshape(1, 1, 16, 16) - 127) / 128
        np.testing.assert_allclose(result.numpy(), np.repeat(expected, channels, 1), atol=1e-6)


def test_normalization_by_imagenet_and_by_the_image() -> None:
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    expected = (images.numpy() - np.reshape(IMAGENET_MEAN, (3, 1, 1))) / np.reshape(IMAGENET_SD, (3, 1, 1))
    np.testing.assert_allclose(normalize(images, "imagenet").numpy(), expected, rtol=1e-5)
    own = normalize(images, "image")
    np.testing.assert_allclose(own.mean((1, 2, 3)).numpy(), 0, atol=1e-5)
    np.testing.assert_allclose(own.std((1, 2, 3)).numpy(), 1, rtol=1e-4)
    assert normalize(torch.full((1, 3, 8, 8), 0.3), "image").abs().max() < 1e-3
    assert normalize(images[:, :1], "imagenet").shape == (2, 1, 8, 8)


@given(st.integers(33, 90), st.integers(33, 90), st.integers(32, 100))
@settings(max_examples=30, deadline=None)
def test_resizing_keeps_constants_and_invents_no_label(height: int, width: int, side: int) -> None:
    for dtype, value in ((np.uint8, 201), (np.uint16, 40001)):
        resized = resize_image(np.full((height, width, 2), value, dtype), (side, side))
        assert resized.dtype == dtype
        assert (resized == value).all()
    mask = np.random.default_rng(height).choice(np.array([0, 2, 255], np.uint8), (height, width))
    assert set(np.unique(resize_mask(mask, (side, side)))) <= {0, 2, 255}


def test_a_mask_survives_the_way_to_another_size_and_back() -> None:
    y, x = np.mgrid[:300, :200]
    mask = (((y - 140) / 60) ** 2 + ((x - 90) / 40) ** 2 < 1).astype(np.uint8)
    back = resize_mask(resize_mask(mask, (512, 512)), (300, 200))
    assert (mask & back).sum() / (mask | back).sum() >= 0.99


def test_image_and_mask_made_smaller_stay_on_each_other() -> None:
    y, x = np.mgrid[:256, :256]
    disc = ((y - 100) ** 2 + (x - 90) ** 2 < 40**2).astype(np.uint8)

    def center(weights: np.ndarray) -> np.ndarray:
        pixel = np.stack(np.mgrid[: len(weights), : len(weights)]) + 0.5
        return np.asarray((pixel * weights).sum((1, 2)) / weights.sum() * 256 / len(weights))

    for side in (64, 85, 100, 128, 200):
        image = resize_image(disc[..., None] * np.uint8(255), (side, side))[..., 0].astype(float)
        # a nearest neighbor is at most half a pixel of the original off, and a small disc has few pixels
        apart = np.abs(center(image) - center(resize_mask(disc, (side, side)).astype(float)))
        assert apart.max() <= 0.75, side


@pytest.mark.parametrize("bad", [{"size": 16}, {"channels": 0}, {"channels": 4}])
def test_preparations_that_make_no_sense_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="Expected"):
        Preprocess(**bad)


def test_pictures_for_eyes_are_8_bit_rgb() -> None:
    dark = np.zeros((10, 10, 1), np.uint16)
    dark[2:8, 2:8] = 300
    picture = to_rgb8(dark)
    assert picture.shape == (10, 10, 3)
    assert picture.max() == 255
    many = to_rgb8(np.zeros((4, 4, 5), np.uint8))
    assert many.shape == (4, 4, 3)
