"""One entry of an archive, of whatever format."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tmunet.errors import InputError


@dataclass(frozen=True)
class Member:
    """A file or a folder in an archive.

    Attributes:
        name: as the archive has it, unchecked.
        size: in bytes, as the archive declares it.
        is_folder: whether it is a folder.
        open: gives the content of a file, unpacked.
    """

    name: str
    size: int
    is_folder: bool
    open: Callable[[], IO[bytes]]


def refusal(archive: Path, name: str, reason: str) -> InputError:
    """The error for a member that is not unpacked whatever the user says."""
    return InputError(
        f"{archive}: the member {name!r} {reason}. Nothing of the archive was kept. Unpack it yourself and point at the "
        "folder, if you trust it."
    )


def damage(archive: Path, reason: str) -> InputError:
    """The error for an archive that does not hold what it should."""
    return InputError(f"{archive}: the archive is damaged or cut short ({reason}); download it again from its source.")
