"""Settings as frozen dataclasses: the same class is the Python API, the command line flags and the YAML schema."""

import contextlib
import dataclasses
import difflib
import functools
import math
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from tmunet.errors import UsageError
from tmunet.file_limits import MAX_YAML_VALUES

Settings = TypeVar("Settings")


def from_mapping(settings: type[Settings], values: Mapping[str, Any], where: str | Path) -> Settings:
    """Build a settings dataclass from plain data, such as a YAML file; keys that are not given keep their defaults.

    Types are checked, nested dataclasses included. Numbers may be text (YAML reads ``1e-4`` as text), lists become tuples
    where the field is a tuple, and nothing else is converted.

    Args:
        settings: the dataclass.
        values: plain data, nested settings as mappings.
        where: the file or place that the values come from, for messages.

    Raises:
        UsageError: an unknown key (the nearest one is suggested), or a value of another type or outside its range.
    """
    path = where if isinstance(where, Path) else None
    try:
        built: Settings = _build(settings, values, "", known_keys(settings))
    except _InvalidError as error:
        raise UsageError(f"{where}: {error}", code=error.code, path=path) from None
    except ValueError as error:  # of a __post_init__
        raise UsageError(f"{where}: {error}", code="value", path=path) from None
    return built


class _InvalidError(Exception):
    """Plain data that does not fit a dataclass."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


def _build(settings: type, values: Any, prefix: str, known: Sequence[str]) -> Any:
    """The dataclass `settings` from keys and values; `prefix` is the dotted key of the dataclass with a dot behind it."""
    if isinstance(values, settings):
        return values
    if not isinstance(values, Mapping):
        raise _mismatch(prefix.rstrip("."), "keys and values", values)
    hints = _hints(settings)
    for key in values:
        if not isinstance(key, str) or "." in key:
            message = f"Expected the name of a setting, nested ones as keys inside keys, but got {key!r}."
            raise _InvalidError(message, "key")
        if key not in hints:
            raise _InvalidError(f"There is no setting {prefix + key!r}.{suggest(prefix + key, known)}", "key")
    required = (field.name for field in dataclasses.fields(settings) if _is_required(field))
    if missing := [prefix + name for name in required if name not in values]:
        plural = "they were" if len(missing) > 1 else "it was"
        raise _InvalidError(f"Expected `{'` and `'.join(missing)}`, but {plural} not given.", "missing")
    return settings(**{key: _convert(hints[key], value, prefix + key, known) for key, value in values.items()})


def _convert(hint: Any, value: Any, key: str, known: Sequence[str]) -> Any:
    """The value as the type `hint`."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return _convert_union(arguments, value, key, known)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        inner = known_keys(hint, f"{key}.")
        return _build(hint, value, f"{key}.", known if inner[0] in known else inner)
    if origin in (tuple, list) and isinstance(value, Sequence) and not isinstance(value, str):
        open_ended = origin is list or arguments[-1] is Ellipsis
        if open_ended or len(value) == len(arguments):
            items = [arguments[0]] * len(value) if open_ended else arguments
            return origin(_convert(item, each, key, known) for item, each in zip(items, value, strict=True))
    elif origin is dict and isinstance(value, Mapping):
        return {_convert(arguments[0], k, key, known): _convert(arguments[1], v, key, known) for k, v in value.items()}
    elif (origin is Literal and value in arguments) or (hint in (str, bool) and isinstance(value, hint)):
        return value
    elif hint in (int, float) and isinstance(value, str | int | hint) and not isinstance(value, bool):
        with contextlib.suppress(ValueError, OverflowError):  # the second from whole numbers above 1e308
            number = hint(value)
            if math.isfinite(number) or not isinstance(value, str):
                return number
    raise _mismatch(key, describe_type(hint), value)


def _convert_union(hints: Sequence[Any], value: Any, key: str, known: Sequence[str]) -> Any:
    if value is None and types.NoneType in hints:
        return None
    others = [hint for hint in hints if hint is not types.NoneType]
    if len(others) == 1 and get_origin(others[0]) is None and dataclasses.is_dataclass(others[0]):
        return _convert(others[0], value, key, known)  # its own error says more
    for hint in others:
        try:
            return _convert(hint, value, key, known)
        except _InvalidError:
            continue
    raise _mismatch(key, " or ".join(describe_type(hint) for hint in hints), value)


def _mismatch(key: str, expected: str, value: Any) -> _InvalidError:
    return _InvalidError(f"Expected `{key}` to be {expected}, but got {value}.", "type")


def describe_type(hint: Any) -> str:
    """A type annotation in words, for messages.

    >>> describe_type(int | None), describe_type(Literal["cpu", "cuda"]), describe_type(tuple[int, int])
    ('a whole number or null', 'cpu or cuda', 'a list of 2 values')
    """
    words = {int: "a whole number", float: "a number", str: "text", bool: "true or false", types.NoneType: "null"}
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(describe_type(argument) for argument in arguments)
    if origin is Literal:
        return " or ".join(filter(None, [", ".join(map(str, arguments[:-1])), str(arguments[-1])]))
    if origin is tuple and arguments[-1] is not Ellipsis:
        return f"a list of {len(arguments)} values"
    return "a list" if origin in (tuple, list) else words.get(hint, "keys and values")


