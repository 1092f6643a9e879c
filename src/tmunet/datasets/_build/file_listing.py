"""List the files of a folder that somebody downloaded, through links but never in circles."""

from collections import deque
from pathlib import Path, PurePosixPath

from tmunet.datasets._build.member_names import is_leftover
from tmunet.errors import DataError


def list_files(folder: Path) -> dict[PurePosixPath, Path]:
    """List all files under a folder, but no hidden ones and no leftovers of systems.

    Links to files and folders are followed; a folder that is reached in several ways is listed once, by the way without
    links if there is one.

    Returns:
        Relative path with forward slashes -> file, sorted.

    Raises:
        DataError: every folder that cannot be listed, and everything else that is no file: a link that leads nowhere, a pipe.
    """
    found: dict[PurePosixPath, Path] = {}
    faults: list[str] = []
    seen: set[tuple[int, int]] = set()
    real, linked = deque([PurePosixPath()]), deque[PurePosixPath]()
    while real or linked:
        where = real.popleft() if real else linked.popleft()
        try:
            status = (folder / where).stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            names = sorted(path.name for path in (folder / where).iterdir())
        except OSError as error:
            faults.append(f"{folder / where}: cannot be listed: {error.strerror}; check its permissions.")
            continue
        for key in (where / name for name in names if not is_leftover(PurePosixPath(name))):
            path = folder / key
            if path.is_dir():
                (linked if path.is_symlink() else real).append(key)
            elif fault := _fault(path):
                faults.append(f"{path}: {fault}")
            else:
                found[key] = path
    if faults:
        raise DataError(str(folder), faults)
    return dict(sorted(found.items()))


def _fault(path: Path) -> str | None:
    try:
        path.name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8; rename it."
    return None if path.is_file() else "is a link that leads nowhere, or no file; take it out or mend the link."
