"""The members of a ZIP archive."""

import stat
from collections.abc import Generator
from functools import partial
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from tmunet.datasets._build.extraction_budget import Room
from tmunet.datasets._build.archive_member import Member, refusal

_ENCRYPTED = 0x1 | 0x40 | 0x2000  # flags: by password, strongly, and with a hidden directory


def zip_members(archive: Path, room: Room) -> Generator[Member, None, None]:
    """Give the members of a ZIP file, one after the other.

    Args:
        archive: the file.
        room: is asked for the declared size of all members before the first is given.

    Raises:
        InputError: a member is encrypted, a link, or no file and no folder; or there is no room.
        Exception: whatever `zipfile` raises for a damaged file; `extract` translates it.
    """
    with ZipFile(archive) as file:
        entries = file.infolist()
        room.check(sum(entry.file_size for entry in entries))
        for entry in entries:
            _check_kind(archive, entry)
            # `filename` ends where a NUL stands, which hides the rest of the name
            name = entry.orig_filename
            yield Member(name, entry.file_size, name.endswith("/"), partial(file.open, entry))


def _check_kind(archive: Path, entry: ZipInfo) -> None:
    if entry.flag_bits & _ENCRYPTED:
        raise refusal(archive, entry.orig_filename, "is encrypted, and needs a password")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise refusal(archive, entry.orig_filename, "is a link or a device, but only files and folders are unpacked")
