"""`tmunet video`: a file in, an overlay video, a label track, a table and a summary out, or nothing at all."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tmunet import Predictor
from tmunet.video.ffmpeg import open_source
from tmunet.video.frame_reader import Frame, FrameReader

from ..interrupts import hear_interrupts
from .conftest import Answer

Run = Callable[..., Answer]
pytestmark = [
    pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed"),
    pytest.mark.filterwarnings("ignore::tmunet.errors.TMUNetWarning"),
]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Ten frames at varying intervals."""
    path = tmp_path / "clip.mp4"
    words = ["-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25:duration=1", "-vf", "select=lt(mod(n\\,5)\\,2)"]
    subprocess.run(
        ["ffmpeg", "-v", "error", *words, "-vsync", "vfr", "-pix_fmt", "yuv420p", path], check=True, timeout=60
    )
    return path


def frames_of(path: Path) -> list[Frame]:
    return list(FrameReader(open_source(str(path))))


def test_a_clip_becomes_an_overlay_a_label_track_a_table_and_a_summary(
    tmunet: Run, model: Path, clip: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    files = [out / name for name in ("o.mp4", "l.mkv", "t.csv", "s.json")]
    flags = [word for pair in zip(("-o", "--labels", "--csv", "--json"), files, strict=True) for word in pair]
    answer = tmunet("video", clip, "-m", model, *flags, "--backend", "torch", "--device", "cpu")
    assert answer.code == 0, answer.err
    assert sorted(out.iterdir()) == sorted(files)
    frames, predictor = frames_of(clip), Predictor(model, device="cpu")
    found = [predictor(frame.pixels) for frame in frames]
    masks = [one.mask for one in found]
    times = [Fraction(n, 25) for n in range(25) if n % 5 < 2]
    assert [frame.time for frame in frames] == times
    labels = frames_of(files[1])
    assert [frame.time for frame in labels] == times
    assert all(np.array_equal(one.pixels[..., 0], mask) for one, mask in zip(labels, masks, strict=True))
    shown = frames_of(files[0])
    assert [frame.time for frame in shown] == times
    assert any(
        np.abs(one.pixels.astype(int) - frame.pixels).mean() > 1 for one, frame in zip(shown, frames, strict=True)
    )
    rows = list(csv.DictReader(files[2].open(encoding="utf-8")))
    assert [(row["frame"], row["time_s"], row["status"]) for row in rows] == [
        (str(number), f"{float(moment):.6f}", "predicted") for number, moment in enumerate(times)
    ]
    assert [int(row["pixels_foreground"]) for row in rows] == [int(mask.sum()) for mask in masks]
    assert [float(row["agreement"]) for row in rows] == pytest.approx(
        [one.confidence.agreement for one in found], abs=1e-3
    )
    assert [row["flags"] for row in rows] == [", ".join(one.confidence.flags) for one in found]
    summary = json.loads(files[3].read_text("utf-8"))
    assert summary["frames_flagged"] == sum(bool(one.confidence.flags) for one in found)
    assert (summary["frames_read"], summary["frames_predicted"], summary["frames_dropped"]) == (10, 10, 0)
    assert summary["longest_interval_ms"] == pytest.approx(160)
    assert 0 < summary["latency"]["p50_ms"] <= summary["latency"]["p95_ms"] <= summary["latency"]["p99_ms"]


def test_in_real_time_every_frame_is_predicted_or_dropped(tmunet: Run, model: Path, clip: Path, tmp_path: Path) -> None:
    flags = ("-o", tmp_path / "o.mkv", "--csv", tmp_path / "t.csv", "--real-time", "--hysteresis", "--backend", "torch")
    assert tmunet("video", clip, "-m", model, *flags).code == 0
    rows = list(csv.DictReader((tmp_path / "t.csv").open(encoding="utf-8")))
    assert [row["frame"] for row in rows] == [str(number) for number in range(10)]
    predicted = [row for row in rows if row["status"] == "predicted"]
    assert all(row["status"] in ("predicted", "dropped") for row in rows)
    assert [f"{float(frame.time):.3f}" for frame in frames_of(tmp_path / "o.mkv")] == [
        row["time_s"][:-3] for row in predicted
    ]


def test_a_clip_that_was_cut_off_leaves_nothing(tmunet: Run, model: Path, clip: Path, tmp_path: Path) -> None:
    whole, cut, out = tmp_path / "whole.mkv", tmp_path / "cut.mkv", tmp_path / "out"
    subprocess.run(["ffmpeg", "-v", "error", "-i", clip, "-c", "copy", whole], check=True, timeout=60)
    cut.write_bytes(whole.read_bytes()[:-1500])
    flags = ("-o", out / "o.mp4", "--labels", out / "l.mkv", "--csv", out / "t.csv", "--backend", "torch")
    answer = tmunet("video", cut, "-m", model, *flags)
    assert (answer.code, answer.error, answer.paths) == (3, "damaged", (cut,))
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (("-o", "o.avi"), "suffix"),
        (("-o", "o.mp4", "--labels", "l.mp4"), "suffix"),
        (("-o", "o.mp4", "--csv", "t.txt"), "suffix"),
        (("-o", "o.mkv", "--labels", "o.mkv"), "same-file"),
        ((), "missing"),
    ],
)
def test_names_are_checked_before_anything_is_read(
    tmunet: Run, clip: Path, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], error: str
) -> None:
    monkeypatch.chdir(clip.parent)
    answer = tmunet("video", clip, *flags)
    assert (answer.code, answer.error) == (2, error)
    assert list(clip.parent.iterdir()) == [clip]


def test_a_clip_is_not_overwritten(tmunet: Run, clip: Path) -> None:
    assert tmunet("video", clip, "-o", clip).error == "same-file"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_pipe_is_read_and_an_interrupt_leaves_nothing(model: Path, clip: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tmunet", "video", "-", "-m", model, "--backend", "torch", "-o"]
    with clip.open("rb") as stream:  # an MP4 that is not laid out for streaming still works where the pipe is a file
        done = subprocess.run([*command, tmp_path / "o.mkv"], stdin=stream, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(frames_of(tmp_path / "o.mkv")) == 10
    out = tmp_path / "out"
    reading, writing = os.pipe()  # never a byte
    process = subprocess.Popen(
        [*command, out / "o.mkv"], stdin=reading, stderr=subprocess.DEVNULL, preexec_fn=hear_interrupts
    )
    limit = time.monotonic() + 60
    while not out.exists() and time.monotonic() < limit:
        time.sleep(0.1)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    os.close(reading)
    os.close(writing)
    assert list(out.iterdir()) == []
