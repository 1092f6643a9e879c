"""The demo as a user runs it: real processes, real images, a page in the end."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from tmunet.data.io.masks import read_mask


def demo(folder: Path, *flags: str) -> str:
    command = [sys.executable, "-m", "tmunet", "demo", *flags]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_demo_trains_scores_predicts_and_reports_and_does_so_again(tmp_path: Path) -> None:
    first = demo(tmp_path, "--epochs=2")
    run = tmp_path / "runs" / "demo"
    scores = run / "evaluation" / "nuclei-sample-test-strict-tta"
    assert "14 test images of nuclei-sample, protocol strict" in first
    assert f"Report: {scores.relative_to(tmp_path) / 'report.html'}" in first
    assert "Mean Dice" in first
    with (scores / "per_image.csv").open(newline="") as file:
        cases = [row["case"] for row in csv.DictReader(file)]
    assert len(cases) == 14
    for case in cases:
        assert read_mask(run / "masks" / f"{case}.png", ("background", "nucleus")).shape == (256, 256)
        assert (run / "masks" / "overlays" / f"{case}.png").is_file()
    page = (scores / "report.html").read_text()
    assert cases[0] in page
    assert "not a medical device" in page

    again = demo(tmp_path, "--epochs=1")
    assert (tmp_path / "runs" / "demo-2" / "model" / "model.safetensors").is_file()
    assert "runs/demo-2" in again.replace("\\", "/")


@pytest.mark.slow
def test_an_interrupted_demo_is_continued(tmp_path: Path) -> None:
    demo(tmp_path, "--epochs=1")
    run = tmp_path / "runs" / "demo"
    for file in (run / "model").iterdir():  # as if it had been stopped before the model was written
        file.unlink()
    (run / "model").rmdir()
    assert "Resuming the interrupted demo in" in demo(tmp_path)
    assert (run / "model" / "model.safetensors").is_file()
