"""Video frames of the two CVC sets: their numbers, and the sequences that they come from.

The tables in ``sequences/`` say for each frame which video sequence it is from, as the notes of the original distributions
tell, and for CVC-ColonDB of which earlier frame it is an exact copy.
"""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Frame:
    """What is known of a frame.

    Attributes:
        group: the video sequence, such as "sequence 7".
        copy_of: name of the frame that has exactly the same pixels and comes first; None for most.
    """

    group: str
    copy_of: str | None = None


def read_frames(name: str) -> dict[str, Frame]:
    """Read the table of a set that is packaged with tmunet; the keys are "001", "002" and so on.

    >>> read_frames("CVC-ClinicDB")["612"]
    Frame(group='sequence 29', copy_of=None)
    """
    text = (files("tmunet.datasets") / "sequences" / f"{name}.csv").read_text("utf-8")
    return {
        row["stem"]: Frame(f"sequence {row['sequence']}", row.get("duplicate_of") or None)
        for row in csv.DictReader(text.splitlines())
    }


def numbered(
    paths: Iterable[PurePosixPath], prefix: str, last: int, faults: list[str]
) -> list[tuple[str, PurePosixPath]]:
    """Read the numbers in file names such as ``p12.tiff``.

    Args:
        paths: of the files.
        prefix: what stands before the number, such as "p"; may be empty.
        last: number of the last frame of the set; the first is 1.
        faults: a line is added for each file without a number, or with one out of range.

    Returns:
        Names of cases, such as "012", with their files; those with a fault are left out.
    """
    found = []
    for path in paths:
        number = re.fullmatch(f"{prefix}([0-9]{{1,9}})", path.stem)
        if number is None or not 1 <= int(number[1]) <= last:
            faults.append(f"{path}: expected a name from {prefix}1 to {prefix}{last}; rename the file or take it out.")
        else:
            found.append((f"{int(number[1]):03d}", path))
    return found
