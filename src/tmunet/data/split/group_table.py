"""Read groups (patient, video sequence, slide) of cases from a CSV table."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from tmunet.data.cases import match_name, unknown_case
from tmunet.errors import DataError, InputError


def read_groups(path: Path, names: Sequence[str]) -> dict[str, str]:
    """Read a CSV file with the columns ``case`` and ``group``; other columns are ignored.

    Args:
        path: the file, in UTF-8.
        names: of all cases of the data set. The table may name a case by its file (``12.png``); a case that is not in the
            table has no group.

    Returns:
        The group of each case in the table.

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
        raise InputError(
            f"{path}: cannot be opened: {error.strerror}. Check the path and its permissions.",
            code="unreadable",
            path=path,
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: is not a CSV table in UTF-8: {error}. Save it as CSV with commas.", code="csv", path=path
        ) from error
    missing = [column for column in ("case", "group") if column not in columns]
    if missing:
        found = ",".join(columns) or "an empty file"
        raise DataError(
            str(path),
            [f"line 1: expected the header case,group, but found {found}: no {' and no '.join(missing)}."],
        )
    return _groups(path, rows, names)


def _groups(path: Path, rows: Sequence[tuple[int, Mapping[str, str | None]]], names: Sequence[str]) -> dict[str, str]:
    known, faults, unknown = {name: name for name in names}, list[str](), 0
    groups: dict[str, str] = {}
    line_of: dict[str, int] = {}
    for line, row in rows:
        entry, group = ((row[column] or "").strip() for column in ("case", "group"))
        case = match_name(entry, known)
        if case is None:
            faults.append(f"line {line}: {unknown_case(entry, names, unknown)}")
            unknown += 1
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
