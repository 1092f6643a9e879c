"""Read the frames of a video through ffmpeg: pixels from its output, and the exact time of each from its filter showinfo."""

import queue
import re
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tmunet.errors import InputError
from tmunet.video.ffmpeg import Source, keep_times, require_program

PIPE_BYTES = 1 << 20  # of the pipe between the processes: a frame in few portions
FRAME = re.compile(r"\] n: *(\d+) pts: *(\S+) .* s:(\d+)x(\d+) ")
TIME_BASE = re.compile(r"config in time_base: (\d+)/(\d+)")


@dataclass(frozen=True)
class Frame:
    """One frame of a video.

    Attributes:
        number: its place in the video, from 0.
        time: when it is shown, in seconds from the start of the file, exact.
        pixels: (H, W, 3) RGB of 8 bits, upright and deinterlaced.
        read_at: when it was read, in seconds of `time.perf_counter`.
    """

    number: int
    time: Fraction
    pixels: NDArray[np.uint8]
    read_at: float = field(default_factory=perf_counter)


def start_program(command: list[str], **pipes: Any) -> "subprocess.Popen[bytes]":
    """Start ffmpeg so that Ctrl-C reaches this program alone, which then decides what becomes of the files."""
    return subprocess.Popen(command, start_new_session=True, pipesize=PIPE_BYTES, **pipes)


class FrameReader:
    """Iterate once over every frame of a video.

    Args:
        source: from `open_source`.
        paced: read a file no faster than it would be shown.
        stop: asked after each frame; True ends the reading, as of a camera.

    Raises:
        InputError: while iterating: ffmpeg reports an error, such as of a file that was cut off ("damaged"), the frames change
            their size ("size"), or their times do not increase ("time").
        MissingExtraError: ffmpeg is not installed.
    """

    def __init__(self, source: Source, paced: bool = False, stop: Callable[[], bool] = lambda: False) -> None:
        self._source, self._stop = source, stop
        piped = "pipe:0" in source.options
        command = [require_program("ffmpeg"), "-hide_banner", "-nostats", "-loglevel", "level+info"]
        command += [] if piped else ["-nostdin"]
        command += ["-re"] if paced and not source.live and not piped else []
        command += [*source.options, "-map", "0:v:0", "-vf", ",".join([*source.filters, "showinfo=checksum=0"])]
        command += [*keep_times(), "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]
        stdin = None if piped else subprocess.DEVNULL
        self._process = start_program(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._log = _Log(self._process)

    def __iter__(self) -> Iterator[Frame]:
        try:
            yield from self._read()
        finally:
            self.close()
            self._log.close()

    def close(self) -> None:
        """End ffmpeg, if it runs on; from any thread."""
        if self._process.poll() is None:
            self._process.kill()

    def _read(self) -> Iterator[Frame]:
        assert self._process.stdout is not None
        size: tuple[int, int] | None = None
        before: Fraction | None = None
        number = 0
        while (line := self._log.next_frame()) is not None:
            moment, width, height = line
            if size is not None and size != (height, width):
                what = f"frame {number} has another size than those before: {width}x{height} pixels"
                raise _fault(self._source, what, "size")
            if moment is None or (before is not None and moment <= before):
                what = f"the time of frame {number} is not after that of the frame before"
                raise _fault(self._source, what, "time")
            size, before = (height, width), moment
            data = self._process.stdout.read(height * width * 3)
            if len(data) < height * width * 3:
                break
            yield Frame(number, moment, np.frombuffer(data, np.uint8).reshape(height, width, 3))
            number += 1
            if self._stop():
                return
        code = self._process.wait()
        self._log.finish()
        if code != 0 or self._log.errors or number == 0:
            said = self._log.errors[0] if self._log.errors else "no frame could be read"
            raise _fault(self._source, f"after {number} frames ffmpeg says: {said}", "damaged")


def _fault(source: Source, what: str, code: str) -> InputError:
    advice = (
        "To go on with what can be read, write it anew with constant times: ffmpeg -i FILE -r 25 -c:v ffv1 REPAIRED.mkv"
    )
    path = Path(source.name) if source.options[-1].startswith("file:") else None
    return InputError(f"{source.name}: {what}. {advice}", code=code, path=path)


class _Log:
    """What ffmpeg writes to its standard error, read by a thread: a line of showinfo for each frame, and errors."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process, self.errors = process, deque[str](maxlen=20)
        self._frames: queue.SimpleQueue[tuple[Fraction | None, int, int] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def next_frame(self) -> tuple[Fraction | None, int, int] | None:
        """Time in seconds (None if the file has none), width and height of the next frame; None after the last."""
        return self._frames.get()

    def finish(self) -> None:
        """Wait for the last line."""
        self._thread.join()

    def close(self) -> None:
        """Read to the end, and close the pipes."""
        self._process.wait()
        self._thread.join()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _read(self) -> None:
        assert self._process.stderr is not None
        base = Fraction(1)
        for raw in self._process.stderr:
            line = raw.decode(errors="replace")
            if "showinfo" in line and (found := TIME_BASE.search(line)):
                base = Fraction(int(found[1]), int(found[2]))
            elif "showinfo" in line and (found := FRAME.search(line)):
                pts = None if found[2] == "NOPTS" else int(found[2]) * base
                self._frames.put((pts, int(found[3]), int(found[4])))
            elif "[error]" in line or "[fatal]" in line:
                self.errors.append(re.sub(r"^(\[[^]]*\] )+", "", line).strip())
        self._frames.put(None)
