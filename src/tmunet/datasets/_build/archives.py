"""Extract ZIP and tar archives from untrusted sources: safe member names, plain files only, one budget for sizes.

`tarfile`'s own ``filter="data"`` is not enough here: it lets links inside the folder, duplicate names and names that are unsafe
on other systems pass, and neither it nor `zipfile` bounds how far an archive expands.
"""

import bz2
import errno
import gzip
import io
import lzma
import re
import shutil
import stat
import tarfile
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, cast
from zipfile import ZipFile

from tmunet.progress import progress_bar

from tmunet.errors import InputError

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
"""Suffixes in lower case by which archives are found in a folder."""

_GIB = 2**30
_CHUNK = 2**20
_MAX_HEADER = 2**20  # bytes of tar headers before a member; honest ones have a few hundred
_MAX_NAME = 1000
_SYSTEM_FILES = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
_OTHER_FORMATS = {b"Rar!\x1a\x07": "RAR", b"7z\xbc\xaf\x27\x1c": "7-Zip"}
_ENCRYPTED = 0x1 | 0x40 | 0x2000  # ZIP flags: by password, strongly, and with a hidden directory
_EXTRACT_YOURSELF = "If you trust it, extract it yourself and give the folder."


@dataclass(frozen=True)
class ExtractionBudget:
    """Limits on what an archive may expand to; no real data set reaches them.

    Attributes:
        members: number of files and folders.
        member_bytes: size of one file.
        total_bytes: size of all files together.
        ratio: compression ratio. Empty masks compress a thousandfold, so it applies only above `floor_bytes`.
        floor_bytes: every archive may expand to this size.
    """

    members: int = 1_000_000
    member_bytes: int = 100 * _GIB
    total_bytes: int = 1024 * _GIB
    ratio: int = 250
    floor_bytes: int = _GIB


_BUDGET = ExtractionBudget()


class ArchiveError(InputError):
    """An archive that is not extracted.

    Attributes:
        kind: "format", "damaged", "encrypted", "unsafe-name", "name-clash", "link-or-device", "budget", "disk-full" or "target".
        path: of the archive.
    """

    def __init__(self, kind: str, archive: Path, message: str) -> None:
        self.kind = kind
        super().__init__(f"{archive}: {message}", path=archive)


def has_archive_suffix(name: str) -> bool:
    """Check a file name for the suffix of a supported archive format.

    >>> has_archive_suffix("BUSI.ZIP"), has_archive_suffix("BUSI.rar")
    (True, False)
    """
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def is_system_file(path: PurePath) -> bool:
    """Check a relative path for hidden parts and for files that an operating system left there.

    >>> is_system_file(PurePosixPath("__MACOSX/images/1.png")), is_system_file(PurePosixPath("images/1.png"))
    (True, False)
    """
    return any(part.startswith(".") or part.casefold() in _SYSTEM_FILES for part in path.parts)


def unsafe_name_reason(name: str) -> str | None:
    """Explain why a relative name with forward slashes is unsafe on some system; None if it is safe.

    >>> unsafe_name_reason("images/../../1.png")
    'leads out of its folder'
    """
    parts = name.split("/")
    if not name or len(name) > _MAX_NAME:
        return f"is not of 1 to {_MAX_NAME} characters"
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        return "has control characters, or is not UTF-8"
    if "\\" in name:
        return "has a backslash, which is a path separator on Windows and a letter elsewhere"
    if name.startswith("/") or any(re.match("[A-Za-z]:", part) for part in parts):
        return "is an absolute path"
    # Windows drops dots and spaces at the end, so that ".. " is ".." there.
    if any(part not in ("", ".") and not part.rstrip(". ") for part in parts):
        return "leads out of its folder"
    return None


def normalize_name(name: str) -> str:
    """Give the form that is equal for names which some file system takes for the same.

    >>> normalize_name("Straße.PNG.") == normalize_name("STRASSE.png")
    True
    """
    caseless = unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
    return "/".join(part.rstrip(". ") for part in caseless.split("/"))


