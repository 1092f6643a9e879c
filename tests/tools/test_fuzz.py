"""Damaged files of every kind: nothing but errors of ours leaves a reader, in bounded time and memory; see tools/fuzz.py."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READERS = [
    "png",
    "jpeg",
    "bmp",
    "gif",
    "tiff",
    "nifti",
    "nifti-gz",
    "npz",
    "dicom",
    "dicom-seg",
    "xml",
    "geojson",
    "csv",
    "yaml",
    "dataset-json",
    "split-json",
    "zip",
    "tar",
    "model-config",
    "safetensors",
    "onnx",
    "upload",
    "video",
]
FAST = ("tiff", "dicom", "yaml")  # one of each kind: pixels, headers with lengths, text


def run(*words: str, timeout: float = 3600) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "tools/fuzz.py", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False)


@pytest.mark.parametrize("reader", FAST)
def test_30_damaged_files(reader: str) -> None:
    done = run(reader, "--inputs", "30", "--seed", "1", timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_300_damaged_files(reader: str) -> None:
    done = run(reader, "--inputs", "300", "--seed", "2")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.nightly
@pytest.mark.parametrize("reader", READERS)
def test_10000_damaged_files(reader: str) -> None:
    done = run(reader, "--inputs", "10000", "--seed", "3")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_reader_is_tried() -> None:
    done = run("none")
    assert done.returncode == 2
    assert set(READERS) <= set(done.stderr.replace(",", " ").split())


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("raise KeyError(path.name)", "KeyError"),
        ("import os; os._exit(9)", "died"),
        ("(path.parent / 'stray').touch()", "outside"),
        ("from tmunet.errors import InputError; (out / 'half').touch(); raise InputError('no')", "left"),
    ],
)
@pytest.mark.slow
def test_a_broken_promise_is_seen(tmp_path: Path, body: str, word: str) -> None:
    """A reader that breaks a promise from the second input on."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "fuzz.py").write_bytes((ROOT / "tools" / "fuzz.py").read_bytes())
    (tools / "fuzz_readers.py").write_text(
        "from types import SimpleNamespace\n"
        "def read(path, out):\n"
        "    if path.read_bytes() != b'valid file':\n"
        f"        {body}\n"
        "make = lambda folder: [b'valid file']\n"
        "READERS = {'one': SimpleNamespace(file='a', originals=make, read=read, is_text=False, packages=())}\n"
    )
    done = subprocess.run(
        [sys.executable, str(tools / "fuzz.py"), "one", "--inputs", "3"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert word in done.stdout
