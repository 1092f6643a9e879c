"""A small matrix product as the reference of the utilization, so that tests are fast."""

from collections.abc import Iterator

import pytest

from tmunet_lab.bench.utilization import SIDES


@pytest.fixture(scope="session", autouse=True)
def small_product() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SIDES, "cpu", 512)
        yield
