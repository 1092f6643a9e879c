"""Unpack archives that nobody vouches for: every name, kind and byte is checked before it is written."""

import bz2
import errno
import gzip
import lzma
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, cast

from tqdm import tqdm

from tmunet.datasets._build.extraction_budget import Limits, Room
from tmunet.datasets._build.archive_member import Member, damage
from tmunet.datasets._build.member_names import MemberNames, is_leftover
from tmunet.datasets._build.tar_members import tar_members
from tmunet.datasets._build.zip_members import zip_members
from tmunet.errors import InputError

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
"""Ends of file names, in lower case, by which archives are found in a folder."""

_CHUNK = 2**20
_LIMITS = Limits()
_FOREIGN = {b"Rar!\x1a\x07": "RAR", b"7z\xbc\xaf\x27\x1c": "7-Zip"}


def is_named_like_archive(name: str) -> bool:
    """Whether a file name ends like that of an archive that can be unpacked here.

    >>> is_named_like_archive("BUSI.ZIP"), is_named_like_archive("BUSI.rar")
    (True, False)
    """
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def extract(archive: Path, target: Path, limits: Limits = _LIMITS) -> None:
    """Unpack an archive into a new folder, wholly or not at all; hidden files and leftovers of systems are left out.

    Args:
        archive: a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz file, known by its content.
        target: the folder; it must not exist. No file is written outside of it, whatever the archive says.
        limits: how far the archive may expand.

    Raises:
        InputError: another format; a damaged or encrypted archive; an unsafe or clashing name; a link or a device; sizes
            beyond the limits or the free disk; a target that cannot be written.
    """
    try:
        target.mkdir(parents=True)
        try:
            _extract(archive, target, limits)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise
    except InputError:
        raise
    except Exception as error:  # zipfile, tarfile and the decompressors raise whatever a damaged file leads them to
        if isinstance(error, OSError) and error.errno is not None:
            mend = "make room" if error.errno == errno.ENOSPC else "check both paths and their permissions"
            raise InputError(
                f"{archive}: cannot be unpacked into {target}: {error.strerror}; {mend}, then run the same command again."
            ) from error
        raise damage(archive, " ".join(f"{type(error).__name__}: {error}".split())) from error


def _extract(archive: Path, target: Path, limits: Limits) -> None:
    names, room, total = MemberNames(archive, limits.members), Room(archive, target, limits), 0
    with _members(archive, room) as members, tqdm(desc=f"unpack {archive.name}", unit=" files", disable=None) as bar:
        for member in members:
            path = names.take(member.name, member.is_folder)
            limits.check_member(archive, member.name, member.size)
            if not member.is_folder and not is_leftover(path):
                total = _write(archive, member, target / path, room, total)
                bar.update()


def _write(archive: Path, member: Member, path: Path, room: Room, total: int) -> int:
    """Write a file, and give the number of bytes that were written with it and before it."""
    size = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with member.open() as content, path.open("xb") as file:
        while chunk := content.read(_CHUNK):
            size += len(chunk)
            room.check(total + size)
            file.write(chunk)
    if size != member.size:
        raise damage(archive, f"{member.name!r} should have {member.size:,} bytes, but has {size:,}")
    return total + size


@contextmanager
def _members(archive: Path, room: Room) -> Iterator[Iterator[Member]]:
    with archive.open("rb") as file:
        start = file.read(512)
        file.seek(0)
        if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            with closing(zip_members(archive, room)) as members:
                yield members
        else:
            with (
                _decompressed(archive, file, start) as content,
                closing(tar_members(archive, content, room)) as members,
            ):
                yield members


def _decompressed(archive: Path, file: IO[bytes], start: bytes) -> IO[bytes]:
    if start.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))
    if start.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if start.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile(file)
    if start[257:262] == b"ustar":
        return file
    for magic, name in _FOREIGN.items():
        if start.startswith(magic):
            raise InputError(
                f"{archive}: is a {name} archive, which is not read; unpack it yourself and point at the folder."
            )
    raise InputError(
        f"{archive}: expected a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz archive, but the file begins with {start[:12]!r}; "
        "if it should be one, download it again, or unpack it yourself and point at the folder."
    )
