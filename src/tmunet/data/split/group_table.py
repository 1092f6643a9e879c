"""Read which cases belong together from a table that the user wrote."""

import csv
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from tmunet.data.io.images import IMAGE_SUFFIXES
from tmunet.errors import DataError, InputError

_SUGGESTIONS = 10  # finding a close name takes long in a large data set


def read_groups(path: Path, names: Sequence[str]) -> dict[str, str]:
    """Read a CSV file with the columns ``case`` and ``group``; other columns are passed over.

    Args:
        path: the file, in UTF-8.
        names: of all cases of the data set. The table may name a case by its file (``12.png``); a case that it does not
            name has no group.

    Returns:
        The group (video sequence, patient, slide) of each case that the table names.

    Raises:
        InputError: the file cannot be read as a table.
        DataError: every fault at once, with its line: no such column, an unknown case, a case twice, an empty group.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, strict=True)
            columns = [column.strip() for column in table.fieldnames or ()]
            table.fieldnames = columns
            rows = [(table.line_num, row) for row in table]
    except OSError as error:
        raise InputError(f"{path}: cannot be opened: {error.strerror}. Check the path and its permissions.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: is not a CSV table in UTF-8: {error}. Save it as CSV with commas.") from error
    missing = [column for column in ("case", "group") if column not in columns]
    if missing:
        found = ",".join(columns) or "an empty file"
        raise DataError(
            str(path),
            [f"line 1: expected the header case,group, but found {found}: no {' and no '.join(missing)}."],
        )
    return _groups(path, rows, names)


def _groups(path: Path, rows: Sequence[tuple[int, Mapping[str, str | None]]], names: Sequence[str]) -> dict[str, str]:
    known, faults, unknown = frozenset(names), list[str](), 0
    groups: dict[str, str] = {}
    line_of: dict[str, int] = {}
    for line, row in rows:
        entry, group = ((row[column] or "").strip() for column in ("case", "group"))
        case = _case(entry, known)
        if case is None:
            unknown += 1
            close = get_close_matches(entry, names, n=1) if unknown <= _SUGGESTIONS else []
            faults.append(
                f"line {line}: there is no case {entry!r}" + (f"; did you mean {close[0]!r}?" if close else ".")
            )
        elif case in line_of:
            faults.append(f"line {line}: the case {case!r} stands on line {line_of[case]} already; keep it once.")
        elif not group:
            faults.append(f"line {line}: the case {case!r} has no group; name one, or leave the line out.")
        if case is not None:
            line_of.setdefault(case, line)
            groups[case] = group
    if faults:
        raise DataError(str(path), faults)
    return groups


def _case(entry: str, known: frozenset[str]) -> str | None:
    file = PurePosixPath(entry)
    stem = file.stem if file.suffix.lower() in IMAGE_SUFFIXES else file.name
    return next((name for name in (entry, stem) if name in known), None)
