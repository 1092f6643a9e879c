"""A sound data set to seed defects into."""

from pathlib import Path

import pytest

from .corpus import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    sound = Folder(tmp_path / "set")
    sound.control()
    return sound
