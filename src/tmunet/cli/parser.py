"""Command line flags from a settings dataclass: `batch_size` is `--batch-size`, nested settings have dots."""

import argparse
import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin

import yaml
from docstring_parser import parse_from_object

from tmunet.config import describe_type, fields_of, flatten, from_mapping, parse_yaml, suggest
from tmunet.errors import UsageError

Settings = TypeVar("Settings", bound=Any)

SHORT = {"-m": "--model", "-o": "--out", "-d": "--data", "-r": "--recipe"}
METAVARS = {int: "N", float: "X", str: "TEXT", bool: "true|false"}


class _ArgumentParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}. See: {self.prog} --help", code="flag")


def parse(
    settings: type[Settings],
    arguments: Sequence[str],
    verb: str,
    defaults: Mapping[str, Any] | None = None,
    words: Mapping[str, str] | None = None,
    positional: Mapping[str, str] | None = None,
    notes: str = "",
) -> Settings:
    """Parse flags into a settings dataclass.

    Args:
        settings: the dataclass; each field is a flag, and its docstring the help text.
        arguments: what was typed behind the verb.
        verb: for messages.
        defaults: values that flags override, such as a recipe; otherwise the dataclass's own defaults.
        words: the field that takes all words without a flag, with its help.
        positional: fields that are given without a flag, in this order, with their help.
        notes: shown under the flags.

    Raises:
        UsageError: an unknown flag (the nearest is suggested) or a value that does not fit.
    """
    positional, words = positional or {}, words or {}
    hints = {key: hint for key, hint, _ in fields_of(settings) if not dataclasses.is_dataclass(hint)}
    flags = {to_flag(key) for key in hints if key not in {*positional, *words}}
    typed = _expand(arguments, {to_flag(key) for key, hint in hints.items() if hint is bool})
    parser = _build_parser(settings, f"tmunet {verb}", defaults or {}, {*positional, *words})
    short = ", ".join(f"{short} = {flag}" for short, flag in SHORT.items() if flag in flags)
    parser.epilog = f"{notes} Short: {short}." if short else notes
    for key, meaning in positional.items():
        parser.add_argument(key, help=_escape(meaning), metavar=key.upper(), nargs="?")  # a missing one: see below
    for key, meaning in words.items():
        parser.add_argument(key, help=_escape(meaning), nargs="*")
    if {"-h", "--help"} & set(typed):
        parser.parse_args(["--help"])
    for word in typed:
        flag = word.partition("=")[0]
        if flag.startswith("--") and flag not in flags:
            hint = suggest(flag.replace("_", "-"), flags)
            raise UsageError(f"There is no flag {flag!r}.{hint} See: tmunet {verb} --help", code="flag")
    values, flagged = _copy(defaults or {}), hints.keys() - {*positional, *words}
    for key, value in vars(parser.parse_intermixed_args(typed)).items():
        if value is not None:
            *groups, name = key.split(".")
            inside = values
            for group in groups:
                inside = inside.setdefault(group, {})
            inside[name] = _parse_values(hints[key], value, to_flag(key)) if key in flagged else value
    _check_required(settings, values, positional, verb)
    return from_mapping(settings, values, "flags")


def to_flag(key: str) -> str:
    """The flag of a setting.

    >>> to_flag("optimizer.learning_rate"), to_flag("from_")  # a keyword of Python
    ('--optimizer.learning-rate', '--from')
    """
    return f"--{key.removesuffix('_').replace('_', '-')}"


def value_of(flag: str, arguments: Sequence[str]) -> str | None:
    """The value of a flag that has to be known before the others are parsed; None if it is not given."""
    typed = _expand(arguments, set())
    for index, argument in enumerate(typed):
        if argument == flag and index + 1 < len(typed):
            return typed[index + 1]
        if argument.startswith(f"{flag}="):
            return argument.removeprefix(f"{flag}=")
    return None


