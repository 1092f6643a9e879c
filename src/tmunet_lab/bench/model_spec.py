"""A network to measure: registry name, arguments, backend."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast, get_args

import yaml

from tmunet.errors import UsageError
from tmunet.prediction.backends.names import TORCH, BackendName
from tmunet.registry import create_model

if TYPE_CHECKING:
    from torch import nn

CHANNELS = 3
COMMA_OUTSIDE_BRACKETS = re.compile(r",(?![^\[]*\])")


@dataclass(frozen=True)
class ModelSpec:
    """A network to measure.

    Attributes:
        name: one of `list_models()`.
        model_args: overrides of the named configuration, dotted; see `create_model`.
        label: its text, shown in tables.
        backend: what runs it.
    """

    name: str
    model_args: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    backend: BackendName = TORCH

    def create(self) -> "nn.Module":
        """Create the network for RGB images and one class, in eval mode, with the same weights each time.

        Raises:
            UsageError: there is no such network or argument.
            MissingExtraError: the package of its layers is not installed.
        """
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return create_model(self.name, CHANNELS, 1, **self.model_args).eval()


def parse_model_spec(text: str) -> ModelSpec:
    """Read `NAME`, `NAME:ARG=VALUE,ARG=VALUE` with YAML values, and either with `@BACKEND` behind it.

    Raises:
        UsageError: an argument has no value, occurs twice, or is not YAML; or the backend does not exist.

    >>> parse_model_spec("tmunet_b:mstm.pooling=false,widths=[8, 8, 8, 8, 8]").model_args
    {'mstm.pooling': False, 'widths': [8, 8, 8, 8, 8]}
    >>> parse_model_spec("tmunet_b@openvino").backend
    'openvino'
    """
    network, at, backend = text.rpartition("@")
    network, backend = (network, backend) if at else (text, TORCH)
    if backend not in get_args(BackendName):
        raise UsageError(
            f"{text}: Expected @{', @'.join(get_args(BackendName))} or nothing, but got {at}{backend}.", code="backend"
        )
    name, colon, rest = network.partition(":")
    model_args: dict[str, Any] = {}
    for part in COMMA_OUTSIDE_BRACKETS.split(rest) if colon else ():
        key, equals, value = part.partition("=")
        if not key or not equals or key in model_args:
            raise UsageError(
                f"{text}: Expected NAME:ARG=VALUE,ARG=VALUE, each argument once, but got {part!r}.", code="value"
            )
        try:
            model_args[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UsageError(
                f"{text}: Expected a value as in YAML for {key!r}, but got {value!r}.", code="value"
            ) from None
    return ModelSpec(name, model_args, text, cast(BackendName, backend))


def parse_model_specs(texts: Sequence[str]) -> tuple[ModelSpec, ...]:
    """Parse several model specs; none may be repeated.

    Raises:
        UsageError: one cannot be read, or occurs twice.
    """
    twice = sorted({text for text in texts if texts.count(text) > 1})
    if twice:
        raise UsageError(f"Expected each network once, but got {', '.join(twice)} twice.", code="repeated")
    return tuple(parse_model_spec(text) for text in texts)
