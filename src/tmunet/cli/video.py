"""`tmunet video`: segment a video, frame by frame."""

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tmunet.cli.parser import parse
from tmunet.cli.process_setup import prepare_process
from tmunet.prediction.backends.names import BackendChoice, Precision
from tmunet.text import pluralize


@dataclass(frozen=True)
class VideoConfig:
    """Segment a video, and write it with the outlines of the masks. Needs the program ffmpeg."""

    video: str
    """File, - or camera."""
    out: str
    """Video to write, with the outlines of the masks: .mp4, .mov or .mkv. An existing file is replaced once all went well."""
    model: list[str] = field(default_factory=list)
    """Run or model folder, or user/name on the Hugging Face Hub; by default nuclei-t. Given several times, the probabilities are
    averaged."""
    labels: str | None = None
    """Also write the labels 0, 1, ... of each frame as a lossless video: .mkv, codec FFV1, gray."""
    csv: str | None = None
    """Also write a CSV file with a row for every frame: time, predicted or dropped, latency, pixels of each class,
    confidence of the mask."""
    json: str | None = None
    """Also write counts of frames and percentiles of the latency as JSON."""
    real_time: bool = False
    """Read a file no faster than it is shown; while the network is busy, drop the oldest frame that waits, and count it. A camera
    is always read so."""
    hysteresis: bool = False
    """Temporal hysteresis: a small region appears once two frames in a row have it, and stays while it is faint."""
    backend: BackendChoice = "auto"
    """As for predict; auto is openvino for long videos on a CPU if it is installed, else torch."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute."""
    precision: Precision = "float32"
    """Precision of the network; tf32 on cuda only."""
    threshold: float | None = None
    """Foreground probability above which a pixel is foreground; by default that of the model, or 0.5."""


def run(arguments: Sequence[str]) -> int:
    """Segment a video, and print what was done to it, frames and latency."""
    positional = {"video": "a file, - for standard input, or camera"}
    config = parse(VideoConfig, arguments, "video", positional=positional)
    prepare_process()
    from tmunet.prediction.predictor import DEFAULT_MODEL, Predictor
    from tmunet.video.ffmpeg import open_source
    from tmunet.video.segment import check_names, segment_video

    source = open_source(config.video)
    out, labels, table, summary = (
        Path(config.out),
        *(None if name is None else Path(name) for name in (config.labels, config.csv, config.json)),
    )
    check_names(source, out, labels, table, summary)
    if not config.model:
        print(f"No model was named: using {DEFAULT_MODEL}, trained on nuclei. Name yours with -m.", file=sys.stderr)
    for note in source.describe():
        print(note)
    models = config.model or [DEFAULT_MODEL]
    predictor = Predictor(
        models,
        backend=_choose_backend(config, models, source.frames, out),
        device=config.device,
        precision=config.precision,
        threshold=config.threshold,
    )
    with _ended_by_interrupt(source.live) as stop:
        done = segment_video(
            predictor, source, out, labels, table, summary, config.real_time, config.hysteresis, stop
        ).summary()
    print(_format(done, predictor.config.classes, out))
    return 0


def _choose_backend(config: VideoConfig, models: Sequence[str], frames: int | None, out: Path) -> Any:
    """Choose as `predict` does for as many images; of a camera or a pipe nobody knows how many there will be."""
    if config.backend != "auto":
        return config.backend
    from tmunet.device import choose_device
    from tmunet.prediction.choose_backend import MANY, choose_backend

    backend, reason = choose_backend(
        models, None, MANY if frames is None else frames, choose_device(config.device), out / "none"
    )
    if reason:
        print(f"Backend {backend}: {reason}.", file=sys.stderr)
    return backend


@contextmanager
def _ended_by_interrupt(live: bool) -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C end a recording, whose files are kept; other videos it interrupts, and nothing of them is kept."""
    asked: list[int] = []
    if not live:
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, lambda number, _: asked.append(number))
    print("Recording; Ctrl-C ends it and keeps the files.", file=sys.stderr)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)


def _format(done: dict[str, Any], classes: Sequence[str], out: Path) -> str:
    latency = done["latency"]
    shortest, longest = done["shortest_interval_ms"], done["longest_interval_ms"]
    lines = [
        f"{pluralize(done['frames_read'], 'frame')} read, {done['frames_predicted']:,} predicted, "
        f"{done['frames_dropped']:,} dropped; {done['images_per_second']:.1f} images/s",
        f"Latency: p50 {latency['p50_ms']:.1f}, p95 {latency['p95_ms']:.1f}, p99 {latency['p99_ms']:.1f} ms",
        f"Written: {out}; labels: {', '.join(f'{label} = {name}' for label, name in enumerate(classes))}",
    ]
    if longest is not None and longest > 1.1 * shortest + 1:  # times in whole milliseconds, as of Matroska, vary by one
        lines.insert(1, f"Variable frame rate: {shortest:.0f} to {longest:.0f} ms between frames; each keeps its time.")
    return "\n".join(lines)
