"""An archive that is empty, and an extra that may be missing."""

from collections.abc import Iterator

import pytest

for package in ("pydicom", "requests"):
    pytest.importorskip(package)

from .archives import FakeArchive, fake_archive


@pytest.fixture
def archive() -> Iterator[FakeArchive]:
    with fake_archive() as one:
        yield one
