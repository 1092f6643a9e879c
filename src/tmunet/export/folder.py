"""A trained model for other runtimes, as a folder: the model file, what its use needs, and a script that uses it."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
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
from tmunet.extras import require
from tmunet.files import sha256, write_json
from tmunet.logits import decide
from tmunet.model import TrainedModel, check_size, serialise
from tmunet.nn.folding import folded
from tmunet.versions import versions

DESCRIPTION, RUNNER = "model.json", "run.py"
TOLERANCE = 1e-4  # of a logit, relative to the largest where that is above 1
SAME_LABELS = 0.9999  # share of the pixels
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
    network, channels = folded(trained.network), trained.config.preprocess.channels
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as temporary:
        folder = Path(temporary) / "export"
        folder.mkdir()
        model = WRITERS[to](network, torch.zeros(1, channels, side, side), folder)
        difference, same = _check(_running(to, network, model, side, channels), network, side, channels)
        runner = resources.files("tmunet.export") / "runner.py"
        (folder / RUNNER).write_bytes(runner.read_bytes())
        write_json(folder / DESCRIPTION, _description(trained, to, side, folder, model, difference))
        if out.exists():
            out.rmdir()
        shutil.move(folder, out)
    return Exported(out, difference, same)


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


def _running(to: ExportFormat, network: nn.Module, model: Path, side: int, channels: int) -> Run:
    """The file as its runtime runs it."""
    if to == "torch":
        program = torch.export.load(model).module()
        return lambda images: torch.as_tensor(program(images))
    return start(to, network, torch.zeros(1, channels, side, side), torch.get_num_threads(), "float32", model)


def _check(run: Run, network: nn.Module, side: int, channels: int) -> tuple[float, float]:
    """The largest difference of a logit from PyTorch's, and the share of equal labels, on noise of several kinds."""
    generator = torch.Generator().manual_seed(0)
    largest, equal = 0.0, []
    for batch in CHECKED:
        images = torch.randn(batch, channels, side, side, generator=generator)
        images = torch.nn.functional.avg_pool2d(images, 9, 1, 4) * 4 + images / 4  # smooth shapes under the noise
        with torch.no_grad():
            expected, found = network(images), run(images)
        difference = float((found - expected).abs().max() / expected.abs().max().clamp(min=1))
        same = (decide(found) == decide(expected)).float().mean().item()
        if not (difference <= TOLERANCE and same >= SAME_LABELS):  # NaN is neither
            raise EngineError(
                f"The exported model does not compute what PyTorch computes: expected logits within {TOLERANCE:g} and "
                f"{SAME_LABELS:.2%} equal labels, but found {difference:.1e} and {same:.3%}; nothing was written."
            )
        largest = max(largest, difference)
        equal.append(same)
    return largest, min(equal)


def _description(
    trained: TrainedModel, to: ExportFormat, side: int, folder: Path, model: Path, difference: float
) -> dict[str, Any]:
    """What `model.json` holds."""
    config = trained.config
    packages = {name: _version(name) for name in dict.fromkeys([*PACKAGES.get(to, ()), "torch"])}
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
        "weights_sha256": _weights(trained.network),
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


def _weights(network: nn.Module) -> str:
    import hashlib

    return hashlib.sha256(serialise(network)).hexdigest()


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)
