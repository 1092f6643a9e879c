"""A network to measure: a name of the registry, and what of its configuration differs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast, get_args

import yaml

from tmunet.errors import UsageError
from tmunet.export.names import EAGER, EngineName
from tmunet.registry import create_model

if TYPE_CHECKING:
    from torch import nn

CHANNELS = 3
COMMA_OUTSIDE_BRACKETS = re.compile(r",(?![^\[]*\])")


@dataclass(frozen=True)
class Candidate:
    """A network to measure.

    Attributes:
        name: one of `list_models()`.
        options: what differs from the named configuration, dotted; see `create_model`.
        label: how it was written, which is how tables show it.
        engine: what runs it.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    engine: EngineName = EAGER

    def create(self) -> "nn.Module":
        """The network for images of three channels and one class, in eval mode; the same weights each time.

        Raises:
            UsageError: there is no such network or option.
            MissingExtraError: its layers are those of a package that is not installed.
        """
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return create_model(self.name, CHANNELS, 1, self.options).eval()


def parse_candidate(text: str) -> Candidate:
    """Read `NAME`, `NAME:OPTION=VALUE,OPTION=VALUE` with values as in YAML, and either with `@ENGINE` behind it.

    Raises:
        UsageError: an option has no value, is given twice, or has a value that is not YAML; or there is no such engine.

    >>> parse_candidate("tmunet_b:mstm.pooling=false,widths=[8, 8, 8, 8, 8]").options
    {'mstm.pooling': False, 'widths': [8, 8, 8, 8, 8]}
    >>> parse_candidate("tmunet_b@openvino").engine
    'openvino'
    """
    network, at, engine = text.rpartition("@")
    network, engine = (network, engine) if at else (text, EAGER)
    if engine not in get_args(EngineName):
        raise UsageError(f"{text}: Expected @{', @'.join(get_args(EngineName))} or nothing, but got {at}{engine}.")
    name, colon, rest = network.partition(":")
    options: dict[str, Any] = {}
    for part in COMMA_OUTSIDE_BRACKETS.split(rest) if colon else ():
        key, equals, value = part.partition("=")
        if not key or not equals or key in options:
            raise UsageError(f"{text}: Expected NAME:OPTION=VALUE,OPTION=VALUE, each option once, but got {part!r}.")
        try:
            options[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UsageError(f"{text}: Expected a value as in YAML for {key!r}, but got {value!r}.") from None
    return Candidate(name, options, text, cast(EngineName, engine))


def parse_candidates(texts: Sequence[str]) -> tuple[Candidate, ...]:
    """Read several; each must differ from the others.

    Raises:
        UsageError: one is written wrongly, or is named twice.
    """
    twice = sorted({text for text in texts if texts.count(text) > 1})
    if twice:
        raise UsageError(f"Expected each network once, but got {', '.join(twice)} twice.")
    return tuple(parse_candidate(text) for text in texts)
