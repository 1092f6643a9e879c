"""The files of a downloaded data set: a folder, an archive, or a folder of archives."""

import filecmp
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tmunet.datasets._build.archives import extract, has_archive_suffix, is_system_file
from tmunet.datasets._build.faults import DatasetImportError, Fault
from tmunet.errors import InputError, UsageError


@dataclass(frozen=True)
class SourceFiles:
    """Files by their path relative to the download.

    Importers match the end of the paths, so that the user may give the download, the folder inside it, or the archive.

    Attributes:
        location: what the user gave; for messages.
        files: relative path with forward slashes -> file, without hidden and system files (``__MACOSX``, ``.DS_Store``,
            ``Thumbs.db``, ``desktop.ini``).
        spacing: millimeters from a pixel to the next, (row, column), of the images whose files say it.
    """

    location: Path
    files: Mapping[PurePosixPath, Path]
    spacing: Mapping[PurePosixPath, tuple[float, float]] = field(default_factory=dict)


def open_source(location: Path, staging: Path) -> SourceFiles:
    """List the files of a download; archives are extracted first.

    Archives are `location` itself, those directly in it, and those inside of an archive, one level deep. Their files take
    the place of the archive.

    Args:
        location: a folder, or a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz file.
        staging: a new folder for the extracted files, outside of `location`; keep it until the import is finished.

    Raises:
        UsageError: `staging` is inside of `location`.
        InputError: `location` does not exist or holds no files; an archive cannot be extracted safely; two different files
            would have the same path.
        DatasetImportError: every folder that cannot be listed, and every broken link.
    """
    files: dict[PurePosixPath, Path] = {}
    archives = [location]
    if location.is_dir():
        if staging.resolve().is_relative_to(location.resolve()):
            raise UsageError(f"Expected `staging` to be outside of {location}, but got {staging}; give another folder.")
        files = list_files(location)
        archives = [files.pop(key) for key in list(files) if len(key.parts) == 1 and has_archive_suffix(key.name)]
    elif not location.exists():
        raise InputError(f"{location}: does not exist; expected a folder or an archive of a data set. Check the path.")
    for number, archive in enumerate(archives):
        _merge(location, files, _extracted(archive, staging / str(number)))
    if not any(key.suffix.lower() not in (".rar", ".7z") for key in files):
        found = ", ".join(map(str, files)) or "nothing"
        raise InputError(
            f"{location}: expected the files of a data set, but found {found}. Extract .rar and .7z archives yourself, then "
            "give the folder."
        )
    return SourceFiles(location, dict(sorted(files.items())))


def _extracted(archive: Path, target: Path) -> dict[PurePosixPath, Path]:
    extract(archive, target)
    files = list_files(target)
    for number, key in enumerate([key for key in files if has_archive_suffix(key.name)]):
        inner = target.with_name(f"{target.name}.{number}")
        extract(files.pop(key), inner)
        _merge(archive, files, {key.parent / path: file for path, file in list_files(inner).items()})
    return files


def _merge(where: Path, files: dict[PurePosixPath, Path], more: Mapping[PurePosixPath, Path]) -> None:
    """Add files; a path that is there already, such as in an archive and extracted beside it, needs the same content."""
    for key, path in more.items():
        other = files.setdefault(key, path)
        if other != path and not filecmp.cmp(other, path, shallow=False):
            raise InputError(
                f"{where}: two archives, or an archive and the folder, hold different files {str(key)!r}; extract each into "
                "its own folder and give the one you mean."
            )


def list_files(folder: Path) -> dict[PurePosixPath, Path]:
    """List all files under a folder, without hidden and system files.

    Links are followed, but never in circles: a folder with several paths is listed once, by the path without links if there
    is one.

    Returns:
        Relative path with forward slashes -> file, sorted.

    Raises:
        DatasetImportError: every folder that cannot be listed, and everything that is no file: a broken link, a pipe.
    """
    found: dict[PurePosixPath, Path] = {}
    faults: list[Fault] = []
    visited: set[tuple[int, int]] = set()
    real, linked = deque([PurePosixPath()]), deque[PurePosixPath]()
    while real or linked:
        where = real.popleft() if real else linked.popleft()
        try:
            status = (folder / where).stat()
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            names = sorted(path.name for path in (folder / where).iterdir())
        except OSError as error:
            faults.append(
                Fault("unreadable-folder", folder / where, f"cannot be listed: {error.strerror}", "check its permissions")
            )
            continue
        for key in (where / name for name in names if not is_system_file(PurePosixPath(name))):
            path = folder / key
            if path.is_dir():
                (linked if path.is_symlink() else real).append(key)
            elif not _is_utf8(path.name):
                faults.append(Fault("file-name", ascii(str(path))[1:-1], "the name is not UTF-8", "rename it"))
            elif not path.is_file():
                faults.append(Fault("not-a-file", path, "is a broken link, or no file", "remove it or correct the link"))
            else:
                found[key] = path
    if faults:
        raise DatasetImportError(folder, faults)
    return dict(sorted(found.items()))


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
