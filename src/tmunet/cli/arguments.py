"""Flags from a settings dataclass."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from jsonargparse import ArgumentError, ArgumentParser

from tmunet.config import build, explain, known_keys, suggest
from tmunet.errors import UsageError

Settings = TypeVar("Settings", bound=Any)

SHORT = {"-m": "--model", "-o": "--out", "-d": "--data", "-r": "--recipe"}


def parse(
    settings: type[Settings],
    arguments: Sequence[str],
    verb: str,
    defaults: Mapping[str, Any] | None = None,
    words: Mapping[str, str] | None = None,
    positional: Mapping[str, str] | None = None,
    notes: str = "",
) -> Settings:
    """Settings from flags.

    Args:
        settings: the dataclass; each field is a flag, nested ones dotted.
        arguments: what was typed behind the verb.
        verb: for messages.
        defaults: what the flags start from, such as a recipe; the dataclass's own defaults otherwise.
        words: the field that takes all words without a flag, with its help.
        positional: fields that are given without a flag, in this order, with their help.
        notes: shown under the flags.

    Raises:
        UsageError: an unknown flag (the nearest is suggested) or a value that does not fit.
    """
    known = known_keys(settings)
    flags = set(known) - set(positional or {})
    short = ", ".join(f"{short} = {flag}" for short, flag in SHORT.items() if flag.removeprefix("--") in flags)
    parser = ArgumentParser(
        prog=f"tmunet {verb}",
        exit_on_error=False,
        allow_abbrev=False,
        epilog=f"{notes} Short: {short}." if short else notes,
    )
    for name, meaning in (words or {}).items():
        parser.add_argument(name, nargs="*", type=str, help=meaning)
    for name, meaning in (positional or {}).items():
        parser.add_argument(name, type=str, help=meaning, metavar=name.upper())
    parser.add_class_arguments(settings, skip={*(positional or {}), *(words or {})})
    for key, value in _flat(defaults or {}):
        if key not in known:
            raise UsageError(f"{verb}: there is no setting {key!r}.{suggest(key, known)}")
        parser.set_defaults({key: value})
    switches = {f"--{field.name}" for field in dataclasses.fields(settings) if field.type is bool}
    typed = [_spelled(argument) for argument in arguments]
    for index, argument in enumerate(typed):
        if argument in switches and typed[index + 1 : index + 2] not in (["true"], ["false"]):
            typed[index] = f"{argument}=true"
    try:
        return build(settings, parser, parser.parse_args(typed), "flags")
    except ArgumentError as error:
        raise UsageError(f"{explain(error, known, positional or {})} See: tmunet {verb} --help") from None


def value_of(flag: str, arguments: Sequence[str]) -> str | None:
    """The value of a flag that has to be known before the others are read; None if it was not given."""
    typed = [_spelled(argument) for argument in arguments]
    for index, argument in enumerate(typed):
        if argument == flag and index + 1 < len(typed):
            return typed[index + 1]
        if argument.startswith(f"{flag}="):
            return argument.removeprefix(f"{flag}=")
    return None


def _spelled(argument: str) -> str:
    """A flag as the parser knows it: short ones long, and `--dry-run` as `--dry_run`."""
    flag, equals, value = argument.partition("=")
    if not flag.startswith("--"):
        return SHORT.get(argument, argument)
    return f"--{flag[2:].replace('-', '_')}{equals}{value}"


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and key != "model_args":
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
