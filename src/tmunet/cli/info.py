"""`tmunet info`: list networks, recipes, models and versions, without importing torch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from tmunet.cli.parser import parse
from tmunet.config import to_dict


@dataclass(frozen=True)
class InfoConfig:
    """List networks, recipes, models and versions, or describe one model."""

    model: str | None = None
    """Model or run folder to describe."""
    json: bool = False
    """Print JSON for machines."""


def run(arguments: Sequence[str]) -> int:
    """Print the lists, or one model's configuration."""
    config = parse(InfoConfig, arguments, "info")
    found = _describe(Path(config.model)) if config.model else _list()
    print(json.dumps(found, indent=2) if config.json else _text(found))
    return 0


def _list() -> dict[str, Any]:
    from tmunet.registry import list_models
    from tmunet.training.train_config import list_recipes
    from tmunet.versions import versions

    models = Path(str(resources.files("tmunet") / "models"))
    return {
        "networks": list(list_models()),
        "recipes": list_recipes(),
        "models": sorted(config.parent.name for config in models.glob("*/config.json")),
        "versions": versions(),
    }


def _describe(path: Path) -> dict[str, Any]:
    from tmunet.model_config import find_model, read_config

    return to_dict(read_config(find_model(path)))


def _text(found: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(found, sort_keys=False, allow_unicode=True).rstrip()
