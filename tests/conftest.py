"""For every test: one thread, one seed, and data sets of bright discs on noise, which a network learns in seconds."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image
from torch import nn

from tmunet.files import write_json
from tmunet.macs import count_macs

settings.register_profile("fast", max_examples=30, deadline=None)
settings.register_profile("thorough", max_examples=300, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate-golden", action="store_true", help="write the files of tests/*/golden anew")


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """The networks here are small, and the sums come in the same order every time, as in the tests' own processes."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Exported networks are kept here, not in the folder of who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMUNET_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="session")
def count_each_network_once() -> Iterator[None]:
    """The MACs in reports are those of the same small networks again and again: two thirds of the time of `evaluate`."""
    counted: dict[object, int] = {}

    def count(network: nn.Module, *size: object) -> int:
        key = (*size, *((name, tuple(value.shape)) for name, value in network.named_parameters()))
        if key not in counted:
            counted[key] = count_macs(network, *size)  # type: ignore[arg-type]
        return counted[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tmunet.report.build.count_macs", count)
        yield


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def disc(side: int, random: np.random.Generator) -> np.ndarray:
    """A disc somewhere in a square, (side, side) bool."""
    y, x = np.mgrid[:side, :side]
    center = random.uniform(0.3, 0.7, 2) * side
    return (y - center[0]) ** 2 + (x - center[1]) ** 2 < (random.uniform(0.15, 0.3) * side) ** 2


def write_discs(
    folder: Path, train: int = 8, val: int = 2, test: int = 2, side: int = 48, name: str = "discs", classes: int = 2
) -> Path:
    """A data set folder of images and masks, with as many cases in each subset of its split as asked for."""
    folder = folder / name
    random = np.random.default_rng(7)
    names = [f"case{i}" for i in range(train + val + test)]
    for sub in ("images", "masks"):
        (folder / sub).mkdir(parents=True)
    for i, stem in enumerate(names):
        mask = disc(side, random).astype(np.uint8) * (1 + i % (classes - 1))
        color = np.stack([mask * 60, (mask > 0) * 150, 90 - mask * 30], axis=-1)
        noise = random.integers(0, 60, (side, side, 3))
        Image.fromarray((color + noise).clip(0, 255).astype(np.uint8)).save(folder / "images" / f"{stem}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{stem}.png")
    write_json(
        folder / "split.json",
        {"train": names[:train], "val": names[train : train + val], "test": names[train + val :]},
    )
    if classes > 2:
        write_json(folder / "dataset.json", {"name": name, "classes": ["background", *"abcdefg"[: classes - 1]]})
    return folder


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Path]:
    """`write_discs` into the folder of the test."""
    return partial(write_discs, tmp_path)
