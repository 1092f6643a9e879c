"""Keyword arguments of a network: fields of its configuration, nested ones by their own name."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

Config = TypeVar("Config")


def configure(config: Config, **values: Any) -> Config:
    """Replace fields of a configuration dataclass.

    A field of a nested dataclass may be named alone where only one has it: ``layers=2`` sets ``mstm.layers`` of `TMUNetConfig`.
    A mapping sets fields of a nested dataclass: ``mstm={"layers": 2}``.

    Raises:
        TypeError: there is no such field, or several nested dataclasses have it.
        ValueError: a value does not fit.

    >>> from tmunet.nn.tmunet import TMUNetConfig
    >>> configure(TMUNetConfig(), in_channels=1, layers=2).mstm.layers
    2
    """
    own = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}  # type: ignore[arg-type]
    nested = {
        name: [field.name for field in dataclasses.fields(value)]
        for name, value in own.items()
        if dataclasses.is_dataclass(value)
    }
    changes: dict[str, Any] = {}
    inside: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        if name in own:
            changes[name] = configure(own[name], **value) if name in nested and isinstance(value, Mapping) else value
            continue
        holders = [holder for holder, fields in nested.items() if name in fields]
        if len(holders) != 1:
            known = ", ".join([*own, *(field for fields in nested.values() for field in fields)])
            raise TypeError(f"Expected fields of {type(config).__name__} ({known}), but got {name!r}.")
        inside.setdefault(holders[0], {})[name] = value
    for holder, fields in inside.items():
        changes[holder] = configure(changes.get(holder, own[holder]), **fields)
    return dataclasses.replace(config, **changes)  # type: ignore[type-var]
