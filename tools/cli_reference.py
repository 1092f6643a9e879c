"""Reference of the command line as Markdown, from the parsers themselves: `python tools/cli_reference.py` prints it."""

import argparse
import importlib
from collections.abc import Iterator
from contextlib import suppress
from unittest import mock

from tmunet.cli.main import EXIT_CODES, MODULES, VERBS, main


def cli_reference() -> str:
    """One section a verb: what it does, its arguments and its flags with their defaults."""
    sections = [_sentence(EXIT_CODES)]
    for verb, purpose in VERBS.items():
        actions = getattr(importlib.import_module(f"tmunet.cli.{MODULES.get(verb, verb)}"), "ACTIONS", {})
        sections.append(f"## tmunet {verb}\n\n{_sentence(purpose)}")
        sections += [_section(parser_of(verb, action), f"### tmunet {verb} {action}") for action in actions]
        sections += [] if actions else [_section(parser_of(verb))]
    return "\n\n".join(sections) + "\n"


def parser_of(*words: str) -> argparse.ArgumentParser:
    """The parser that prints the help of a command."""
    found: list[argparse.ArgumentParser] = []
    with (
        mock.patch.object(argparse.ArgumentParser, "print_help", lambda self, file=None: found.append(self)),  # noqa: ARG005
        suppress(SystemExit),
    ):
        main([*words, "--help"])
    (parser,) = found
    return parser


def _section(parser: argparse.ArgumentParser, heading: str = "") -> str:
    positional = [action for action in parser._actions if not action.option_strings]
    usage = " ".join([parser.prog, *(_name(action) for action in positional), "[FLAGS]"])
    parts = [heading, f"```text\n{usage}\n```", _escape(parser.description or "")]
    parts += ["\n".join(_rows("argument", positional))] if positional else []
    for group in parser._action_groups:
        flags = [action for action in group._group_actions if action.option_strings and action.dest != "help"]
        if flags:
            parts += [f"**{group.title}**: {_escape(group.description)}" if group.description else ""]
            parts += ["\n".join(_rows("flag", flags))]
    parts.append(_escape(parser.epilog or "").strip())
    return "\n\n".join(part for part in parts if part)


def _rows(heading: str, actions: list[argparse.Action]) -> Iterator[str]:
    yield f"| {heading} | value | meaning |"
    yield "|---|---|---|"
    for action in actions:
        name = ", ".join(f"`{flag}`" for flag in action.option_strings) or f"`{_name(action)}`"
        yield f"| {name} | {_values(action)} | {_escape(action.help or '')} |"


def _name(action: argparse.Action) -> str:
    return str(action.metavar or f"[{action.dest.upper()} ...]")


def _values(action: argparse.Action) -> str:
    if not action.option_strings:
        return ""
    listed = str(action.metavar).strip("{}").replace("|", ",")
    return ", ".join(f"`{value}`" for value in listed.split(","))


def _escape(text: str) -> str:
    """Escape what Markdown would read as markup, outside of code."""
    parts = text.replace("%%", "%").split("`")
    for index in range(0, len(parts), 2):
        parts[index] = "".join(f"\\{sign}" if sign in "*<|[" else sign for sign in parts[index])
    return "`".join(parts)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


if __name__ == "__main__":
    print(cli_reference(), end="")
