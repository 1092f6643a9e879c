"""The files of a distribution as they were downloaded: a folder, or what was in its archives."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


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
        """Files that lie directly in folders of a name (case is ignored), by file name."""
        wanted = folder.casefold()
        return {path.name: path for path in self.files if path.parent.name.casefold() == wanted}
