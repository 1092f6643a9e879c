"""Seeded defects: each is put into a sound data set, and says which findings it must lead to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

Expected = frozenset[tuple[str, str]]
"""(kind, file); the file is "" for a finding about no file."""

SHAPE = (48, 64)
CONTROL = tuple(f"control{i}" for i in range(4))


@dataclass(frozen=True)
class Defect:
    """What is wrong, and what must be found: by kind, the files concerned."""

    name: str
    seed: Callable[["Folder"], None]
    expected: Expected


class Folder:
    """A data set folder that cases are written into; every picture is of noise of its own, so that none is a twin."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._random = np.random.default_rng(11)
        for sub in ("images", "masks"):
            (path / sub).mkdir(parents=True)

    def noise(self, *shape: int, high: int = 255, dtype: type = np.uint8) -> np.ndarray:
        return self._random.integers(0, high, shape or (*SHAPE, 3), dtype=dtype, endpoint=True)

    def image(self, name: str, picture: np.ndarray | None = None, **options: object) -> Path:
        return self.save(f"images/{name}", self.noise() if picture is None else picture, **options)

    def mask(self, name: str, picture: np.ndarray | None = None, **options: object) -> Path:
        return self.save(f"masks/{name}", disc() * 255 if picture is None else picture, **options)

    def save(self, name: str, picture: np.ndarray, **options: object) -> Path:
        Image.fromarray(picture).save(self.path / name, **options)
        return self.path / name

    def case(self, name: str, image: np.ndarray | None = None, mask: np.ndarray | None = None) -> None:
        self.image(f"{name}.png", image)
        self.mask(f"{name}.png", mask)

    def control(self) -> None:
        for name in CONTROL:
            self.case(name)


def disc(shape: tuple[int, int] = SHAPE, radius: float = 12) -> np.ndarray:
    """(H, W) uint8 of 0 and 1."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    return ((y - shape[0] / 2) ** 2 + (x - shape[1] / 2) ** 2 < radius**2).astype(np.uint8)


def catalogue(into: list[Defect]) -> Callable[..., Callable[[Callable[[Folder], None]], Callable[[Folder], None]]]:
    """A decorator that adds a seeding function to a list, with the findings that it must lead to."""

    def defect(
        **expected: str | tuple[str, ...],
    ) -> Callable[[Callable[[Folder], None]], Callable[[Folder], None]]:
        def add(seed: Callable[[Folder], None]) -> Callable[[Folder], None]:
            into.append(Defect(seed.__name__, seed, _pairs(expected)))
            return seed

        return add

    return defect


def _pairs(expected: Mapping[str, str | tuple[str, ...]]) -> Expected:
    return frozenset(
        (kind.replace("_", "-"), file)
        for kind, files in expected.items()
        for file in ((files,) if isinstance(files, str) else files)
    )
