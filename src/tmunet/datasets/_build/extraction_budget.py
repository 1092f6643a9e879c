"""How far an archive may expand before it is taken for a trap."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tmunet.errors import InputError

GIB = 2**30


@dataclass(frozen=True)
class Limits:
    """Bounds that no real data set reaches.

    Attributes:
        members: files and folders in an archive.
        member_bytes: of one file.
        total_bytes: of all files together.
        ratio: bytes of all files for one byte of the archive. Empty masks compress a thousandfold, so it counts only above
            `floor_bytes`.
        floor_bytes: an archive may expand to this size at any ratio.
    """

    members: int = 1_000_000
    member_bytes: int = 100 * GIB
    total_bytes: int = 1024 * GIB
    ratio: int = 250
    floor_bytes: int = GIB

    def check_member(self, archive: Path, name: str, size: int) -> None:
        """Refuse a file of more than `member_bytes`.

        Raises:
            InputError: it is larger.
        """
        if size > self.member_bytes:
            raise InputError(
                f"{archive}: expected members of at most {self.member_bytes:,} bytes, but {name!r} has {size:,} or more; "
                "if that is meant, unpack the archive yourself and point at the folder."
            )


class Room:
    """What an archive may expand to, by its own size, the limits and the free disk.

    Args:
        archive: the file.
        target: an existing folder on the disk that is written to.
        limits: the bounds.
    """

    def __init__(self, archive: Path, target: Path, limits: Limits) -> None:
        self._archive = archive
        self._free = shutil.disk_usage(target).free
        by_ratio = max(limits.floor_bytes, limits.ratio * archive.stat().st_size)
        self._most = min(limits.total_bytes, by_ratio)

    def check(self, size: int) -> None:
        """Refuse a number of unpacked bytes that is too large, whether declared or counted.

        Raises:
            InputError: there is no room for them.
        """
        if size > self._most:
            raise InputError(
                f"{self._archive}: expected its files to have at most {self._most:,} bytes together, judged by the size of "
                f"the archive, but they have {size:,} or more: it may be made to fill the disk. If you trust it, unpack it "
                "yourself and point at the folder."
            )
        if size > self._free:
            raise InputError(
                f"{self._archive}: needs {size:,} bytes or more when unpacked, but the disk has {self._free:,} free; "
                "make room, then run the same command again."
            )
