"""A trained model for other runtimes, as a folder: the model file, what its use needs, and a script that uses it."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tmunet.data.normalise import IMAGENET_MEAN, IMAGENET_SD
from tmunet.data.picture import colour
from tmunet.errors import EngineError, UsageError
from tmunet.export.engines import PACKAGES, Run, start
from tmunet.export.names import ExportFormat
from tmunet.export.onnx_file import write_onnx
from tmunet.export.parity import Parity, check_parity, shapes_in_noise
from tmunet.extras import require
from tmunet.files import sha256, write_json
from tmunet.model import TrainedModel, check_size, serialise
from tmunet.nn.folding import folded
from tmunet.versions import versions

DESCRIPTION, RUNNER = "model.json", "run.py"
CHECKED = (1, 3)  # images in a call


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        folder: where it lies.
        difference: the largest of a logit from PyTorch's.
        same_labels: share of the pixels with the same label.
    """

    folder: Path
    difference: float
    same_labels: float


def export_model(trained: TrainedModel, to: ExportFormat, size: int | None, out: Path) -> Exported:
    """Write a model for another runtime, and see that it computes the same before it gets its place.

    Args:
        trained: the model.
        to: "onnx", "openvino" or "torch" (a program of `torch.export`, which needs no code of tmunet).
        size: side of the images that the file takes, in pixels; None is that of training.
        out: a new or empty folder.

    Raises:
        UsageError: `out` is not empty, or the network does not take the size.
        MissingExtraError: a package is not installed.
        EngineError: the network cannot be written in this format, or the file computes something else; nothing is left then.
    """
    side = size or trained.config.preprocess.size
    check_size(trained.network, side, "size")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: expected a new or empty folder, but found files; choose another with -o.")
    for package in PACKAGES.get(to, ()):
        require(package, extra=to)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as temporary:
        folder = Path(temporary) / "export"
        folder.mkdir()
        try:
            model, parity = _write_and_check(
                folded(trained.network), to, trained.config.preprocess.channels, side, folder
            )
        except EngineError as error:
            raise EngineError(f"{trained.config.network} as {to}: {error}. Nothing was written.") from error
        runner = resources.files("tmunet.export") / "runner.py"
        (folder / RUNNER).write_bytes(runner.read_bytes())
        write_json(folder / DESCRIPTION, _description(trained, to, side, folder, model, parity.difference))
        if out.exists():
            out.rmdir()
        shutil.move(folder, out)
    return Exported(out, parity.difference, parity.same_labels)


def _write_and_check(
    network: nn.Module, to: ExportFormat, channels: int, side: int, folder: Path
) -> tuple[Path, Parity]:
    """The model file, and how near it comes to PyTorch at worst."""
    images = torch.zeros(1, channels, side, side)
    model = WRITERS[to](network, images, folder)
    run, reference = _running(to, network, model, images), start("eager", network, images, 1, "float32")
    found = [check_parity(run, reference, shapes_in_noise(batch, channels, side)) for batch in CHECKED]
    return model, Parity(max(one.difference for one in found), min(one.same_labels for one in found))


def _write_onnx(network: nn.Module, images: Tensor, folder: Path) -> Path:
    write_onnx(network, images, folder / "model.onnx")
    return folder / "model.onnx"


def _write_openvino(network: nn.Module, images: Tensor, folder: Path) -> Path:
    import openvino

    with tempfile.TemporaryDirectory() as elsewhere:
        onnx = _write_onnx(network, images, Path(elsewhere))
        openvino.save_model(openvino.Core().read_model(onnx), folder / "model.xml", compress_to_fp16=False)
    return folder / "model.xml"


def _write_torch(network: nn.Module, images: Tensor, folder: Path) -> Path:
    several = images.expand(2, -1, -1, -1)
    try:
        with torch.no_grad():
            program = torch.export.export(network, (several,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    except Exception as error:  # whatever the exporter stumbles over
        raise EngineError(f"cannot be exported: {str(error).strip().splitlines()[0][:200]}") from error
    torch.export.save(program, folder / "model.pt2")
    return folder / "model.pt2"


WRITERS: dict[ExportFormat, Callable[[nn.Module, Tensor, Path], Path]] = {
    "onnx": _write_onnx,
    "openvino": _write_openvino,
    "torch": _write_torch,
}
RUNTIMES = {"onnx": "onnxruntime", "openvino": "openvino", "torch": "torch"}


def _running(to: ExportFormat, network: nn.Module, model: Path, images: Tensor) -> Run:
    """The file as its runtime runs it."""
    if to == "torch":
        program = torch.export.load(model).module()
        return lambda images: torch.as_tensor(program(images))
    return start(to, network, images, torch.get_num_threads(), "float32", model)


def _description(
    trained: TrainedModel, to: ExportFormat, side: int, folder: Path, model: Path, difference: float
) -> dict[str, Any]:
    """What `model.json` holds."""
    config = trained.config
    packages = {name: version(name) for name in dict.fromkeys([*PACKAGES.get(to, ()), "torch"])}
    return {
        "format": 1,
        "runtime": RUNTIMES[to],
        "model": model.name,
        "files": {file.name: sha256(file) for file in sorted(folder.iterdir()) if file.stem == "model"},
        "size": side,
        "channels": config.preprocess.channels,
        "normalise": _normalise(config.preprocess.normalise, config.preprocess.channels),
        "classes": list(config.classes),
        "colours": [colour(label) for label in range(len(config.classes))],
        "network": config.network,
        "options": config.options,
        "weights_sha256": hashlib.sha256(serialise(trained.network)).hexdigest(),
        "largest_difference_from_torch": difference,
        "trained": config.provenance,
        "versions": {**versions(), **packages},
    }


def _normalise(by: Literal["imagenet", "image"], channels: int) -> str | dict[str, list[float]]:
    if by == "image":
        return by
    if channels == 3:
        return {"mean": list(IMAGENET_MEAN), "sd": list(IMAGENET_SD)}
    return {"mean": [sum(IMAGENET_MEAN) / 3], "sd": [sum(IMAGENET_SD) / 3]}
