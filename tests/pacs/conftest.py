"""An archive that is empty."""

from collections.abc import Iterator

import pytest

from .archives import FakeArchive, fake_archive

pytest.importorskip("requests")


@pytest.fixture
def archive() -> Iterator[FakeArchive]:
    with fake_archive() as one:
        yield one
