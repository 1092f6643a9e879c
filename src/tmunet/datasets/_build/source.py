"""The files of a distribution as they were downloaded: a folder, or what was in its archives."""

import filecmp
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tmunet.datasets._build.archive import is_named_like_archive
from tmunet.datasets._build.file_listing import list_files
from tmunet.datasets._build.unpack import unpack
from tmunet.errors import InputError, UsageError


@dataclass(frozen=True)
class Source:
    """Files by their path relative to the distribution.

    Importers look for the folders they know anywhere in the paths, so that it does not matter whether the user points at
    the download, at the folder inside it, or at the archive.

    Attributes:
        location: what the user pointed at; for messages.
        files: relative path with forward slashes -> file; hidden files and leftovers of other systems
            (``__MACOSX``, ``.DS_Store``, ``Thumbs.db``, ``desktop.ini``) are not among them.
    """

    location: Path
    files: Mapping[PurePosixPath, Path]

    def under(self, folder: str) -> Mapping[str, PurePosixPath]:
        """Files that lie directly in folders of a name (case is ignored), by file name.

        Raises:
            InputError: two folders of that name hold files of the same name.
        """
        wanted = folder.casefold()
        found: dict[str, PurePosixPath] = {}
        twice: list[tuple[PurePosixPath, PurePosixPath]] = []
        for path in self.files:
            if path.parent.name.casefold() == wanted and (other := found.setdefault(path.name, path)) != path:
                twice.append((other, path))
        if twice:
            more = f" (and {len(twice) - 1} more such pairs)" if len(twice) > 1 else ""
            raise InputError(
                f"{self.location}: expected one file {twice[0][0].name!r} in folders named {folder!r}, but found "
                f"{twice[0][0]} and {twice[0][1]}{more}. Point at the folder of one of them; if one is a copy or an archive "
                "unpacked beside itself, move it away."
            )
        return found


def open_source(location: Path, staging: Path) -> Source:
    """Find the files of a distribution; archives are unpacked first.

    Archives are `location` itself, those that lie directly in it, and those inside of an archive, one level deep. Their
    files take the place of the archive. One that was unpacked by a former call is not unpacked again.

    Args:
        location: a folder, or a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz file.
        staging: a folder for the unpacked files, outside of `location`; they have to stay until the import is finished.

    Raises:
        UsageError: `staging` lies inside `location`.
        InputError: `location` does not exist or holds no files; an archive cannot be unpacked, or is not safe to be; two
            files would have the same path and are not the same.
        DataError: every folder that cannot be listed, and every link that leads nowhere.
    """
    files: dict[PurePosixPath, Path] = {}
    archives = [location]
    if location.is_dir():
        if staging.resolve().is_relative_to(location.resolve()):
            raise UsageError(
                f"Expected `staging` to be outside of {location}, but got {staging}; choose another folder."
            )
        files = list_files(location)
        outer = [key for key in files if len(key.parts) == 1 and is_named_like_archive(key.name)]
        archives = [files.pop(key) for key in outer]
    elif not location.exists():
        raise InputError(f"{location}: does not exist; expected a folder or an archive of a data set. Check the path.")
    for archive in archives:
        _join(location, files, _unpacked(archive, staging))
    if not any(key.suffix.lower() not in (".rar", ".7z") for key in files):
        found = ", ".join(map(str, files)) or "nothing"
        raise InputError(
            f"{location}: expected the files of a data set, but found {found}. A .rar or .7z archive has to be unpacked by "
            "you first; then point at the folder."
        )
    return Source(location, dict(sorted(files.items())))


def _unpacked(archive: Path, staging: Path) -> dict[PurePosixPath, Path]:
    files = list_files(unpack(archive, staging / archive.name))
    inner = [key for key in files if is_named_like_archive(key.name)]
    for number, key in enumerate(inner):
        target = unpack(files.pop(key), staging / f"{archive.name}.inner" / f"{number}-{key.name}")
        _join(archive, files, {key.parent / path: file for path, file in list_files(target).items()})
    return files


def _join(where: Path, files: dict[PurePosixPath, Path], more: Mapping[PurePosixPath, Path]) -> None:
    """Add files; one that is there twice, such as in an archive and unpacked beside it, has to be the same."""
    for key, path in more.items():
        other = files.setdefault(key, path)
        if other != path and not filecmp.cmp(other, path, shallow=False):
            raise InputError(
                f"{where}: two archives, or an archive and the folder, hold different files {str(key)!r}; unpack each into "
                "a folder of its own and point at the one you mean."
            )
