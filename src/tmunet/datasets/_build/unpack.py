"""Unpack an archive once: a later call finds the files, and one that was interrupted is begun anew."""

import json
import shutil
from pathlib import Path
from typing import Any

from tmunet.datasets._build.archive import extract
from tmunet.errors import InputError
from tmunet.files import write_json


def unpack(archive: Path, target: Path) -> Path:
    """Unpack an archive into a folder, or find it unpacked there.

    Beside the folder a marker ``NAME.done`` is written last. It tells the size and the time of the archive, and how many
    files and bytes came out; if anything of that does not fit, the folder is removed and the archive unpacked anew.

    Args:
        archive: as `extract` takes it.
        target: the folder; it belongs to this function.

    Returns:
        `target`.

    Raises:
        InputError: as for `extract`, or the folder cannot be renewed.
    """
    marker = target.with_name(f"{target.name}.done")
    try:
        if _read(marker) == _state(archive, target):
            return target
        marker.unlink(missing_ok=True)
        if target.exists():
            shutil.rmtree(target)
        extract(archive, target)
        write_json(marker, _state(archive, target))
    except OSError as error:
        raise InputError(
            f"{target}: cannot be written: {error.strerror}. Check its permissions and the free disk, then run the same "
            "command again."
        ) from error
    return target


def _read(marker: Path) -> Any:
    try:
        return json.loads(marker.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _state(archive: Path, target: Path) -> dict[str, int]:
    status = archive.stat()
    sizes = [path.stat().st_size for path in target.rglob("*") if path.is_file()]
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "files": len(sizes), "bytes": sum(sizes)}