def extract(archive: Path, target: Path, budget: ExtractionBudget = _BUDGET) -> None:
    """Extract an archive into a new folder, whole or not at all; hidden and system files are skipped.

    Args:
        archive: a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz file, recognized by its content.
        target: the folder; it must not exist. No file is written outside of it, whatever the archive says.
        budget: limits on what the archive may expand to.

    Raises:
        InputError: another format; a damaged or encrypted archive; an unsafe or clashing name; a link or a device; sizes
            beyond the budget or the free disk; a target that cannot be written.
    """
    try:
        target.mkdir(parents=True)
        try:
            _extract(archive, target, budget)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise
    except InputError:
        raise
    except Exception as error:  # zipfile, tarfile and the decompressors raise many types on damaged files
        if isinstance(error, OSError) and error.errno is not None:
            hint = "make room on the disk" if error.errno == errno.ENOSPC else "check both paths and their permissions"
            kind = "disk-full" if error.errno == errno.ENOSPC else "target"
            message = f"cannot be extracted into {target}: {error.strerror}; {hint}."
            raise ArchiveError(kind, archive, message) from error
        raise _damaged(archive, " ".join(f"{type(error).__name__}: {error}".split())) from error


@dataclass(frozen=True)
class _Member:
    name: str  # as in the archive, unchecked
    size: int  # in bytes, as declared
    is_folder: bool
    open: Callable[[], IO[bytes]]


class _Meter:
    """Counts what one archive has used of its budget: names, members and bytes."""

    def __init__(self, archive: Path, target: Path, budget: ExtractionBudget) -> None:
        self._archive, self._budget, self._count = archive, budget, 0
        self._free = shutil.disk_usage(target).free
        by_ratio = max(budget.floor_bytes, budget.ratio * archive.stat().st_size)
        self._max_bytes = min(budget.total_bytes, by_ratio)
        self._files: dict[str, str] = {}
        self._folders: dict[str, str] = {}

    def check_bytes(self, size: int) -> None:
        """Refuse a number of extracted bytes, declared or counted, that is beyond the budget or the free disk."""
        if size > self._max_bytes:
            raise ArchiveError(
                "budget",
                self._archive,
                f"expected its files to have at most {self._max_bytes:,} bytes together, judged by the size "
                f"of the archive, but they have {size:,} or more: it may be made to fill the disk. {_EXTRACT_YOURSELF}"
            )
        if size > self._free:
            raise ArchiveError(
                "disk-full",
                self._archive,
                f"needs {size:,} bytes or more when extracted, but the disk has {self._free:,} free; "
                "make room, then run the same command again."
            )

    def check_member(self, member: _Member) -> PurePosixPath:
        """Check the number, name and size of the next member; gives its relative path."""
        self._count += 1
        if self._count > self._budget.members:
            raise ArchiveError(
                "budget",
                self._archive,
                f"expected at most {self._budget.members:,} members, but it has more. {_EXTRACT_YOURSELF}"
            )
        path = PurePosixPath(member.name)
        if reason := unsafe_name_reason(member.name):
            raise _refused("unsafe-name", self._archive, member.name, reason)
        if not path.parts and not member.is_folder:
            raise _refused("unsafe-name", self._archive, member.name, "is no file name")
        self._check_clash(path, member.is_folder)
        if member.size > self._budget.member_bytes:
            raise ArchiveError(
                "budget",
                self._archive,
                f"expected members of at most {self._budget.member_bytes:,} bytes, but {member.name!r} has "
                f"{member.size:,} or more. {_EXTRACT_YOURSELF}"
            )
        return path

    def _check_clash(self, path: PurePosixPath, is_folder: bool) -> None:
        key, folders = (
            normalize_name(str(path)),
            {normalize_name(str(folder)): str(folder) for folder in path.parents},
        )
        if is_folder:
            folders[key] = str(path)
        other = next((self._files[folder] for folder in folders if folder in self._files), None)
        if not is_folder:
            other = other or self._files.get(key) or self._folders.get(key)
            self._files[key] = str(path)
        self._folders.update(folders)
        if other is not None:
            raise ArchiveError(
                "name-clash",
                self._archive,
                f"the members {other!r} and {str(path)!r} would be one file on some systems. Nothing was "
                "extracted. Extract it yourself, rename one of them and give the folder."
            )


def _extract(archive: Path, target: Path, budget: ExtractionBudget) -> None:
    meter, total = _Meter(archive, target, budget), 0
    with _members(archive, meter) as members, progress_bar(desc=f"extract {archive.name}", unit=" files") as bar:
        for member in members:
            path = meter.check_member(member)
            if not member.is_folder and not is_system_file(path):
                total = _write(archive, member, target / path, meter, total)
                bar.update()


def _write(archive: Path, member: _Member, path: Path, meter: _Meter, total: int) -> int:
    """Write a file; gives the number of bytes that were written with it and before it."""
    size = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with member.open() as content, path.open("xb") as file:
        while chunk := content.read(_CHUNK):
            size += len(chunk)
            meter.check_bytes(total + size)
            file.write(chunk)
    if size != member.size:
        raise _damaged(archive, f"{member.name!r} should have {member.size:,} bytes, but has {size:,}")
    return total + size


