"""Atomic writing and hashing of files."""

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from tmunet.temporary import temporary_file


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: a reader sees the old file or the whole new one, never a part."""
    with open_atomic(path) as file:
        file.write(content)


@contextmanager
def open_atomic(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write piece by piece; it appears, whole, when the block ends, and not at all after an exception."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_file(path) as temporary:
        with open(str(temporary), "w+b") as file:  # noqa: PTH123  # by its name as text, which tifffile asks the file for
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, content: str) -> None:
    """Write UTF-8 text atomically, with line feeds on every system."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically, indented, with non-finite numbers refused."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a CSV table atomically; floats are written so that they read back as the same number."""
    text = io.StringIO()
    table = csv.DictWriter(text, fieldnames=list(columns), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(path, text.getvalue())


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
