"""Plans in YAML: those that come with the package, one for each target, and others in files."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from tmunet.config import from_mapping, known_keys, read_yaml, suggest
from tmunet.errors import UsageError
from tmunet_lab.experiments.plan import Plan, PlannedNetwork, TargetName

_SHARED = {"figure1": "table1", "figure3": "table1"}  # the figures show the runs of a table


def list_targets() -> tuple[str, ...]:
    """What can be reproduced."""
    return get_args(TargetName)


def list_plans() -> list[str]:
    """Names of the plans that come with the package."""
    return sorted(file.name.removesuffix(".yaml") for file in _plans().iterdir() if file.name.endswith(".yaml"))


def plan_of(target: str) -> str:
    """Name of the packaged plan of a target.

    Raises:
        UsageError: there is no such target.

    >>> plan_of("figure1")
    'table1'
    """
    if target not in list_targets():
        raise UsageError(f"There is no target {target!r}.{suggest(target, list_targets())}")
    return _SHARED.get(target, target)


def read_plan(plan: str) -> Plan:
    """A plan, by its name or its YAML file.

    Raises:
        UsageError: there is no such plan, a key does not exist (the nearest is suggested), or a value does not fit.
    """
    if Path(plan).suffix in (".yaml", ".yml"):
        return _build(read_yaml(Path(plan)), plan)
    if plan not in list_plans():
        raise UsageError(f"There is no plan {plan!r}, nor a YAML file of that name.{suggest(plan, list_plans())}")
    with resources.as_file(_plans() / f"{plan}.yaml") as packaged:
        return _build(read_yaml(packaged), f"plan {plan}")


def _build(values: Mapping[str, Any], where: str) -> Plan:
    """Each network is read by itself first, so that a message names it."""
    for key in values:
        if key not in known_keys(Plan):
            raise UsageError(f"{where}: There is no setting {key!r}.{suggest(str(key), known_keys(Plan))}")
    networks = values.get("networks", {})
    if not isinstance(networks, Mapping):
        raise UsageError(f"{where}: Expected `networks` to be labels and networks, but got {networks!r}.")
    for label, network in networks.items():
        if not isinstance(label, str) or not isinstance(network, Mapping):
            raise UsageError(f"{where}: Expected a label and the keys of a network, but got {label!r}: {network!r}.")
        from_mapping(PlannedNetwork, network, f"{where}: {label}")
    return from_mapping(Plan, values, where)


def _plans() -> Any:
    return resources.files(__package__) / "plans"