@contextmanager
def _members(archive: Path, meter: _Meter) -> Iterator[Iterator[_Member]]:
    with archive.open("rb") as file:
        start = file.read(512)
        file.seek(0)
        if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            with ZipFile(archive) as content:
                yield _zip_members(archive, content, meter)
        else:
            with _decompress(archive, file, start) as stream, closing(_TarReader(archive, stream, meter)) as reader:
                yield reader.members()


def _zip_members(archive: Path, file: ZipFile, meter: _Meter) -> Iterator[_Member]:
    meter.check_bytes(sum(entry.file_size for entry in file.infolist()))
    for entry in file.infolist():
        name = entry.orig_filename  # `filename` ends where a NUL stands, which hides the rest
        if entry.flag_bits & _ENCRYPTED:
            raise _refused("encrypted", archive, name, "is encrypted, and needs a password")
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            reason = "is a link or a device, but only plain files and folders are extracted"
            raise _refused("link-or-device", archive, name, reason)
        yield _Member(name, entry.file_size, name.endswith("/"), lambda entry=entry: file.open(entry))  # type: ignore[misc]


class _TarReader:
    """What `tarfile` reads from: it refuses headers that would fill the memory, and streams that would fill the disk."""

    def __init__(self, archive: Path, stream: IO[bytes], meter: _Meter) -> None:
        self._archive, self._stream, self._meter = archive, stream, meter
        self._allowed = _MAX_HEADER  # bytes that may be read until the next member

    def read(self, size: int) -> bytes:
        self._allowed -= size
        if self._allowed < 0:
            raise _damaged(self._archive, f"a header is longer than {_MAX_HEADER:,} bytes")
        chunk = self._stream.read(size)
        self._meter.check_bytes(self._stream.tell())
        return chunk

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, position: int) -> None:
        self._meter.check_bytes(position)
        self._stream.seek(position)

    def close(self) -> None:
        self._stream.close()

    def members(self) -> Iterator[_Member]:
        with tarfile.open(fileobj=cast(IO[bytes], self), mode="r:") as tar:
            while (info := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # tarfile would keep a million of them
                if info.size < 0:
                    raise _damaged(self._archive, f"{info.name!r} declares {info.size} bytes")
                if not (info.isreg() or info.isdir()) or info.issparse():
                    reason = "is a link, a device or sparse, but only plain files and folders are extracted"
                    raise _refused("link-or-device", self._archive, info.name, reason)
                self._allowed = info.size
                content = lambda info=info: tar.extractfile(info) or io.BytesIO()  # noqa: E731
                yield _Member(info.name, info.size, info.isdir(), content)
                self._allowed = _MAX_HEADER
            self._check_end(tar.offset)

    def _check_end(self, end: int) -> None:
        """Require zeros until the end of the file: `tarfile` silently takes a damaged header for the end."""
        self.seek(end)
        count, chunk = 0, b"\0"
        while chunk:
            self._allowed = _CHUNK
            chunk = self.read(_CHUNK)
            count += len(chunk)
            if chunk.strip(b"\0"):
                raise _damaged(self._archive, f"there is no header where one should be, at byte {end:,}")
        if count < tarfile.BLOCKSIZE:
            raise _damaged(self._archive, "its end is missing")


def _decompress(archive: Path, file: IO[bytes], start: bytes) -> IO[bytes]:
    if start.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))
    if start.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if start.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile(file)
    if start[257:262] == b"ustar":
        return file
    for magic, name in _OTHER_FORMATS.items():
        if start.startswith(magic):
            raise ArchiveError(
                "format",
                archive,
                f"is a {name} archive, which is not supported; extract it yourself and give the folder."
            )
    raise ArchiveError(
        "format",
        archive,
        f"expected a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz archive, but the file begins with {start[:12]!r}; "
        "if it should be one, download it again, or extract it yourself and give the folder."
    )


def _refused(kind: str, archive: Path, name: str, reason: str) -> ArchiveError:
    message = f"the member {name!r} {reason}. Nothing was extracted. {_EXTRACT_YOURSELF}"
    return ArchiveError(kind, archive, message)


def _damaged(archive: Path, reason: str) -> ArchiveError:
    message = f"the archive is damaged or cut short ({reason}); download it again from its source."
    return ArchiveError("damaged", archive, message)
