"""Archives with exactly the names and contents that a test asks for, and the check that one is refused."""

import io
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from tmunet.datasets._build.archives import ArchiveError, ExtractionBudget, extract

Files = Iterable[tuple[str, bytes]]
FORMATS = ("zip", "stored.zip", "tar", "tar.gz", "tar.bz2", "tar.xz")
NOISE = np.random.default_rng(0).bytes(3000)
SOUND: Files = [("set/images/1.png", b"one" * 1000), ("set/masks/1.png", b""), ("./set/noise.bin", NOISE)]


def zip_info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("x")
    info.filename = info.orig_filename = name  # the constructor would make the name harmless
    return info


def make(path: Path, files: Files) -> Path:
    """An archive of the format of its suffix, with exactly these names."""
    if path.suffix == ".zip":
        method = zipfile.ZIP_STORED if "stored" in path.name else zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files:
                archive.writestr(zip_info(name), content, method)
        return path
    mode = {".tar": "w", ".gz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}[path.suffix]
    with tarfile.open(path, mode, format=tarfile.PAX_FORMAT) as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def content_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(archive: Path, kind: str, budget: ExtractionBudget | None = None, reason: str = "") -> None:
    """The archive is refused for this reason, and nothing of it is left anywhere."""
    target = archive.parent / "inside" / "target"
    before = content_of(archive.parent)
    with pytest.raises(ArchiveError, match=reason or None) as caught:
        extract(archive, target, *([budget] if budget else []))
    assert caught.value.kind in kind.split("|")
    assert caught.value.path == archive
    assert not target.exists()
    assert content_of(archive.parent) == before
