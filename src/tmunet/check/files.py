"""What lies in the two folders of a data set, before any file is opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tmunet.data.cases import SYSTEM_FILES
from tmunet.data.io.images import IMAGE_SUFFIXES


@dataclass(frozen=True)
class Listing:
    """The entries of ``images/`` or ``masks/``, in order of their names.

    Attributes:
        folder: the folder.
        trouble: why it cannot be listed, or None.
        pictures: files with the suffix of an image.
        impostors: entries with the suffix of an image that are no files: folders, broken links, devices.
        passed_over: files and folders of other suffixes; not hidden files, nor what systems leave behind.
    """

    folder: Path
    trouble: str | None = None
    pictures: tuple[Path, ...] = ()
    impostors: tuple[Path, ...] = ()
    passed_over: tuple[Path, ...] = ()

    def by_name(self) -> dict[str, list[Path]]:
        """The entries that `tmunet.data.cases.find_cases` takes for images, by the name of their case."""
        found: dict[str, list[Path]] = {}
        for path in sorted((*self.pictures, *self.impostors)):
            found.setdefault(path.stem, []).append(path)
        return found


def list_folder(folder: Path) -> Listing:
    """List a folder; never raises for what lies there."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        return Listing(folder, trouble=error.strerror or type(error).__name__)
    shown = [p for p in entries if not p.name.startswith(".") and p.name.casefold() not in SYSTEM_FILES]
    named = [p for p in shown if p.suffix.lower() in IMAGE_SUFFIXES]
    files = frozenset(p for p in named if p.is_file())
    return Listing(
        folder,
        pictures=tuple(p for p in named if p in files),
        impostors=tuple(p for p in named if p not in files),
        passed_over=tuple(p for p in shown if p.suffix.lower() not in IMAGE_SUFFIXES),
    )


def relative(paths: Sequence[Path]) -> tuple[str, ...]:
    """Paths of files in ``images/`` and ``masks/``, relative to the data set folder, with forward slashes."""
    return tuple(f"{path.parent.name}/{path.name}" for path in paths)
