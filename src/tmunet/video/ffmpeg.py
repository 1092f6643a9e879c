"""Find the user's ffmpeg and ffprobe, and say what a file or a camera holds before it is read.

No Python library for video is used: the wheels ship GPL code, and OpenCV returns black frames for interlaced video.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from tmunet.errors import InputError, MissingExtraError, UsageError
from tmunet.file_limits import PROBE_SECONDS

PIPE, CAMERA = "-", "camera"
INTERLACED = ("tt", "bb", "tb", "bt")
LOCAL_FILES = ("-protocol_whitelist", "file,pipe,crypto,data")  # a playlist must not reach the network
DEINTERLACE = "bwdif=mode=send_frame:parity=auto:deint=interlaced"  # as many frames out as in


def require_program(name: str) -> str:
    """Return the path of ffmpeg or ffprobe.

    Raises:
        MissingExtraError: it is not installed (code "ffmpeg").
    """
    found = shutil.which(name)
    if found is None:
        raise MissingExtraError(
            f"Video needs the program {name!r}, which is not on the PATH. Install FFmpeg: `apt install ffmpeg`, "
            "`brew install ffmpeg`, `winget install ffmpeg` or `conda install -c conda-forge ffmpeg`.",
            code="ffmpeg",
        )
    return found


def keep_times() -> tuple[str, str]:
    """The flag that passes every frame with its own time: `-fps_mode` since FFmpeg 5.1, `-vsync` before."""
    version = re.search(r"ffmpeg version n?(\d+)\.(\d+)", _ask("-version"))
    old = version is not None and (int(version[1]), int(version[2])) < (5, 1)
    return "-vsync" if old else "-fps_mode", "passthrough"


def has_encoder(name: str) -> bool:
    """Return whether this ffmpeg was built with an encoder, such as libx264."""
    return re.search(rf"^ V\S+ {re.escape(name)} ", _ask("-encoders"), re.MULTILINE) is not None


@cache
def _ask(question: str) -> str:
    command = [require_program("ffmpeg"), "-hide_banner", question]
    if question == "-version":
        command.remove("-hide_banner")
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60).stdout


@dataclass(frozen=True)
class Source:
    """Where frames come from, and what is done to them.

    Attributes:
        name: as the user wrote it.
        options: of ffmpeg, up to the input.
        live: frames come at their own pace and cannot wait: a camera.
        interlaced: the frames are deinterlaced; None where that is decided frame by frame, since a pipe is read once.
        rotation: degrees by which the file asks to be turned, which ffmpeg does; 0 where unknown.
        pixel_aspect: width of a pixel over its height, kept in the videos that are written.
        frames: how many the file says it has; None where unknown.
    """

    name: str
    options: tuple[str, ...]
    live: bool = False
    interlaced: bool | None = False
    rotation: int = 0
    pixel_aspect: Fraction = Fraction(1)
    frames: int | None = None

    @property
    def filters(self) -> tuple[str, ...]:
        """Filters of ffmpeg that the frames go through; turning is not among them, since ffmpeg does it by itself."""
        return () if self.interlaced is False else (DEINTERLACE,)

    def describe(self) -> list[str]:
        """Say in sentences what is done to the frames."""
        said = []
        if self.interlaced:
            said.append("Interlaced: deinterlaced by bwdif, one frame for each frame.")
        if self.rotation:
            said.append(f"Rotated: turned upright, as the file asks ({self.rotation} degrees).")
        if self.pixel_aspect != 1:
            width, height = self.pixel_aspect.as_integer_ratio()
            said.append(
                f"Pixels of {width}:{height}: the pixels stay as they are, and the written videos state this aspect."
            )
        return said


def open_source(name: str) -> Source:
    """Find what `tmunet video` reads: a file, "-" for standard input, or "camera" (Linux: also a device such as /dev/video1).

    Raises:
        InputError: no such file ("not-found"), or one without video, or damaged ("damaged").
        UsageError: this system has no camera that can be named ("camera").
        MissingExtraError: ffmpeg is not installed.
    """
    require_program("ffmpeg")
    if name == PIPE:
        return Source("standard input", ("-i", "pipe:0"), interlaced=None)
    if name == CAMERA or re.fullmatch(r"/dev/video\d+", name):
        return Source(name, _camera_options("/dev/video0" if name == CAMERA else name), live=True)
    path = Path(name)
    if not path.is_file():
        raise InputError(f"{name}: expected a video file, but there is none.", code="not-found", path=path)
    return describe_stream(path, _probe(path))


def _camera_options(device: str, system: str = sys.platform) -> tuple[str, ...]:
    if system.startswith("linux"):
        return ("-f", "v4l2", "-i", device)
    if system == "darwin":
        return ("-f", "avfoundation", "-i", "0")
    raise UsageError(
        "Expected Linux or macOS for `camera`; elsewhere send the camera through a pipe, such as "
        "`ffmpeg -f dshow -i video=NAME -f matroska - | tmunet video - ...`.",
        code="camera",
    )


def _probe(path: Path) -> Mapping[str, Any]:
    """Read the properties of a file's first video stream and decode one frame of it."""
    command = [require_program("ffprobe"), "-v", "error", *LOCAL_FILES, "-select_streams", "v:0"]
    command += ["-show_streams", "-show_frames", "-read_intervals", "%+#1", "-of", "json", f"file:{path}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        raise InputError(
            f"{path}: expected a video that ffprobe can read, but it did not answer within {PROBE_SECONDS} s. "
            "Write it anew with ffmpeg, or copy it again from where it was recorded.",
            code="damaged",
            path=path,
        ) from None
    answer: dict[str, Any] = json.loads(done.stdout or "{}") if done.returncode == 0 else {}
    if not answer.get("streams") or not answer.get(
        "frames"
    ):  # of a damaged file the answer may be empty without an error
        said = (done.stderr.strip().splitlines() or ["it holds no video"])[-1]
        raise InputError(
            f"{path}: expected a video that ffprobe can read, but it says: {said}. "
            "If the file was cut off, copy it again from where it was recorded.",
            code="damaged",
            path=path,
        )
    return {**answer["streams"][0], "first_frame": answer["frames"][0]}


def describe_stream(path: Path, stream: Mapping[str, Any]) -> Source:
    """Describe a file by what ffprobe says of its video stream."""
    turns = [round(float(one["rotation"])) for one in stream.get("side_data_list", []) if "rotation" in one]
    frames = stream.get("nb_frames", "")
    return Source(
        str(path),
        (*LOCAL_FILES, "-i", f"file:{path}"),
        interlaced=stream.get("field_order") in INTERLACED
        or bool(int(stream["first_frame"].get("interlaced_frame", 0))),
        rotation=turns[0] % 360 if turns else 0,
        pixel_aspect=_aspect(stream.get("sample_aspect_ratio", "1:1"), turned=bool(turns) and turns[0] % 180 != 0),
        frames=int(frames) if frames.isdecimal() and int(frames) else None,
    )


def _aspect(text: str, turned: bool) -> Fraction:
    width, height = (int(part) for part in text.split(":"))
    if not width or not height:  # 0:1 is "unknown"
        return Fraction(1)
    return Fraction(height, width) if turned else Fraction(width, height)
