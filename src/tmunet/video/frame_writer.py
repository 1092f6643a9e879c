"""Write frames with their own times to a video through ffmpeg: into a temporary file that takes its name when all went well.

Raw frames have no times, so they go to ffmpeg in a Matroska stream (RFC 9559): a header, and a cluster with one block a frame.
"""

import contextlib
import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
from numpy.typing import NDArray

from tmunet.errors import TMUNetError
from tmunet.temporary import temporary_folder
from tmunet.video.ffmpeg import has_encoder, keep_times, require_program
from tmunet.video.frame_reader import start_program

TICKS = 1_000_000  # a second in the Matroska stream
ENCODER_TICKS = 90_000  # a second in the written file: frame times of 24, 25, 30, 50, 60 and 30000/1001 Hz are whole
LOSSLESS = ("-c:v", "ffv1", "-level", "3", "-g", "1")
UNKNOWN_SIZE = b"\x01\xff\xff\xff\xff\xff\xff\xff"


def overlay_encoder() -> tuple[str, ...]:
    """Flags of ffmpeg for a video that players show: H.264 where this ffmpeg has it, else MPEG-4."""
    if has_encoder("libx264"):
        return ("-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p")
    return ("-c:v", "mpeg4", "-q:v", "2", "-pix_fmt", "yuv420p")


class FrameWriter:
    """Write a video, frame by frame; used as a context, which removes the temporary file unless `keep` was called.

    Args:
        path: the video; its suffix chooses the container.
        encoder: flags of ffmpeg; labels need `LOSSLESS`.
        pixel_aspect: width of a pixel over its height, stated in the file.

    Raises:
        TMUNetError: ffmpeg cannot encode or write (code "encode").
    """

    def __init__(self, path: Path, encoder: tuple[str, ...], pixel_aspect: Fraction = Fraction(1)) -> None:
        self.path, self._encoder, self._aspect = path, encoder, pixel_aspect
        self._process: subprocess.Popen[bytes] | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "FrameWriter":
        self._temporary = self._stack.enter_context(temporary_folder(self.path)) / self.path.name
        self._log: IO[bytes] = self._stack.enter_context(tempfile.TemporaryFile())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._stack.close()

    def write(self, pixels: NDArray[np.uint8], moment: Fraction) -> None:
        """Write a frame: (H, W, 3) RGB or (H, W) labels, shown from `moment` on, in seconds."""
        height, width = pixels.shape[:2]
        try:
            if self._process is None:
                self._process = self._start()
                self._send(matroska_header(width, height, gray=pixels.ndim == 2))
            self._send(matroska_block_header(pixels.nbytes, round(moment * TICKS)))
            self._send(np.ascontiguousarray(pixels).data.cast("B"))
        except BrokenPipeError:
            raise self._fault() from None

    def finish(self) -> None:
        """Wait until ffmpeg has written everything."""
        if self._process is None:
            raise TMUNetError(
                f"{self.path}: no frame was predicted, so there is no video.", code="encode", path=self.path
            )
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        if self._process.wait() != 0:
            raise self._fault()

    def keep(self) -> None:
        """Give the finished file its name."""
        self._temporary.replace(self.path)

    def _start(self) -> "subprocess.Popen[bytes]":
        width, height = self._aspect.as_integer_ratio()
        even = (
            "pad=ceil(iw/2)*2:ceil(ih/2)*2," if "yuv420p" in self._encoder else ""
        )  # H.264 has chroma of half the size
        command = [require_program("ffmpeg"), "-hide_banner", "-nostats", "-loglevel", "error", "-copyts"]
        command += ["-f", "matroska", "-i", "pipe:0", "-vf", f"{even}setsar={width}/{height}", *keep_times()]
        command += [*self._encoder, "-enc_time_base", f"1:{ENCODER_TICKS}", "-map_metadata", "-1"]
        if self.path.suffix.lower() in (".mp4", ".mov"):
            command += ["-video_track_timescale", str(ENCODER_TICKS), "-movflags", "+faststart"]
        command += ["-y", f"file:{self._temporary}"]
        return start_program(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._log)

    def _send(self, data: bytes | memoryview) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(data)

    def _fault(self) -> TMUNetError:
        assert self._process is not None
        self._process.wait()
        self._log.seek(0)
        said = (self._log.read().decode(errors="replace").strip().splitlines() or ["it stopped"])[0]
        return TMUNetError(
            f"{self.path}: ffmpeg cannot write this video: {said}. Check that the disk has free space.",
            code="encode",
            path=self.path,
        )


def matroska_header(width: int, height: int, gray: bool) -> bytes:
    """Write the head of a Matroska stream of unknown length with one track of raw frames, RGB or gray, of 8 bits.

    Args:
        width: of the frames in pixels.
        height: of the frames in pixels.
        gray: one channel instead of three.
    """
    color = b"Y800" if gray else b"RGB\x18"
    pixels = _element(0xB0, _integer(width)) + _element(0xBA, _integer(height)) + _element(0x2EB524, color)
    track = _element(0xD7, b"\1") + _element(0x73C5, b"\1") + _element(0x83, b"\1") + _element(0x9C, b"\0")
    track += _element(0x86, b"V_UNCOMPRESSED") + _element(0xE0, pixels)
    info = (
        _element(0x2AD7B1, _integer(1_000_000_000 // TICKS)) + _element(0x4D80, b"tmunet") + _element(0x5741, b"tmunet")
    )
    head = _element(0x1A45DFA3, _element(0x4282, b"matroska") + _element(0x4287, b"\4") + _element(0x4285, b"\2"))
    segment = _identifier(0x18538067) + UNKNOWN_SIZE
    return head + segment + _element(0x1549A966, info) + _element(0x1654AE6B, _element(0xAE, track))


def matroska_block_header(size: int, ticks: int) -> bytes:
    """Write what precedes a frame of `size` bytes: a cluster at a time in ticks, with one key frame."""
    block = _identifier(0xA3) + _length(size + 4) + b"\x81\0\0\x80"  # track 1, no time of its own, key frame
    moment = _element(0xE7, _integer(ticks))
    return _identifier(0x1F43B675) + _length(len(moment) + len(block) + size) + moment + block


def _element(identifier: int, content: bytes) -> bytes:
    return _identifier(identifier) + _length(len(content)) + content


def _identifier(value: int) -> bytes:
    return _integer(value)


def _length(value: int) -> bytes:
    return (value | 1 << 56).to_bytes(8, "big")


def _integer(value: int) -> bytes:
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
