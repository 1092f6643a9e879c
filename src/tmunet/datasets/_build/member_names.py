"""Names in archives: which are safe to write on any system, and which are leftovers of a system."""

import re
import unicodedata
from pathlib import Path, PurePath, PurePosixPath

from tmunet.errors import InputError

_LEFTOVERS = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
_LONGEST = 1000


def is_leftover(path: PurePath) -> bool:
    """Whether a relative path is hidden, or was left by an operating system.

    >>> is_leftover(PurePosixPath("__MACOSX/images/1.png")), is_leftover(PurePosixPath("images/1.png"))
    (True, False)
    """
    return any(part.startswith(".") or part.casefold() in _LEFTOVERS for part in path.parts)


def name_fault(name: str) -> str | None:
    """Say why a relative name with forward slashes cannot be written safely on every system; None if it can.

    >>> name_fault("images/../../1.png")
    'leads out of its folder'
    """
    parts = name.split("/")
    if not name or len(name) > _LONGEST:
        return f"is not of 1 to {_LONGEST} characters"
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        return "has control characters, or is not UTF-8"
    if "\\" in name:
        return "has a backslash, which is a folder on one system and a letter on another"
    if name.startswith("/") or any(re.match("[A-Za-z]:", part) for part in parts):
        return "is an absolute path"
    # Windows drops dots and spaces at the end, so that ".. " is ".." there.
    if any(part not in ("", ".") and not part.rstrip(". ") for part in parts):
        return "leads out of its folder"
    return None


def fold(name: str) -> str:
    """Give the form that is equal for names which some file system takes for the same.

    >>> fold("Straße.PNG.") == fold("STRASSE.png")
    True
    """
    caseless = unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
    return "/".join(part.rstrip(". ") for part in caseless.split("/"))


class MemberNames:
    """The names of an archive so far, each safe and none the same as another.

    Args:
        archive: for messages.
        most: number of members that are taken.
    """

    def __init__(self, archive: Path, most: int) -> None:
        self._archive, self._most, self._count = archive, most, 0
        self._files: dict[str, str] = {}
        self._folders: dict[str, str] = {}

    def take(self, name: str, is_folder: bool) -> PurePosixPath:
        """Check the next name.

        Returns:
            The path, relative and without ``.``.

        Raises:
            InputError: the name is unsafe, clashes with a former one, or is one too many.
        """
        self._count += 1
        if self._count > self._most:
            raise InputError(
                f"{self._archive}: expected at most {self._most:,} members, but it has more; unpack it yourself and point "
                "at the folder."
            )
        path = PurePosixPath(name)
        if fault := name_fault(name) or ("is no file name" if not path.parts and not is_folder else None):
            raise InputError(
                f"{self._archive}: the member {name!r} {fault}. Nothing of the archive was kept. Download it from its "
                "source again; if you trust it, unpack it yourself and point at the folder."
            )
        self._check_clash(path, is_folder)
        return path

    def _check_clash(self, path: PurePosixPath, is_folder: bool) -> None:
        key, folders = fold(str(path)), {fold(str(folder)): str(folder) for folder in path.parents}
        if is_folder:
            folders[key] = str(path)
        other = next((self._files[folder] for folder in folders if folder in self._files), None)
        if not is_folder:
            other = other or self._files.get(key) or self._folders.get(key)
            self._files[key] = str(path)
        self._folders.update(folders)
        if other is not None:
            raise InputError(
                f"{self._archive}: the members {other!r} and {str(path)!r} would be one file on some systems. Nothing of "
                "the archive was kept. Unpack it yourself, rename one of them and point at the folder."
            )
