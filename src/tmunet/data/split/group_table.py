"""Read groups (patient, video sequence, slide) of cases from a CSV table."""

import codecs
import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from tmunet.data.cases import match_name, unknown_case
from tmunet.errors import DataError, InputError


def read_groups(path: Path, names: Sequence[str]) -> dict[str, str]:
    """Read a CSV file with the columns ``case`` and ``group``; other columns are ignored.

    Args:
        path: the file, in UTF-8 or, with a byte order mark, UTF-16; with commas, semicolons or tabs. Capital letters in the
            header and empty lines do not matter.
        names: of all cases of the data set. The table may name a case by its file (``12.png``); a case that is not in the
            table has no group.

    Returns:
        The group of each case in the table.

    Raises:
        InputError: the file cannot be read as a table.
        DataError: every fault at once, with its line: no such column, an unknown case, a case twice, an empty group.
    """
    text = _read_text(path)
    try:
        table = csv.DictReader(io.StringIO(text, newline=""), strict=True, delimiter=_delimiter(text))
        columns = [column.strip().lower() for column in table.fieldnames or ()]
        table.fieldnames = columns
        rows = [(table.line_num, row) for row in table if any(_cells(row))]
    except csv.Error as error:
        raise InputError(
            f"{path}: is not a CSV table: {error}. Save it anew from the spreadsheet.", code="csv", path=path
        ) from error
    missing = [column for column in ("case", "group") if column not in columns]
    if missing:
        found = ",".join(columns) or "an empty file"
        raise DataError(
            str(path),
            [f"line 1: expected the header case,group, but found {found}: no {' and no '.join(missing)}."],
        )
    return _groups(path, rows, names)


def _read_text(path: Path) -> str:
    """Read UTF-8, with or without a byte order mark, or UTF-16 with one, as spreadsheets save it."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be opened: {error.strerror}. Check the path and its permissions.",
            code="unreadable",
            path=path,
        ) from error
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path}: expected a CSV table in UTF-8, but line {line} holds the byte 0x{content[error.start]:02x}: it was saved "
            "in another encoding, such as Windows-1252 (Latin-1). Save it as 'CSV UTF-8'.",
            code="encoding",
            path=path,
        ) from error


def _delimiter(text: str) -> str:
    """Comma, semicolon (spreadsheets of many countries) or tab, whichever the header has the most of."""
    header = text.partition("\n")[0]
    return max(",;\t", key=header.count)


def _cells(row: Mapping[str, object]) -> list[str]:
    return [cell.strip() for cell in row.values() if isinstance(cell, str) and cell.strip()]


def _numbered(entry: str, names: Sequence[str]) -> str | None:
    """The one case whose name is the same number with leading zeros, which spreadsheets drop."""
    short = entry.lstrip("0")  # not int(), which refuses more than 4300 digits
    same = [name for name in names if name.isdecimal() and entry.isdecimal() and name.lstrip("0") == short]
    return same[0] if len(same) == 1 else None


def _groups(path: Path, rows: Sequence[tuple[int, Mapping[str, str | None]]], names: Sequence[str]) -> dict[str, str]:
    known, faults, unknown = {name: name for name in names}, list[str](), 0
    groups: dict[str, str] = {}
    line_of: dict[str, int] = {}
    for line, row in rows:
        entry, group = ((row[column] or "").strip() for column in ("case", "group"))
        case = match_name(entry, known)
        if case is None and (zeros := _numbered(entry, names)):
            faults.append(
                f"line {line}: there is no case {entry!r}; did you mean {zeros!r}? Spreadsheets drop leading zeros: make the "
                "column text."
            )
        elif case is None:
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
