"""Keep exported networks in a cache folder of the user, so that ONNX Runtime and OpenVINO export a network once.

An entry is one file, KEY-SHA.onnx. Its key is the SHA-256 of everything the export depends on (weights, configuration, input
shape, source code of the network, versions), the rest of its name that of its content. So an entry is never out of date, a
damaged one is not read, processes can share the folder, and it can be deleted at any time.
"""

import hashlib
import inspect
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from torch import nn

from tmunet.config import to_dict
from tmunet.files import sha256, write_bytes
from tmunet.model import serialize
from tmunet.model_config import ModelConfig
from tmunet.prediction.backends import onnx_export, torch_graph
from tmunet.progress import logger
from tmunet.versions import versions

VARIABLE = "TMUNET_CACHE"
EXPORTERS = ("onnx", "onnxscript")


def cache_folder() -> Path:
    """Return the folder of exported networks: in `TMUNET_CACHE` if that is set, else in the user's cache folder."""
    if found := os.environ.get(VARIABLE):
        return Path(found) / "exports"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "tmunet" / "exports"
    variable, otherwise = ("LOCALAPPDATA", "AppData/Local") if sys.platform == "win32" else ("XDG_CACHE_HOME", ".cache")
    return Path(os.environ.get(variable) or Path.home() / otherwise) / "tmunet" / "exports"


def export_key(network: nn.Module, config: ModelConfig, side: int) -> str:
    """Compute the key of a network: it differs wherever the exported file could.

    Args:
        network: before `optimize_for_inference`.
        config: of the model.
        side: height and width of the input images in pixels.
    """
    facts = {
        "config": to_dict(replace(config, provenance={})),
        "side": side,
        "network": repr(network),
        "versions": {**versions(), **{package: version(package) for package in EXPORTERS}},
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for file in sorted(_sources(network)):
        digest.update(file.read_bytes())
    digest.update(serialize(network))
    return digest.hexdigest()


def _sources(network: nn.Module) -> Iterator[Path]:
    """Find the source of the network's modules but those of torch, and of what exports them."""
    ours = Path(inspect.getfile(nn)).parent
    yield from {Path(str(module.__file__)) for module in (onnx_export, torch_graph)}
    rooms = Path(str(onnx_export.__file__)).parents[2] / "nn"
    yield from rooms.rglob("*.py")
    for kind in {type(module) for module in network.modules()}:
        try:
            file = Path(inspect.getfile(kind))
        except (TypeError, OSError):  # a class made in an interactive session has no file
            continue
        if ours not in file.parents and rooms not in file.parents and file.is_file():
            yield file


def find_export(key: str) -> Path | None:
    """Find a whole entry; None where there is none or the folder cannot be read."""
    try:
        return next((file for file in cache_folder().glob(f"{key}-*.onnx") if sha256(file) == _content(file)), None)
    except OSError:  # such as deleted by another process
        return None


def keep_export(key: str, file: Path) -> Path | None:
    """Copy an exported file into the cache, atomically, and say where; None, said with its reason, if that is not possible."""
    content = file.read_bytes()
    entry = cache_folder() / f"{key}-{hashlib.sha256(content).hexdigest()}.onnx"
    try:
        damaged = [old for old in entry.parent.glob(f"{key}-*.onnx") if old != entry]
        write_bytes(entry, content)
        for old in damaged:
            old.unlink(missing_ok=True)
    except OSError as error:
        logger.info(
            f"The exported network is not kept: {entry.parent}: {error.strerror or error}. The next call exports it again; "
            f"name another folder by the environment variable {VARIABLE}."
        )
        return None
    return entry


def _content(file: Path) -> str:
    return file.stem.rpartition("-")[2]
