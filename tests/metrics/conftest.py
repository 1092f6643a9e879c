"""Random pairs of masks for the tests against oracles."""

import numpy as np
import pytest

from tmunet.metrics import Mask


def _random_mask(generator: np.random.Generator, shape: tuple[int, int]) -> Mask:
    kind = generator.choice(["empty", "full", "pixel", "noise", "dense", "border", "ellipse"])
    mask = np.zeros(shape, dtype=bool)
    row, column = (int(generator.integers(side)) for side in shape)
    if kind == "full":
        mask[:] = True
    elif kind == "pixel":
        mask[row, column] = True
    elif kind in ("noise", "dense"):
        mask = generator.random(shape) < (0.2 if kind == "noise" else 0.8)
    elif kind == "border":
        mask[: row + 1, -column - 1 :] = True
    elif kind == "ellipse":
        rows, columns = np.indices(shape)
        mask = ((rows - row) / (shape[0] / 3)) ** 2 + ((columns - column) / (shape[1] / 4)) ** 2 <= 1
    return mask


@pytest.fixture(scope="session")
def pairs() -> list[tuple[Mask, Mask]]:
    """Three hundred pairs of every kind, from 1 x 1 to 10 x 10, a quarter of them with an empty mask."""
    generator = np.random.default_rng(20240)
    shapes = [(int(h), int(w)) for h, w in generator.integers(1, 11, size=(300, 2))]
    return [(_random_mask(generator, shape), _random_mask(generator, shape)) for shape in shapes]


@pytest.fixture(scope="session")
def found_pairs(pairs: list[tuple[Mask, Mask]]) -> list[tuple[Mask, Mask]]:
    """The pairs with an object in both masks."""
    return [(preds, target) for preds, target in pairs if preds.any() and target.any()]