def _expand(arguments: Sequence[str], switches: set[str]) -> list[str]:
    """Expand short flags to long ones, and add ``=true`` to switches that stand alone."""
    typed = [SHORT.get(argument, argument) for argument in arguments]
    for index, argument in enumerate(typed):
        if argument in switches and typed[index + 1 : index + 2] not in (["true"], ["false"]):
            typed[index] = f"{argument}=true"
    return typed


def _build_parser(settings: type, prog: str, defaults: Mapping[str, Any], skip: set[str]) -> _ArgumentParser:
    """A parser with a flag for each setting; the flags of a nested dataclass are a group of the help."""
    parser = _ArgumentParser(prog=prog, description=_escape(inspect.getdoc(settings) or ""), allow_abbrev=False)
    texts, overridden = _docstrings(settings, ""), dict(flatten(defaults))
    groups: dict[str, Any] = {"": parser}
    for key, hint, field in fields_of(settings):
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            groups[key] = parser.add_argument_group(key, texts.get(key))
            texts |= _docstrings(hint, f"{key}.")
        elif key not in skip:
            default = overridden.get(key, None if field.default is dataclasses.MISSING else field.default)
            shown = str(default).lower() if isinstance(default, bool) else default
            text = texts.get(key, "") + (f" (default: {shown})" if default is not None else "")
            groups[key.rpartition(".")[0]].add_argument(
                to_flag(key),
                dest=key,
                metavar=_metavar(hint),
                nargs="?" if hint is bool else None,
                action="append",
                default=argparse.SUPPRESS,
                help=_escape(text),
            )
    return parser


def _docstrings(settings: type, prefix: str) -> dict[str, str]:
    found = parse_from_object(settings).params
    return {prefix + param.arg_name: " ".join((param.description or "").split()) for param in found}


def _escape(text: str) -> str:
    return text.replace("%", "%%")


def _metavar(hint: Any) -> str:
    options = [option for option in get_args(hint) or (hint,) if option is not type(None)]
    if get_origin(hint) is Literal:
        return f"{{{','.join(map(str, options))}}}"
    if hint == list[str]:
        return METAVARS[str]
    if get_origin(hint) in (dict, list, tuple):
        return "YAML"
    return METAVARS.get(options[0]) or _metavar(options[0])


def _parse_values(hint: Any, typed: Sequence[str], flag: str) -> Any:
    """The value of a flag; one that takes a list of texts may be given several times, every other once."""
    if hint == list[str] and not typed[0].startswith("["):
        return list(typed)
    if len(typed) > 1:
        shown = " and ".join(typed) if len(typed) == 2 else f"{len(typed)} values"
        raise UsageError(f"Expected {flag} once, but got {shown}.", code="flag")
    return _parse_value(hint, typed[0], flag)


def _parse_value(hint: Any, text: str, flag: str) -> Any:
    """The typed text as plain data, as far as `from_mapping` does not convert text itself."""
    options = get_args(hint) if get_origin(hint) not in (Literal, dict, list, tuple) else ()
    if type(None) in options:
        if text == "null":
            return None
        hint = next(option for option in options if option is not type(None))
    if hint is bool:
        return {"true": True, "false": False}.get(text, text)
    if get_origin(hint) not in (dict, list, tuple):
        return text
    try:
        return parse_yaml(text)
    except yaml.YAMLError:
        raise UsageError(
            f"Expected `{flag}` to be {describe_type(hint)} in YAML, but got {text}.", code="flag"
        ) from None


def _check_required(settings: type, values: Mapping[str, Any], positional: Mapping[str, str], verb: str) -> None:
    missing = [
        key.upper() if key in positional else to_flag(key)
        for key, _, field in fields_of(settings)
        if field.default is field.default_factory is dataclasses.MISSING and "." not in key and key not in values
    ]
    if missing:
        plural = "they were" if len(missing) > 1 else "it was"
        message = f"Expected {' and '.join(missing)}, but {plural} not given. See: tmunet {verb} --help"
        raise UsageError(message, code="missing")


def _copy(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, Mapping) else value for key, value in values.items()}
