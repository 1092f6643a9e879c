"""A copy of a data set in the making: what is taken over, what is set aside, and the list of changes."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from tmunet.files import sha256


@dataclass(frozen=True)
class Change:
    """What became of a file, by its path in the data set folder."""

    file: str
    what: str


@dataclass
class Copy:
    """Copies entries of a data set one by one.

    Attributes:
        source: the data set; it is only read.
        target: the copy.
        changes: what differs so far.
        hashes: SHA-256 of files with new content, by their path in the data set folder.
    """

    source: Path
    target: Path
    changes: list[Change] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)

    @property
    def aside(self) -> Path:
        """Folder of the copy for what is taken out: nothing is lost. An older one of the data set stays as it is."""
        older = [path.name for path in self.source.glob("set_aside*")]
        return self.target / ("set_aside" if not older else f"set_aside_{len(older) + 1}")

    def take_over(self, path: Path, target: Path | None = None) -> None:
        """Copy a file, a folder or a broken link to the same place, or to another."""
        place = target or self.target / path.relative_to(self.source)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            shutil.copy2(path, place)
        elif path.is_symlink():  # broken, or to a folder
            place.symlink_to(path.readlink())
        elif path.is_dir():
            shutil.copytree(path, place, symlinks=True)
        else:
            self.note(path, "was not copied, since it is no file")

    def set_aside(self, path: Path, reason: str) -> None:
        """Copy an entry to where it does no harm."""
        self.take_over(path, self.aside / path.relative_to(self.source))
        self.note(path, f"moved to {self.aside.name}/, since {reason}")

    def rewrite(self, path: Path, suffix: str, content: bytes | None, what: str) -> None:
        """Copy a file under another suffix, with new content unless that is None."""
        place = (self.target / path.relative_to(self.source)).with_suffix(suffix)
        self.take_over(path, place)
        if content is not None:
            place.write_bytes(content)
            self.hashes[self.name(path)] = sha256(place)
            what += f"; the file is now {place.name}" * (place.name != path.name)
        self.note(path, what)

    def note(self, path: Path, what: str) -> None:
        """Remember what became of an entry."""
        self.changes.append(Change(self.name(path), what))

    def name(self, path: Path) -> str:
        """Path of an entry as findings give it."""
        return path.relative_to(self.source).as_posix()
