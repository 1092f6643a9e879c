"""Two builds of the wheel from the same files are equal byte by byte, whenever and wherever they are made."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("src", "pyproject.toml", "README.md", "LICENSE")


def build(folder: Path, date: int) -> Path:
    """Build a wheel from a copy of the sources whose files were all changed at another time."""
    folder.mkdir()
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    for path in folder.rglob("*"):
        os.utime(path, (date, date))
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-w",
        "dist",
        ".",
    ]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, timeout=300)
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("hatchling") is None, reason="needs the build backend hatchling")
def test_two_builds_give_the_same_wheel(tmp_path: Path) -> None:
    first, second = build(tmp_path / "a", 1_600_000_000), build(tmp_path / "b", 1_650_000_000)
    assert first.name == second.name
    with zipfile.ZipFile(first) as archive:
        assert "tmunet/__init__.py" in archive.namelist()
    assert hashlib.sha256(first.read_bytes()).hexdigest() == hashlib.sha256(second.read_bytes()).hexdigest()
