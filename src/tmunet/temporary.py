"""Temporary files and folders beside what they become. Those of killed processes are found by their lock and removed.

A process holds a lock on each (`flock`), which the system takes back when the process ends in any way.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: no locks, and leftovers stay
    fcntl = None  # type: ignore[assignment]

MARK = ".tmunet-"
_SHOWN = 20  # characters of a name in that of its temporary file: with the whole name it could become too long
_LEFTOVER = re.compile(rf"\..*{re.escape(MARK)}[a-z0-9_]{{8}}")  # as `tempfile` draws names


@contextmanager
def temporary_file(path: Path) -> Iterator[Path]:
    """Create an empty file in the folder of `path`; it is removed after an exception, and otherwise for the caller to rename."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(path))
    try:
        _lock(handle)
        yield Path(name)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Create a folder beside `path`, removed in the end with what is still in it; first those of killed processes go."""
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent, path)
    folder = Path(tempfile.mkdtemp(prefix=_prefix(path), dir=path.parent))
    try:
        with _locked_folder(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Create a folder to write files into; it gets its name when the block ends, and is removed after an exception.

    Args:
        path: a new or empty folder.
    """
    with temporary_folder(path) as temporary:
        folder = temporary / "new"  # with the permissions of any new folder, unlike its parent
        folder.mkdir()
        yield folder
        if path.exists():
            path.rmdir()
        folder.rename(path)


def remove_leftovers(folder: Path, of: Path | None = None) -> None:
    """Remove the temporary files and folders whose process was killed: all below `folder`, or those in it for the path `of`."""
    if fcntl is None or not folder.is_dir():
        return
    pattern = f"*{MARK}*"
    for path in list(folder.rglob(pattern) if of is None else folder.glob(pattern)):
        if (
            _LEFTOVER.fullmatch(path.name)
            and (of is None or path.name.startswith(_prefix(of)))
            and not _is_locked(path)
        ):
            with suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _prefix(path: Path) -> str:
    return f".{path.name[:_SHOWN]}{MARK}"


@contextmanager
def _locked_folder(folder: Path) -> Iterator[None]:
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle)
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> None:
    if fcntl is not None:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_locked(path: Path) -> bool:
    """True also where it cannot be known."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
