"""Segment a video: decoding, the network, and drawing with encoding run at the same time, each in a thread of its own."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tmunet.errors import UsageError
from tmunet.files import write_csv, write_json
from tmunet.prediction.confidence import CONFIDENCE_COLUMNS, Confidence
from tmunet.prediction.domain_shift import DomainShift
from tmunet.prediction.mask_files import overlay
from tmunet.prediction.pipeline import Prediction, Stages
from tmunet.prediction.predictor import Predictor
from tmunet.video.ffmpeg import Source
from tmunet.video.frame_queue import AbandonedQueueError, FrameQueue
from tmunet.video.frame_reader import Frame, FrameReader
from tmunet.video.frame_writer import LOSSLESS, FrameWriter, overlay_encoder
from tmunet.video.hysteresis import TemporalHysteresis
from tmunet.video.latency import summarize_latency

WAITING = 4  # frames between two threads; in real time the first queue holds one, since the newest frame is the best
VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv")
LOOKS, LOOK_EVERY = 16, 25  # frames that are compared with the training images

Write = Callable[[Frame, Prediction], NDArray[np.uint8]]
"""Writes a frame with its prediction, and returns the mask (H, W) as it was written."""


@dataclass(frozen=True)
class FrameRecord:
    """What became of a frame.

    Attributes:
        number: its place in the video, from 0.
        time: in seconds from the start of the video.
        latency_ms: from when it was read until it was handed to the encoder; None if it was dropped.
        areas: pixels of each class but the background; empty if it was dropped.
        confidence: of its mask, before hysteresis; None if it was dropped.
    """

    number: int
    time: Fraction
    latency_ms: float | None = None
    areas: tuple[int, ...] = ()
    confidence: Confidence | None = None

    @property
    def status(self) -> str:
        """`predicted` or `dropped`."""
        return "dropped" if self.latency_ms is None else "predicted"


@dataclass
class FrameRecords:
    """The records of all frames; of several threads."""

    records: list[FrameRecord] = field(default_factory=list)
    seconds: float = 0.0

    def drop(self, frame: Frame) -> None:
        """Record a frame that made room for a newer one."""
        self.records.append(FrameRecord(frame.number, frame.time))

    def sort(self) -> None:
        """Put the records in the order of the video."""
        self.records.sort(key=lambda record: record.number)

    def summary(self) -> dict[str, Any]:
        """Summarize for JSON: frames read, predicted, dropped and flagged, seconds, images a second, intervals, latency."""
        latencies = [record.latency_ms for record in self.records if record.latency_ms is not None]
        times = [record.time for record in self.records]
        intervals = [float(after - before) for before, after in pairwise(times)]
        return {
            "frames_read": len(self.records),
            "frames_predicted": len(latencies),
            "frames_dropped": len(self.records) - len(latencies),
            "frames_flagged": sum(bool(record.confidence and record.confidence.flags) for record in self.records),
            "seconds": self.seconds,
            "images_per_second": len(latencies) / self.seconds if self.seconds else None,
            "shortest_interval_ms": 1000 * min(intervals) if intervals else None,
            "longest_interval_ms": 1000 * max(intervals) if intervals else None,
            "latency": summarize_latency(latencies),
        }


def predict_frames(
    frames: Iterable[Frame],
    stages: Stages,
    write: Write,
    real_time: bool = False,
    waiting: int = WAITING,
    look: Callable[[Frame], None] = lambda _: None,
    end: Callable[[], None] = lambda: None,
) -> FrameRecords:
    """Predict the frames of a video; three threads overlap: reading, the network (here), drawing with writing.

    Args:
        frames: of a video, read in a thread of its own.
        stages: of a `Predictor`.
        write: called in a thread of its own with each frame and its prediction, in order.
        real_time: while the network is busy the newest frame waits, and the oldest that waits is dropped and recorded; otherwise
            reading waits, and no frame is dropped.
        waiting: frames that wait between two threads at most.
        look: called with each frame that is predicted, such as for statistics.
        end: called at the end, also after an error or Ctrl-C, to end what `frames` waits for.

    Raises:
        Exception: whatever one of the threads raises; the others have ended by then.
    """
    done = FrameRecords()
    read = FrameQueue[Frame](waiting, done.drop if real_time else None)
    drawn = FrameQueue[tuple[Frame, Any]](waiting)
    start = time.perf_counter()

    def reading() -> None:
        try:
            for frame in frames:
                read.put(frame)
            read.close()
        except AbandonedQueueError:
            pass
        except BaseException as error:
            read.close(error)

    failed: list[BaseException] = []

    def drawing() -> None:
        try:
            for frame, probability in drawn:
                done.records.append(_draw(frame, stages, probability, write))
        except BaseException as error:
            failed.append(error)
            drawn.abandon()

    threads = [threading.Thread(target=work, daemon=True) for work in (reading, drawing)]
    for thread in threads:
        thread.start()
    try:
        for frame in read:
            look(frame)
            (probability,) = stages.predict_each([stages.prepare(stages.load(frame.pixels))])
            drawn.put((frame, probability))
        drawn.close()
        threads[1].join()
    except AbandonedQueueError:
        pass
    finally:
        read.abandon()
        drawn.abandon()
        end()
        for thread in threads:
            thread.join()
    if failed:
        raise failed[0]
    done.seconds = time.perf_counter() - start
    done.sort()
    return done


def predict_frames_in_turn(frames: Iterable[Frame], stages: Stages, write: Write) -> FrameRecords:
    """Predict the frames of a video by a plain loop, without threads: what `predict_frames` is compared with."""
    done, start = FrameRecords(), time.perf_counter()
    for frame in frames:
        (probability,) = stages.predict_each([stages.prepare(stages.load(frame.pixels))])
        done.records.append(_draw(frame, stages, probability, write))
    done.seconds = time.perf_counter() - start
    return done


def _draw(frame: Frame, stages: Stages, probability: Any, write: Write) -> FrameRecord:
    prediction = stages.finish(probability, (frame.pixels.shape[0], frame.pixels.shape[1]))
    mask = write(frame, prediction)
    areas = np.bincount(mask.ravel(), minlength=len(prediction.classes))[1:]
    latency = 1000 * (time.perf_counter() - frame.read_at)
    return FrameRecord(frame.number, frame.time, latency, tuple(areas.tolist()), prediction.confidence)


def segment_video(
    predictor: Predictor,
    source: Source,
    out: Path,
    labels: Path | None = None,
    table: Path | None = None,
    summary: Path | None = None,
    real_time: bool = False,
    hysteresis: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> FrameRecords:
    """Write the overlay video of a video, and its label track and table; all files get their names together at the end.

    Args:
        predictor: the model, without a sliding window.
        source: from `open_source`.
        out: video with the outlines of the masks: .mp4, .mov or .mkv.
        labels: also write the labels 0..K-1 of each predicted frame, lossless: FFV1, gray, .mkv.
        table: also write a CSV file with a row for every frame: time, predicted or dropped, latency, pixels of each class,
            confidence of the mask.
        summary: also write the counts and latencies as JSON.
        real_time: read a file no faster than it is shown, and drop the oldest waiting frame rather than lag behind.
        hysteresis: steady small regions over time; see `TemporalHysteresis`.
        stop: asked after each frame; True ends the video there, as of a camera.

    Raises:
        UsageError: a name that does not end as it must, or that two files share.
        InputError: the video is damaged; nothing is written.
        TMUNetError: ffmpeg cannot write ("encode"); nothing is written.
        MissingExtraError: ffmpeg is not installed.

    Warns:
        TMUNetWarning: domain shift: the frames differ in scale or intensity from the training images.
    """
    check_names(source, out, labels, table, summary)
    classes = predictor.config.classes
    steady = TemporalHysteresis(predictor.postprocess.threshold) if hysteresis else None
    shift, looks = DomainShift(predictor.config, predictor.tile_size), 0

    def look(frame: Frame) -> None:
        nonlocal looks
        if frame.number >= looks * LOOK_EVERY and looks < LOOKS:
            looks += 1
            shift.add(f"frame {frame.number}", predictor.pipeline.load(frame.pixels))

    with ExitStack() as stack:
        video = stack.enter_context(FrameWriter(out, overlay_encoder(), source.pixel_aspect))
        track = None if labels is None else stack.enter_context(FrameWriter(labels, LOSSLESS, source.pixel_aspect))

        def write(frame: Frame, prediction: Prediction) -> NDArray[np.uint8]:
            mask = prediction.mask if steady is None else steady(prediction.mask, prediction.probability)
            video.write(overlay(frame.pixels, mask), frame.time)
            if track is not None:
                track.write(mask, frame.time)
            return mask

        frames = FrameReader(source, paced=real_time, stop=stop)
        stack.callback(frames.close)  # also if Ctrl-C comes before the first thread has started
        dropping = real_time or source.live
        waiting = 1 if dropping else WAITING
        done = predict_frames(frames, predictor.pipeline, write, dropping, waiting, look, frames.close)
        writers = [video] if track is None else [video, track]
        for writer in writers:
            writer.finish()
        for writer in writers:
            writer.keep()
    if table is not None:
        write_table(table, done, classes)
    if summary is not None:
        write_json(summary, {"source": source.name, "notes": source.describe(), **done.summary()})
    shift.warn()
    return done


def check_names(source: Source, out: Path, labels: Path | None, table: Path | None, summary: Path | None) -> None:
    """Check the names of the files that a video is written to.

    Raises:
        UsageError: one does not end as it must, or two are the same file.
    """
    endings = (
        (out, "the video", VIDEO_SUFFIXES),
        (labels, "the label track", (".mkv",)),
        (table, "the table", (".csv",)),
        (summary, "the summary", (".json",)),
    )
    for path, what, suffixes in endings:
        if path is not None and path.suffix.lower() not in suffixes:
            raise UsageError(f"Expected {what} to end in {' or '.join(suffixes)}, but got {path}.", code="suffix")
    named = [path.resolve() for path, *_ in endings if path is not None] + [Path(source.name).resolve()]
    if len(set(named)) < len(named):
        raise UsageError("Expected different files for the source, the video and the label track.", code="same-file")


def write_table(path: Path, done: FrameRecords, classes: Sequence[str]) -> None:
    """Write a CSV file with a row for every frame that was read, in the order of the video."""
    areas = [f"pixels_{name}" for name in classes[1:]]
    rows = [
        {
            "frame": record.number,
            "time_s": f"{float(record.time):.6f}",
            "status": record.status,
            "latency_ms": None if record.latency_ms is None else f"{record.latency_ms:.1f}",
            **dict(zip(areas, record.areas, strict=False)),
            **({} if record.confidence is None else record.confidence.to_dict()),
        }
        for record in done.records
    ]
    write_csv(path, ["frame", "time_s", "status", "latency_ms", *areas, *CONFIDENCE_COLUMNS], rows)
