"""A large slide in a process of its own: memory, time beside the network's, and the same bytes after it was killed."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

pytest.importorskip("tiffslide")
pytest.importorskip("monai")
pytestmark = pytest.mark.slow

PROGRAM = """
import json, resource, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
from small_models import bright_model
from tmunet.prediction.slide import create_slide_predictor, predict_slide
predictor = create_slide_predictor([bright_model(size=int(sys.argv[4]))])
times = []
begin = time.process_time()
done = predict_slide(predictor, Path(sys.argv[2]), Path(sys.argv[3]), 0.5, batch=lambda: times.append(time.process_time()))
end = time.process_time()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps({"gigabytes": peak, "after": end - times[-1] if times else 0.0, "objects": done.objects}))
"""
TESTS = Path(__file__).parents[1]


def write_large_slide(path: Path, side: int) -> Path:
    """A tiled slide of bright cells in purple tissue, written tile by tile."""
    y, x = np.mgrid[:256, :256]
    cells = (y % 32 - 16) ** 2 + (x % 32 - 16) ** 2 < 80
    tile = np.where(cells[..., None], (200, 160, 210), (120, 40, 130)).astype(np.uint8)
    count = -(-side // 256)

    def tiles() -> Iterator[np.ndarray]:
        for _ in range(count * count):
            yield tile

    resolution = (1e4 / 0.5, 1e4 / 0.5)
    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        tiff.write(
            tiles(), shape=(side, side, 3), dtype=np.uint8, tile=(256, 256), photometric="rgb", compression="zlib",
            resolution=resolution, resolutionunit="CENTIMETER",
        )  # fmt: skip
    return path


def command(slide: Path, out: Path, size: int = 256) -> list[str]:
    return [sys.executable, "-c", PROGRAM, str(TESTS), str(slide), str(out), str(size)]


@pytest.mark.parametrize("side", [8_000, pytest.param(20_000, marks=pytest.mark.nightly)])
def test_a_large_slide_takes_a_gigabyte_and_a_half_at_most(tmp_path: Path, side: int) -> None:
    slide = write_large_slide(tmp_path / "s.tif", side)
    done = subprocess.run(command(slide, tmp_path / "out"), capture_output=True, text=True, timeout=3000, check=True)
    measured = json.loads(done.stdout.splitlines()[-1])
    assert measured["gigabytes"] <= 1.5
    assert measured["objects"] == (side // 32) ** 2


def test_a_killed_process_is_continued_with_the_same_bytes(tmp_path: Path) -> None:
    slide = write_large_slide(tmp_path / "s.tif", 3000)
    subprocess.run(command(slide, tmp_path / "whole", 128), capture_output=True, timeout=300, check=True)
    out = tmp_path / "out"
    for blocks in (2, 6):
        process = subprocess.Popen(command(slide, out, 128), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and len(list((out / "s.blocks").glob("[0-9]*.npz"))) < blocks:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command(slide, out, 128), capture_output=True, timeout=300, check=True)
    expected = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    assert {path.name: path.read_bytes() for path in out.iterdir()} == expected
