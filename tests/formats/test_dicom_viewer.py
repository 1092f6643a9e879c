"""Segmentations on the screen of OHIF: the overlay is where the mask is. `tools/ohif_screenshot.py` says what to install."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tmunet.formats.dicom_seg import SegmentationModel, SegmentationType, write_segmentation

from .dicom_sources import make, read, save

pytestmark = pytest.mark.nightly
TOOL = Path(__file__).parents[2] / "tools" / "ohif_screenshot.py"
OHIF = os.environ.get("TMUNET_OHIF", "")
ROWS, COLUMNS = slice(10, 30), slice(50, 80)
VIEWPORT = (slice(145, 600), slice(290, 960))  # of the page, without its tools


def box(region: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    return int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])


@pytest.mark.parametrize(
    ("kind", "type_"),
    [("ultrasound", "BINARY"), ("ultrasound-loop", "BINARY"), ("ct", "BINARY"), ("endoscopy", "LABELMAP")],
)
def test_ohif_draws_the_mask_where_it_is(tmp_path: Path, kind: str, type_: SegmentationType) -> None:
    if not (Path(OHIF) / "package" / "dist").is_dir():
        pytest.skip("set TMUNET_OHIF to the folder with OHIF that tools/ohif_screenshot.py describes")
    if any(shutil.which(name) is None for name in ("Orthanc", "node", "chromium", "unshare")):
        pytest.skip("orthanc, node, chromium or unshare is not installed")
    frames = 3 if kind.endswith("loop") else 1
    gray = kind == "ct"
    size = (64, 93)  # Orthanc serves no single frame of one bit a pixel of this width
    mask = np.zeros((frames, *size), np.uint8)
    mask[:, ROWS, COLUMNS] = 1
    pixels = np.where(mask, 160, 60).astype(np.uint16 if gray else np.uint8)
    tags = {"WindowCenter": 128, "WindowWidth": 256} if gray else {}
    image = make(kind, size=size, pixels=pixels if gray else np.repeat(pixels[..., None], 3, axis=3), **tags)
    source = read(save(tmp_path / "image.dcm", image))
    write_segmentation(
        tmp_path / "seg.dcm", source, mask, ("background", "lesion"), SegmentationModel("tmunet_t", "0" * 64), type_
    )
    command = [sys.executable, TOOL, OHIF, tmp_path, tmp_path / "image.dcm", tmp_path / "seg.dcm"]
    done = subprocess.run(["unshare", "--net", *command], capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    said = (tmp_path / "console.txt").read_text("utf-8")
    assert [line for line in said.splitlines() if line.startswith(("error", "page error"))] == []
    before, after = (
        np.asarray(Image.open(tmp_path / f"{name}.png").convert("RGB")).astype(int)[VIEWPORT]
        for name in ("before", "after")
    )
    bright = (before.min(2) > 130) & (before.max(2) < 190) & (np.ptp(before, axis=2) < 12)
    orange = after[..., 0] - after[..., 2] > 60
    assert bright.sum() > 1000
    assert not (before[..., 0] - before[..., 2] > 60).any()
    assert np.abs(np.subtract(box(orange), box(bright))).max() <= 3
