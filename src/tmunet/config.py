"""Settings: one frozen dataclass is the Python API, the command line flags and the YAML schema at once."""

import dataclasses
import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from jsonargparse import ArgumentError, ArgumentParser, set_parsing_settings

from tmunet.errors import UsageError

set_parsing_settings(docstring_parse_attribute_docstrings=True)

Settings = TypeVar("Settings")

WORDS = {
    **{"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"},
    **{"list": "a list", "dict": "keys and values", "NoneType": "null"},
}


def parser_for(settings: type, prog: str) -> ArgumentParser:
    """A command line parser with one flag for each field of a settings dataclass, nested ones dotted."""
    parser = ArgumentParser(prog=prog, exit_on_error=False, allow_abbrev=False)
    parser.add_class_arguments(settings)
    return parser


def from_mapping(settings: type[Settings], values: Mapping[str, Any], where: str) -> Settings:
    """Settings from plain data, such as a YAML file; what is not named keeps its default.

    Raises:
        UsageError: a key does not exist (the nearest one is suggested) or a value does not fit; `where` is named.
    """
    _check_nesting(settings, values, where)
    parser = parser_for(settings, prog=settings.__name__)
    try:
        return build(settings, parser, parser.parse_object(dict(values)), where)
    except (ArgumentError, TypeError, RecursionError) as error:
        raise UsageError(f"{where}: {explain(error, known_keys(settings))}") from None


def _check_nesting(settings: type, values: Mapping[str, Any], where: str) -> None:
    """Refuse what the parser would only explain by its own internals."""
    groups = {key.rpartition(".")[0] for key in known_keys(settings)}
    for key, value in values.items():
        if not isinstance(key, str) or "." in key:
            raise UsageError(
                f"{where}: Expected the name of a setting, nested ones as keys inside keys, but got {key!r}."
            )
        if key in groups and not isinstance(value, Mapping):
            raise UsageError(f"{where}: Expected `{key}` to be keys and values, but got {value!r}.")


def build(settings: type[Settings], parser: ArgumentParser, namespace: Any, where: str) -> Settings:
    """The settings object from parsed values, its own checks included."""
    try:
        return settings(**parser.instantiate(namespace).as_dict())
    except ValueError as error:
        of_a_union = re.search(
            r"^  - (.*)$", str(error), re.MULTILINE
        )  # the parser lists why each of its types does not fit
        raise UsageError(f"{where}: {of_a_union[1] if of_a_union else error}") from None


def explain(error: Exception, known: Iterable[str], positional: Collection[str] = ()) -> str:
    """The parser's message in the words of tmunet, with the nearest known key where an unknown one was given."""
    message = " ".join(str(error).split())
    if missing := re.search(r"arguments are required: ([\w., ]+)", message):
        keys = [key.strip() for key in missing[1].split(",")]
        words = [key.upper() if key in positional else f"--{key}" for key in keys]
        return f"Expected {' and '.join(words)}, but {'they were' if len(words) > 1 else 'it was'} not given."
    if wrong := re.search(r'Parser key "([\w.]+)": (.*?) (?:Errors: .*)?(?:Got|Given) value: (.*)$', message):
        return f"Expected `{wrong[1]}` to be {_in_words(wrong[2])}, but got {wrong[3]}."
    unknown = re.search(r"unrecognized arguments: --([\w.]+)|[Oo]ption '([\w.]+)'", message)
    if not unknown:
        return message
    key = unknown[1] or unknown[2]
    return f"There is no setting {key!r}.{suggest(key, known)}"


def _in_words(types: str) -> str:
    """The types that a message of the parser names, as a reader would say them."""
    found = re.findall(r"<class '(\w+)'>|Literal\[([^\]]*)\]", types)
    words = [
        WORDS.get(kind, kind) if kind else " or ".join(choices.replace("'", "").rsplit(", ", 1))
        for kind, choices in found
    ]
    return " or ".join(dict.fromkeys(words)) or types.removeprefix("Expected ").rstrip(". ")


def suggest(word: str, known: Iterable[str]) -> str:
    """A sentence with the nearest known word, or the known words if none is near."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1) or [k for k in known if k.split(".")[-1] == word][:1]
    return f" Did you mean {near[0]!r}?" if near else f" Choose one of: {', '.join(known)}."


def known_keys(settings: type, prefix: str = "") -> list[str]:
    """Every key of a settings dataclass, nested ones dotted."""
    keys = []
    for field in dataclasses.fields(settings):
        keys.append(prefix + field.name)
        default = field.default_factory() if field.default_factory is not dataclasses.MISSING else None
        if dataclasses.is_dataclass(default):
            keys += known_keys(type(default), f"{prefix}{field.name}.")
    return keys


def to_dict(settings: Any) -> dict[str, Any]:
    """Plain data that `from_mapping` reads back: paths become text, tuples lists."""

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [plain(item) for item in value]
        return str(value) if isinstance(value, Path) else value

    return {key: plain(value) for key, value in dataclasses.asdict(settings).items()}


class _Loader(yaml.SafeLoader):
    """Plain data only, and no key twice, of which Python would keep only the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that stands there twice."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for place, key in enumerate(keys):
            if key in keys[:place]:
                raise yaml.YAMLError(f"the key {key!r} twice, {node.start_mark}")
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping; plain data only, no tags that name Python classes.

    Raises:
        UsageError: the file is missing, is not YAML, or does not hold keys and values.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise UsageError(f"{path}: the file cannot be read ({error.strerror}).") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: expected plain YAML, but found: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path}: expected keys and values, but found {type(content).__name__}.")
    return content


def to_yaml(settings: Any) -> str:
    """Settings as YAML text, in the order of the fields."""
    return yaml.safe_dump(to_dict(settings), sort_keys=False, allow_unicode=True)