@functools.cache
def _hints(settings: type) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(settings) if field.init}
    return {name: hint for name, hint in get_type_hints(settings).items() if name in names}


def _is_required(field: "dataclasses.Field[Any]") -> bool:
    return field.init and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def fields_of(settings: type, prefix: str = "") -> Iterator[tuple[str, Any, "dataclasses.Field[Any]"]]:
    """Dotted key, type and field of everything in a settings dataclass; a nested dataclass comes before its fields."""
    for field in dataclasses.fields(settings):
        hint = _hints(settings).get(field.name)
        yield prefix + field.name, hint, field
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            yield from fields_of(hint, f"{prefix}{field.name}.")


def known_keys(settings: type, prefix: str = "") -> list[str]:
    """Every key of a settings dataclass, nested ones dotted."""
    return [key for key, *_ in fields_of(settings, prefix)]


def suggest(word: str, known: Iterable[str]) -> str:
    """A sentence that suggests the nearest known word, or all of them if none is near."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1) or [k for k in known if k.split(".")[-1] == word][:1]
    return f" Did you mean {near[0]!r}?" if near else f" Choose one of: {', '.join(known)}."


def deep_merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merge nested mappings; later ones override earlier ones.

    >>> deep_merge({"preprocess": {"size": 512, "channels": 3}}, {"preprocess": {"size": 64}})
    {'preprocess': {'size': 64, 'channels': 3}}
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = merged.get(key)
            both = isinstance(below, Mapping) and isinstance(value, Mapping)
            merged[key] = deep_merge(below or {}, value) if both else value
    return merged


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings by dotted key.

    >>> dict(flatten({"epochs": 2, "preprocess": {"size": 64}}))
    {'epochs': 2, 'preprocess.size': 64}
    """
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def nest(settings: type, values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Bring nested, dotted and plain names of settings into nested form; a plain name has to be in one part only.

    Raises:
        UsageError: a plain name is a setting of several parts.

    >>> from tmunet.training.train_config import TrainConfig
    >>> nest(TrainConfig, {"epochs": 2, "learning_rate": 1e-3, "preprocess.size": 64}, "example")
    {'epochs': 2, 'optimizer': {'learning_rate': 0.001}, 'preprocess': {'size': 64}}
    """
    known, nested = known_keys(settings), dict[str, Any]()
    for name, value in values.items():
        inside = [key for key in known if key.endswith(f".{name}")]
        if name not in known and len(inside) > 1:
            raise UsageError(f"{where}: Expected one of {', '.join(inside)}, but got {name!r}.", code="ambiguous")
        key = name if name in known or not inside else inside[0]
        layer = functools.reduce(lambda inner, part: {part: inner}, reversed(key.split(".")), value)
        nested = deep_merge(nested, layer)
    return nested


def to_dict(settings: Any) -> dict[str, Any]:
    """Convert a settings dataclass to plain data that `from_mapping` reads back: paths become text, tuples lists."""

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [plain(item) for item in value]
        return str(value) if isinstance(value, Path) else value

    return {key: plain(value) for key, value in dataclasses.asdict(settings).items()}


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; plain data only, no tags that name Python classes, and no key twice.

    Raises:
        UsageError: the file is missing, is not YAML, or does not hold keys and values.
    """
    import yaml

    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"{path}: the file cannot be read ({error.strerror})."
        raise UsageError(message, code="unreadable", path=path) from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        message = f"{path}: expected plain YAML, but found: {' '.join(str(error).split())}"
        raise UsageError(message, code="yaml", path=path) from None
    if not isinstance(content, dict):
        message = f"{path}: expected keys and values, but found {type(content).__name__}."
        raise UsageError(message, code="type", path=path)
    return content


def parse_yaml(text: str) -> Any:
    """Parse YAML text to plain data.

    Raises:
        yaml.YAMLError: it is no YAML, has a key twice or a value that is not of its tag (2026-13-45, !!int x), or repeats itself
            by aliases into more values than `MAX_YAML_VALUES`.
    """
    import yaml

    try:
        content = _yaml_loader()(text)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:  # of the constructors of values
        raise yaml.YAMLError(f"a value that is not what it seems to be: {error}") from error
    left, waiting = MAX_YAML_VALUES, [content]
    while waiting:
        value = waiting.pop()
        inner = [*value.keys(), *value.values()] if isinstance(value, dict) else value
        if isinstance(inner, list | tuple | set):
            left -= len(inner)
            if left < 0:
                raise yaml.YAMLError(f"more than {MAX_YAML_VALUES:,} values, which may be aliases of aliases")
            waiting.extend(inner)
    return content


@functools.cache
def _yaml_loader() -> Callable[[str], Any]:
    import yaml  # here: a network is created without it

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            keys = [
                self.construct_object(key, deep=True) for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"
            ]
            for place, key in enumerate(keys):
                if key in keys[:place]:
                    raise yaml.YAMLError(f"the key {key!r} twice, {node.start_mark}")
            return super().construct_mapping(node, deep)

    return functools.partial(yaml.load, Loader=Loader)


def to_yaml(settings: Any) -> str:
    """Settings as YAML text, in the order of the fields."""
    import yaml

    return yaml.safe_dump(to_dict(settings), sort_keys=False, allow_unicode=True)
