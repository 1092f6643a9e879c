"""Settings inside settings."""

from collections.abc import Iterator, Mapping
from typing import Any


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings one over the other; the later one counts.

    >>> merged({"preprocess": {"size": 512, "channels": 3}}, {"preprocess": {"size": 64}})
    {'preprocess': {'size': 64, 'channels': 3}}
    """
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = result.get(key)
            nested = isinstance(below, Mapping) and isinstance(value, Mapping)
            result[key] = merged(below or {}, value) if nested else value
    return result


def dotted(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings by dotted name.

    >>> dict(dotted({"epochs": 2, "preprocess": {"size": 64}}))
    {'epochs': 2, 'preprocess.size': 64}
    """
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from dotted(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
