"""Read JSON written by people: one object, no duplicate keys."""

import json
from pathlib import Path
from typing import Any

from tmunet.errors import InputError


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a JSON object (UTF-8, with or without a byte order mark).

    Raises:
        InputError: the file cannot be read, is not JSON, is not an object, or has a duplicate key (of which Python would
            keep only the last).
    """
    try:
        content = json.loads(path.read_text("utf-8-sig"), object_pairs_hook=_without_repeats)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be opened: {error.strerror}. Check the path and its permissions.",
            code="unreadable",
            path=path,
        ) from error
    except RecursionError as error:
        raise InputError(
            f"{path}: is nested too deeply to be a data set or split file.", code="json", path=path
        ) from error
    except ValueError as error:  # of the syntax, of the encoding, or a repeated key
        raise InputError(f"{path}: is not valid JSON: {error}. Correct the file.", code="json", path=path) from error
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: expected a JSON object {{...}}, but found a {type(content).__name__}.", code="json", path=path
        )
    return content


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique: dict[str, Any] = {}
    for key, value in pairs:
        if key in unique:
            raise ValueError(f"the key {key!r} stands there twice")
        unique[key] = value
    return unique
