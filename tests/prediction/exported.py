"""The sample images, and the script of an exported model in a process that has no torch."""

import subprocess
import sys
from pathlib import Path

from tmunet.prediction.predictor import packaged_model

SAMPLE = packaged_model().parents[1] / "sample" / "images"
WITHOUT_TORCH = """
import runpy, sys
sys.modules["torch"] = sys.modules["tmunet"] = None  # importing them fails
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run_exported(
    folder: Path, *images: Path | str, out: Path, size: int | None = None, bfloat16: bool = False
) -> subprocess.CompletedProcess[str]:
    """`python run.py IMAGES -o OUT [--size SIZE] [--bfloat16]`."""
    options = ([] if size is None else ["--size", str(size)]) + ["--bfloat16"] * bfloat16
    words = [sys.executable, "-c", WITHOUT_TORCH, folder / "run.py", *images, "-o", out, *options]
    return subprocess.run(words, capture_output=True, text=True, timeout=120)
