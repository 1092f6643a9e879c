"""What an import has finished so far, kept in the folder that it fills, so that it can go on after any interruption."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tmunet.errors import UsageError
from tmunet.files import write_text

JOURNAL = ".import.jsonl"
# as `tmunet.files.write_bytes` names it
_TEMPORARY = re.compile(r"\..+\.(png|jpg|bmp|tif|json|jsonl|md)\.[a-z0-9_]{8}")


@dataclass(frozen=True)
class Entry:
    """A finished case.

    Attributes:
        name: of the case.
        image: the image file, relative to the data set folder.
        mask: the mask file.
        width, height: of the upright image, in pixels.
        sources: the original files by their path in the source, the image first, with the SHA-256 of each.
        image_sha256: of the image file.
        mask_sha256: of the mask file.
        empty: whether its mask has no pixel of a class besides the background.
    """

    name: str
    image: str
    mask: str
    width: int
    height: int
    sources: Mapping[str, str]
    image_sha256: str
    mask_sha256: str
    empty: bool


def unfinished(folder: Path) -> bool:
    """Whether an import into a folder has begun and has not come to its end."""
    return (folder / JOURNAL).exists()


def begin(folder: Path, head: Mapping[str, str]) -> dict[str, Entry]:
    """Begin to fill a folder, or go on with it.

    Args:
        folder: new, empty, or left by an import that was interrupted; hidden files in it do not matter.
        head: what makes two imports the same; the texts stand in the message if they are not.

    Returns:
        The cases that are finished already, by name. A line that was cut short when the import was killed is left out.

    Raises:
        UsageError: the folder holds other files, or an import with another head.
        OSError: the folder cannot be read or written.
    """
    journal = folder / JOURNAL
    lines = journal.read_bytes().split(b"\n") if journal.exists() else []
    if lines:
        _check_head(folder, lines[0], head)
    elif folder.exists() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise UsageError(
            f"{folder}: expected a new or empty folder for the data set, but it holds other files; choose another."
        )
    entries = {entry.name: entry for line in lines[1:] if (entry := _read(line)) is not None}
    # Written anew, so that the next line does not continue one that was cut short.
    write_text(journal, "".join(json.dumps(line) + "\n" for line in (head, *map(asdict, entries.values()))))
    for place in (folder, folder / "images", folder / "masks"):
        for path in place.iterdir() if place.is_dir() else ():
            if _TEMPORARY.fullmatch(path.name):
                path.unlink()
    return entries


def _check_head(folder: Path, line: bytes, head: Mapping[str, str]) -> None:
    try:
        found = dict(json.loads(line))
    except (TypeError, ValueError):
        found = {}
    changed = [
        f"its {key} was {found.get(key, 'lost')}, and now is {value}"
        for key, value in head.items()
        if found.get(key) != value
    ]
    if changed:
        raise UsageError(
            f"{folder}: holds an unfinished import that cannot go on like this: {'; '.join(changed)}. Run the former command "
            "again on the same files, or remove the folder to begin anew."
        )


def _read(line: bytes) -> Entry | None:
    try:
        return Entry(**json.loads(line))
    except (TypeError, ValueError):
        return None


def append(folder: Path, entry: Entry) -> None:
    """Note that a case is finished; its files have to be written before."""
    with (folder / JOURNAL).open("a", encoding="utf-8", newline="\n") as journal:
        journal.write(json.dumps(asdict(entry)) + "\n")


def end(folder: Path) -> None:
    """Note that all is done."""
    (folder / JOURNAL).unlink()
