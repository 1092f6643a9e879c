"""Frames in and out: pixels against ffmpeg's own hashes, times, what is said of a clip, damaged clips, lossless labels."""

import contextlib
import hashlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tmunet.errors import InputError, MissingExtraError, TMUNetError, UsageError
from tmunet.video.ffmpeg import DEINTERLACE, _camera_options, open_source
from tmunet.video.frame_reader import Frame, FrameReader
from tmunet.video.frame_writer import LOSSLESS, FrameWriter, overlay_encoder

from ..coded_errors import coded

Hashes = Callable[..., list[str]]
EVERY = [Fraction(n, 25) for n in range(25)]


def read(path: Path) -> list[Frame]:
    return list(FrameReader(open_source(str(path))))


@pytest.mark.parametrize(
    ("name", "shape", "times", "filters"),
    [
        ("cfr.mp4", (64, 96, 3), EVERY, ()),
        ("vfr.mp4", (64, 96, 3), [Fraction(n, 25) for n in range(25) if n % 3 == 0 or n % 5 == 0], ()),
        ("rotated.mp4", (96, 64, 3), EVERY, ()),
        ("interlaced.mkv", (64, 96, 3), EVERY, (DEINTERLACE,)),
        ("odd.mkv", (21, 33, 3), EVERY, ()),
    ],
)
def test_frames_are_those_of_ffmpeg_with_their_times(
    clips: Path, hashes: Hashes, name: str, shape: tuple[int, ...], times: list[Fraction], filters: tuple[str, ...]
) -> None:
    frames = read(clips / name)
    assert [frame.number for frame in frames] == list(range(len(times)))
    assert [frame.time for frame in frames] == times
    assert {frame.pixels.shape for frame in frames} == {shape}
    assert [hashlib.md5(frame.pixels.tobytes()).hexdigest() for frame in frames] == hashes(clips / name, *filters)
    assert min(frame.pixels.mean() for frame in frames) > 50  # none is black


def test_deinterlacing_changes_the_frames(clips: Path, hashes: Hashes) -> None:
    assert hashes(clips / "interlaced.mkv", DEINTERLACE) != hashes(clips / "interlaced.mkv")


def test_a_clip_is_described(clips: Path) -> None:
    plain, turned = open_source(str(clips / "cfr.mp4")), open_source(str(clips / "rotated.mp4"))
    fields = open_source(str(clips / "interlaced.mkv"))
    assert (plain.interlaced, plain.rotation, plain.pixel_aspect, plain.frames) == (False, 0, 1, 25)
    assert plain.describe() == []
    assert turned.rotation in (90, 270)
    assert (fields.interlaced, fields.pixel_aspect) == (True, Fraction(64, 45))
    assert (len(turned.describe()), len(fields.describe())) == (1, 2)


def test_a_clip_without_its_index_is_refused(clips: Path) -> None:
    with pytest.raises(InputError, check=coded("damaged", clips / "headless.mp4")):
        open_source(str(clips / "headless.mp4"))


def test_a_clip_that_was_cut_off_is_an_error_after_its_last_whole_frame(clips: Path) -> None:
    frames = []
    with pytest.raises(InputError, check=coded("damaged", clips / "cut.mp4")):
        frames += [frame.number for frame in FrameReader(open_source(str(clips / "cut.mp4")))]


@pytest.mark.parametrize("content", [b"", b"no video\n", b"#EXTM3U\nhttp://127.0.0.1:9/x.ts\n"])
def test_a_file_of_another_kind_is_refused(clips: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "clip.mp4").write_bytes(content)
    with pytest.raises(InputError, check=coded("damaged", tmp_path / "clip.mp4")):
        open_source(str(tmp_path / "clip.mp4"))


def test_a_missing_file_is_named(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, check=coded("not-found", tmp_path / "no.mp4")):
        open_source(str(tmp_path / "no.mp4"))


def test_without_ffmpeg_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingExtraError, check=coded("ffmpeg")) as caught:
        open_source("clip.mp4")
    assert caught.value.exit_code == 4
    assert "apt install ffmpeg" in str(caught.value)


def test_cameras_by_system() -> None:
    assert _camera_options("/dev/video1", "linux") == ("-f", "v4l2", "-i", "/dev/video1")
    assert _camera_options("", "darwin")[:2] == ("-f", "avfoundation")
    with pytest.raises(UsageError, check=coded("camera")):
        _camera_options("", "win32")


@pytest.mark.parametrize("shape", [(21, 33), (64, 96)])
def test_labels_are_read_back_exactly_at_their_times(clips: Path, tmp_path: Path, shape: tuple[int, int]) -> None:
    masks = np.random.default_rng(0).integers(0, 7, (8, *shape), dtype=np.uint8)
    times = [Fraction(n, 25) for n in (2, 3, 5, 9, 10, 11, 30, 90)]
    with FrameWriter(tmp_path / "labels.mkv", LOSSLESS) as writer:
        for mask, moment in zip(masks, times, strict=True):
            writer.write(mask, moment)
        writer.finish()
        writer.keep()
    frames = list(FrameReader(open_source(str(tmp_path / "labels.mkv"))))
    assert [
        np.array_equal(frame.pixels, np.stack([mask] * 3, -1)) for frame, mask in zip(frames, masks, strict=True)
    ] == [True] * 8
    assert [frame.time - frames[0].time for frame in frames] == [moment - times[0] for moment in times]


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001)])
def test_an_overlay_keeps_times_aspect_and_an_even_size(clips: Path, tmp_path: Path, rate: Fraction) -> None:
    picture = np.zeros((21, 33, 3), np.uint8)
    with FrameWriter(tmp_path / "o.mp4", overlay_encoder(), Fraction(64, 45)) as writer:
        for number in (0, 1, 4, 5):
            writer.write(picture, number / rate)
        writer.finish()
        writer.keep()
    source = open_source(str(tmp_path / "o.mp4"))
    frames = list(FrameReader(source))
    assert [frame.time for frame in frames] == [number / rate for number in (0, 1, 4, 5)]
    assert (frames[0].pixels.shape, source.pixel_aspect) == ((22, 34, 3), Fraction(64, 45))


def test_what_is_not_kept_leaves_nothing(clips: Path, tmp_path: Path) -> None:
    picture = np.zeros((32, 32), np.uint8)
    with FrameWriter(tmp_path / "a.mkv", LOSSLESS) as writer:
        writer.write(picture, Fraction(0))  # and no `keep`, as after Ctrl-C
    with FrameWriter(tmp_path / "b.mkv", LOSSLESS) as writer, pytest.raises(TMUNetError, check=coded("encode")):
        writer.finish()
    with FrameWriter(tmp_path / "c.mkv", (*LOSSLESS, "-pix_fmt", "nonsense")) as writer:
        with contextlib.suppress(TMUNetError):  # ffmpeg may end before the frame or after it
            writer.write(picture, Fraction(0))
        with pytest.raises(TMUNetError, check=coded("encode")):
            writer.finish()
    assert list(tmp_path.iterdir()) == []
