"""Frame numbers and video sequences of CVC-ClinicDB and CVC-ColonDB.

The tables in ``sequences/`` give for each frame its video sequence, as the notes of the original distributions do, and for
CVC-ColonDB the earlier frame of which it is an exact copy.
"""

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class Frame:
    """A row of the table.

    Attributes:
        group: the video sequence, such as "sequence 7".
        copy_of: name of the first frame with exactly the same pixels; None for most.
    """

    group: str
    copy_of: str | None = None


def read_frames(name: str) -> dict[str, Frame]:
    """Read the packaged table of a data set; the keys are "001", "002" and so on.

    >>> read_frames("CVC-ClinicDB")["612"]
    Frame(group='sequence 29', copy_of=None)
    """
    text = (files("tmunet.datasets") / "sequences" / f"{name}.csv").read_text("utf-8")
    return {
        row["stem"]: Frame(f"sequence {row['sequence']}", row.get("duplicate_of") or None)
        for row in csv.DictReader(text.splitlines())
    }


def frame_name(last: int) -> Callable[[re.Match[str]], str | None]:
    """Give the case name, such as "012", from a match of the frame number; None unless it is 1 to `last`."""

    def name(match: re.Match[str]) -> str | None:
        number = int(match[1][:10])
        return f"{number:03d}" if 1 <= number <= last else None

    return name
