"""Clips made by ffmpeg itself: constant and variable frame rate, rotated, interlaced, cut off."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

PATTERN = "testsrc2=size=96x64:rate=25:duration=1"


def ffmpeg(*words: object) -> str:
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, words)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cfr.mp4, vfr.mp4, rotated.mp4, interlaced.mp4 (pixels 64:45), cut.mp4, headless.mp4, odd.mkv (33x21)."""
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        pytest.skip("ffmpeg and ffprobe are not installed")
    folder = tmp_path_factory.mktemp("clips")
    pixels = ("-pix_fmt", "yuv420p")
    ffmpeg("-f", "lavfi", "-i", PATTERN, *pixels, "-movflags", "+faststart", folder / "cfr.mp4")
    select = "select='not(mod(n,3))+not(mod(n,5))'"  # frames 0, 3, 5, 6, 9, 10, 12, ...
    ffmpeg("-f", "lavfi", "-i", PATTERN, "-vf", select, "-vsync", "vfr", *pixels, folder / "vfr.mp4")
    ffmpeg("-i", folder / "cfr.mp4", "-metadata:s:v:0", "rotate=90", "-c", "copy", folder / "rotated.mp4")
    fields = "tinterlace=interleave_top,setfield=tff,setsar=64/45"
    coded = ("-c:v", "mpeg2video", "-qscale:v", "2", "-flags", "+ilme+ildct", *pixels)
    ffmpeg("-f", "lavfi", "-i", PATTERN.replace("25", "50"), "-vf", fields, *coded, folder / "interlaced.mkv")
    odd = "testsrc=size=33x21:rate=25:duration=1"
    ffmpeg("-f", "lavfi", "-i", odd, "-c:v", "ffv1", "-pix_fmt", "bgr0", folder / "odd.mkv")
    whole = (folder / "cfr.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) * 9 // 10])
    (folder / "headless.mp4").write_bytes(whole[:200])
    return folder


@pytest.fixture(scope="session")
def hashes() -> Callable[..., list[str]]:
    """MD5 of each frame in RGB, as ffmpeg itself says it."""

    def read(path: Path, *filters: str) -> list[str]:
        through = ("-vf", ",".join(filters)) if filters else ()
        said = ffmpeg("-i", path, *through, "-vsync", "passthrough", "-pix_fmt", "rgb24", "-f", "framemd5", "-")
        return [line.split(",")[-1].strip() for line in said.splitlines() if not line.startswith("#")]

    return read
