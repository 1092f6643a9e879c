"""The members of a tar archive, read once from front to end."""

import io
import tarfile
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import IO, cast

from tmunet.datasets._build.extraction_budget import Room
from tmunet.datasets._build.archive_member import Member, damage, refusal

_LONGEST_HEADER = 2**20  # of names and notes before a member; honest ones have a few hundred bytes
_CHUNK = 2**20


def tar_members(archive: Path, content: IO[bytes], room: Room) -> Generator[Member, None, None]:
    """Give the members of a tar file, one after the other; each is to be read before the next is asked for.

    Args:
        archive: the file, for messages.
        content: the unpacked tar stream.
        room: is asked at every step for what was unpacked so far.

    Raises:
        InputError: a member is a link, a device or sparse; the tar file has no end or goes on after it; or there is no
            room.
        Exception: whatever `tarfile` and the decompressor raise for a damaged file; `extract` translates it.
    """
    reader = _Reader(archive, content, room)
    with tarfile.open(fileobj=cast(IO[bytes], reader), mode="r:") as tar:
        while (info := tar.next()) is not None:
            tar.members.clear()  # type: ignore[attr-defined]  # tarfile would keep a million of them
            if info.size < 0:
                raise damage(archive, f"{info.name!r} declares {info.size} bytes")
            if not (info.isreg() or info.isdir()) or info.issparse():
                reason = "is a link, a device or sparse, but only plain files and folders are unpacked"
                raise refusal(archive, info.name, reason)
            reader.allow(info.size)
            yield Member(info.name, info.size, info.isdir(), partial(_open, tar, info))
            reader.allow(_LONGEST_HEADER)
        end = tar.offset
    _check_end(archive, reader, end)


def _open(tar: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    return tar.extractfile(info) or io.BytesIO()


def _check_end(archive: Path, reader: "_Reader", end: int) -> None:
    """Make sure that the file ends with zeros: `tarfile` takes a damaged header for the end, and says nothing."""
    reader.seek(end)
    count = 0
    while True:
        reader.allow(_CHUNK)
        chunk = reader.read(_CHUNK)
        count += len(chunk)
        if chunk.strip(b"\0"):
            raise damage(archive, f"there is no header where one should be, at byte {end:,}")
        if not chunk:
            break
    if count < tarfile.BLOCKSIZE:
        raise damage(archive, "its end is missing")


class _Reader:
    """What `tarfile` reads from: it refuses headers that would fill the memory, and streams that would fill the disk."""

    def __init__(self, archive: Path, content: IO[bytes], room: Room) -> None:
        self._archive, self._content, self._room = archive, content, room
        self._allowed = _LONGEST_HEADER

    def allow(self, size: int) -> None:
        """Set how many bytes may be read until this is called again."""
        self._allowed = size

    def read(self, size: int) -> bytes:
        self._allowed -= size
        if self._allowed < 0:
            raise damage(self._archive, f"a header is longer than {_LONGEST_HEADER:,} bytes")
        chunk = self._content.read(size)
        self._room.check(self._content.tell())
        return chunk

    def tell(self) -> int:
        return self._content.tell()

    def seek(self, position: int) -> None:
        self._room.check(position)
        self._content.seek(position)
