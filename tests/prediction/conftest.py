"""Random pictures."""

from collections.abc import Callable

import numpy as np
import pytest


@pytest.fixture
def noise() -> Callable[..., np.ndarray]:
    generator = np.random.default_rng(3)

    def draw(*shape: int, dtype: type = np.uint8) -> np.ndarray:
        return generator.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)

    return draw
