import io
import re
import struct
import tarfile
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmunet.datasets._build.archive import extract
from tmunet.datasets._build.extraction_budget import Limits
from tmunet.errors import InputError

from .packing import FORMATS, SOUND, content_of, make, refused


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(members=2), "at most 2 members"),
        (Limits(member_bytes=2999), "members of at most 2,999 bytes"),
        (Limits(total_bytes=5999), "at most 5,999 bytes together"),
        (Limits(ratio=0, floor_bytes=5999), "at most 5,999 bytes together"),
    ],
)
def test_limits_are_kept(tmp_path, kind, limits, message):
    refused(make(tmp_path / f"set.{kind}", SOUND), message, limits)


def test_empty_masks_may_compress_a_thousandfold(tmp_path):
    masks = [(f"{number}.bmp", bytes(400_000)) for number in range(20)]
    for kind in ("zip", "tar.xz"):
        archive = make(tmp_path / f"set.{kind}", masks)
        assert archive.stat().st_size * 500 < 20 * 400_000
        extract(archive, tmp_path / kind)
        refused(archive, "made to fill the disk", Limits(floor_bytes=2**20))


def central_sizes(content: bytearray, size: int) -> None:
    """Let the directory of a zip file declare another size for its members, but for the same packed bytes."""
    for found in re.finditer(b"PK\x01\x02", bytes(content)):
        content[found.start() + 24 : found.start() + 28] = struct.pack("<I", size)


@pytest.mark.parametrize("size", [0, 10, 2999, 3001, 2**31])
def test_a_zip_file_that_declares_another_size_is_damaged(tmp_path, size):
    archive = make(tmp_path / "set.zip", [("1.png", b"one" * 1000)])
    content = bytearray(archive.read_bytes())
    central_sizes(content, size)
    archive.write_bytes(content)
    refused(archive, "damaged|made to fill the disk")


def test_a_declared_size_beyond_the_free_disk_is_refused_before_anything_is_unpacked(tmp_path):
    archive = make(tmp_path / "set.zip", [(f"{number}.png", b"") for number in range(5_000)])
    content = bytearray(archive.read_bytes())
    central_sizes(content, 2**32 - 2)
    archive.write_bytes(content)
    huge = 2**60
    refused(archive, "but the disk has .* free; make room", Limits(huge, huge, huge, huge, huge))


def test_a_tar_file_cannot_reach_beyond_its_room_by_members_that_are_left_out(tmp_path):
    archive = make(tmp_path / "set.tar.gz", [(".hidden", bytes(3_000_000)), ("1.png", b"x")])
    refused(archive, "made to fill the disk", Limits(floor_bytes=2**20))


def test_members_that_share_their_bytes_count_each(tmp_path):
    archive = make(tmp_path / "set.zip", [("1.png", bytes(100_000))])
    content = archive.read_bytes()
    start = content.index(b"PK\x01\x02")
    directory, end = content[start : content.index(b"PK\x05\x06")], bytearray(content[content.index(b"PK\x05\x06") :])
    many = b"".join(directory.replace(b"1.png", b"%05d" % number) for number in range(50))
    end[8:16] = struct.pack("<HHI", 50, 50, len(many))
    archive.write_bytes(content[:start] + many + end)
    refused(archive, "made to fill the disk", Limits(floor_bytes=2**20))
    refused(archive, "damaged")  # by the names in front of the content, which are all the first one's


@pytest.mark.parametrize("kind", FORMATS)
def test_an_archive_that_was_cut_short_is_refused(tmp_path, kind):
    archive = make(tmp_path / f"set.{kind}", SOUND)
    content = archive.read_bytes()
    payload = len(content) if kind != "tar" else 8192  # the rest of a tar file is padding
    for size in (1, 100, 512, 1024, payload // 2, payload - 513, payload - 1):
        if size < payload:
            archive.write_bytes(content[:size])
            refused(archive, "damaged or cut short|expected a .zip, .tar")


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(FORMATS), st.data())
def test_damage_is_seen_or_does_no_harm(kind, data):
    with tempfile.TemporaryDirectory() as folder:
        archive = make(Path(folder) / f"set.{kind}", SOUND)
        content = bytearray(archive.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        archive.write_bytes(content)
        target = Path(folder) / "target"
        try:
            extract(archive, target)
        except InputError:
            assert not target.exists()
        else:
            found = content_of(target)
            if kind != "tar":  # a plain tar file has no sums of what its files hold
                assert sorted(found.values()) == sorted(content for _, content in SOUND)
            assert len(found) == len(SOUND)


@pytest.mark.parametrize("damaged", [b"\0" * 512, b"\xff" * 512])
def test_a_tar_file_does_not_end_early_without_a_word(tmp_path, damaged):
    archive = make(tmp_path / "set.tar", [(f"{number}.png", b"x") for number in range(4)])
    content = bytearray(archive.read_bytes())
    content[2048:2560] = damaged
    archive.write_bytes(content)
    refused(archive, "there is no header where one should be, at byte 2,048")


def test_a_huge_header_does_not_fill_the_memory(tmp_path):
    huge = tarfile.TarInfo("././@PaxHeader")
    huge.type, huge.size = tarfile.XHDTYPE, 2**26
    with tarfile.open(tmp_path / "set.tar.gz", "w:gz", compresslevel=1) as archive:
        archive.addfile(huge, io.BytesIO(bytes(2**26)))
    tracemalloc.start()
    refused(tmp_path / "set.tar.gz", "a header is longer than")
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


def test_a_negative_size_is_damage(tmp_path):
    archive = make(tmp_path / "set.tar", [("1.png", b"x")])
    content = bytearray(archive.read_bytes())
    content[124:136] = tarfile.itn(-1024, 12, tarfile.GNU_FORMAT)
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    archive.write_bytes(content)
    refused(archive, "declares -1024 bytes|damaged")
