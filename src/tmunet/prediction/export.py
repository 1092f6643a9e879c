"""A trained model for other runtimes, as a folder: the model file, what its use needs, and a script that uses it."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tmunet.errors import BackendError, UsageError
from tmunet.extras import require
from tmunet.files import write_json
from tmunet.model import TrainedModel, check_size
from tmunet.nn.inference.optimize import optimize_for_inference
from tmunet.nn.input_size import InputSize
from tmunet.prediction.backends.dynamic_size import checked_sizes, sizes_of
from tmunet.prediction.backends.formats import WRITERS, eager, running
from tmunet.prediction.backends.names import ANY, ExportFormat, ExportSize
from tmunet.prediction.backends.sessions import PACKAGES
from tmunet.prediction.export_metadata import describe
from tmunet.prediction.int8 import Calibration, quantize, require_nncf
from tmunet.prediction.mask_agreement import Agreement, compare_masks
from tmunet.prediction.validate import OTHER_SIZES, TOLERANCE, Parity, compare_logits, synthetic_images

DESCRIPTION, RUNNER = "model.json", "run.py"
CHECKED = (1, 3)  # images in a call


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        folder: where it lies.
        parity: how near the file in float32 comes to PyTorch, at worst of all sizes and batches.
        agreement: of the masks in int8, where the file is in int8.
    """

    folder: Path
    parity: Parity
    agreement: Agreement | None


@dataclass(frozen=True)
class _Order:
    """What is to be written: a network in its form for inference."""

    network: nn.Module
    to: ExportFormat
    channels: int
    side: int
    sizes: InputSize | None
    calibration: Calibration | None


def export_model(
    trained: TrainedModel, to: ExportFormat, size: ExportSize | None, out: Path, int8: Sequence[Path] = ()
) -> Exported:
    """Write a model for another runtime, and see that it computes the same before it gets its place.

    Args:
        trained: the model.
        to: "onnx", "openvino" or "torch" (a program of `torch.export`, which needs no code of tmunet).
        size: side of the images that the file takes, in pixels; "any" is every height and width that the network takes; None is
            that of training.
        out: a new or empty folder.
        int8: image files from which the scales of int8 are found; none leaves the file in float32.

    Raises:
        UsageError: `out` is not empty, the network does not take the size, or int8 is asked of another format than OpenVINO.
        MissingExtraError: a package is not installed.
        InputError: an image for int8 cannot be read.
        BackendError: the model has neither 1 nor 3 channels, the network cannot be written in this format or for any size, or the
            file computes something else; nothing is left then.
    """
    preprocess = trained.config.preprocess
    side = preprocess.size if size is None or size == ANY else size
    check_size(trained.network, side, "size")
    if preprocess.channels not in (1, 3):
        raise BackendError(
            f"{trained.config.network} as {to}: expected a model of 1 or 3 channels, which {RUNNER} makes of an image, but got "
            f"one of {preprocess.channels}; use `tmunet predict`. Nothing was written."
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: expected a new or empty folder, but found files; choose another with -o.")
    packages = _packages(to, int8)
    calibration = Calibration(int8, replace(preprocess, size=side)) if int8 else None
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as temporary:
        folder = Path(temporary) / "export"
        folder.mkdir()
        try:
            sizes = sizes_of(trained.network) if size == ANY else None
            order = _Order(optimize_for_inference(trained.network), to, preprocess.channels, side, sizes, calibration)
            model, parity, agreement = _write(order, folder)
        except BackendError as error:
            raise BackendError(f"{trained.config.network} as {to}: {error}. Nothing was written.") from error
        runner = resources.files("tmunet.prediction") / "standalone.py"
        (folder / RUNNER).write_bytes(runner.read_bytes())
        about = describe(trained, to, side, sizes, model, packages)
        write_json(folder / DESCRIPTION, {**about, **_checked(parity, agreement)})
        if out.exists():
            out.rmdir()
        shutil.move(folder, out)
    return Exported(out, parity, agreement)


def _packages(to: ExportFormat, int8: Sequence[Path]) -> list[str]:
    """The packages that write the file, which are there."""
    packages = list(PACKAGES.get(to, ()))
    for package in packages:
        require(package, extra=to)
    if int8 and to != "openvino":
        raise UsageError(f"Expected the format openvino for int8, but got {to}; use --format openvino.")
    if int8:
        require_nncf()
        packages.append("nncf")
    return packages


def _write(order: _Order, folder: Path) -> tuple[Path, Parity, Agreement | None]:
    """The model file, how near it comes to PyTorch at worst, and how its masks agree in int8."""
    if order.calibration is None:
        return *_write_float32(order, folder), None
    with tempfile.TemporaryDirectory() as elsewhere:
        float32, parity = _write_float32(order, Path(elsewhere))
        model = folder / float32.name
        quantize(float32, order.calibration, model)
    seen = map(order.calibration.see, order.calibration.images)
    return model, parity, compare_masks(running(order.to, model), eager(order.network), seen)


def _write_float32(order: _Order, folder: Path) -> tuple[Path, Parity]:
    model = WRITERS[order.to](
        order.network, torch.zeros(1, order.channels, order.side, order.side), folder, order.sizes
    )
    run, reference = running(order.to, model), eager(order.network)
    own = (order.side, order.side)
    found = [
        compare_logits(
            run, reference, synthetic_images(batch, order.channels, *shape), TOLERANCE if shape == own else OTHER_SIZES
        )
        for shape in [own, *(checked_sizes(order.sizes, order.side) if order.sizes else [])]
        for batch in CHECKED
    ]
    return model, Parity(max(one.difference for one in found), min(one.same_labels for one in found))


def _checked(parity: Parity, agreement: Agreement | None) -> dict[str, Any]:
    if agreement is None:
        return {"largest_difference_from_torch": parity.difference}
    return {"int8_masks_against_torch": asdict(agreement)}
