"""Unpack ZIP archives of images, as a PACS or a viewer exports a study, for the time of a prediction."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tmunet.data.io.dicom import is_bare_dicom
from tmunet.data.io.images import IMAGE_SUFFIXES
from tmunet.datasets._build.archives import extract


@contextmanager
def unpacked(words: Sequence[str]) -> Iterator[list[str]]:
    """Replace ZIP archives among words by folders of their images, which are removed at the end.

    Images of all folders in an archive lie side by side there, with the names of their folders below the common one as a prefix:
    ``study/series1/IM0001`` is ``series1_IM0001``.

    Raises:
        InputError: an archive is damaged, unsafe or too large; see `tmunet.datasets._build.archives.extract`.
    """
    archives = [word for word in words if Path(word).suffix.lower() == ".zip" and Path(word).is_file()]
    if not archives:
        yield list(words)
        return
    with tempfile.TemporaryDirectory(prefix="tmunet-") as temporary:
        folders = {}
        for number, word in enumerate(archives):
            source, folder = Path(temporary) / f"{number}-all", Path(temporary) / f"{number}"
            extract(Path(word), source)
            folder.mkdir()
            _flatten(source, folder)
            folders[word] = str(folder)
        yield [folders.get(word, word) for word in words]


def _flatten(source: Path, folder: Path) -> None:
    images = [path for path in sorted(source.rglob("*")) if path.is_file() and _is_image(path)]
    common = Path(os.path.commonpath([path.parent for path in images])) if images else source
    for path in images:
        path.rename(folder / "_".join(path.relative_to(common).parts))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES or is_bare_dicom(path)
