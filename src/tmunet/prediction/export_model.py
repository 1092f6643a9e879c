"""Export a trained model for another runtime: a folder with the model file, its metadata, and a stand-alone script."""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tmunet.data.data_config import Normalization
from tmunet.data.preprocess import constants
from tmunet.errors import BackendError, UsageError
from tmunet.extras import require
from tmunet.files import sha256, write_json
from tmunet.model import TrainedModel, check_size, serialize
from tmunet.model_config import ModelConfig
from tmunet.nn.inference.optimize import optimize_for_inference
from tmunet.nn.input_size import InputSize
from tmunet.prediction.backends.formats import RUNTIMES, WRITERS, eager_session, open_session
from tmunet.prediction.backends.names import ANY, ExportFormat, ExportSize
from tmunet.prediction.backends.sessions import PACKAGES
from tmunet.prediction.backends.torch_graph import dynamic_sizes, validation_sizes
from tmunet.prediction.int8 import quantize, require_nncf
from tmunet.prediction.pipeline import Pipeline
from tmunet.prediction.postprocess import THRESHOLD
from tmunet.prediction.validate import (
    OTHER_SIZES,
    TOLERANCE,
    Agreement,
    Parity,
    compare_logits,
    compare_masks,
    synthetic_images,
)
from tmunet.temporary import whole_folder
from tmunet.versions import versions
from tmunet.visualize import color

METADATA, SCRIPT = "model.json", "run.py"
BATCH_SIZES = (1, 3)  # validated: the batch size is dynamic


@dataclass(frozen=True)
class Exported:
    """An exported model.

    Attributes:
        folder: of the files.
        parity: worst agreement of the float32 file with PyTorch over all validated sizes and batch sizes.
        agreement: of the masks in int8; None for a float32 file.
    """

    folder: Path
    parity: Parity
    agreement: Agreement | None


@dataclass(frozen=True)
class ExportRequest:
    """A network to export.

    Attributes:
        network: after `optimize_for_inference`.
        format: of the file.
        config: of the model, with the input size of the file.
        sizes: heights and widths the file takes; None is the input size only.
        int8: image files for the calibration; none leaves the file in float32.
    """

    network: nn.Module
    format: ExportFormat
    config: ModelConfig
    sizes: InputSize | None
    int8: Sequence[Path]

    def write(self, folder: Path) -> tuple[Path, Parity, Agreement | None]:
        """Write the model file and validate it against PyTorch.

        Raises:
            InputError: an image for the calibration cannot be read.
            BackendError: the network cannot be exported, or the file computes something else.
        """
        if not self.int8:
            return *self._write_float32(folder), None
        with tempfile.TemporaryDirectory() as elsewhere:
            float32, parity = self._write_float32(Path(elsewhere))
            model, reference = folder / float32.name, eager_session(self.network)
            pipeline = Pipeline(self.config, reference)
            quantize(float32, pipeline, self.int8, model)
        images = (pipeline.preprocess(pipeline.load(image)) for image in self.int8)
        return model, parity, compare_masks(open_session(self.format, model), reference, images)

    def _write_float32(self, folder: Path) -> tuple[Path, Parity]:
        side, channels = self.config.preprocess.size, self.config.preprocess.channels
        example = torch.zeros(1, channels, side, side)
        model = WRITERS[self.format](self.network, example, folder, self.sizes)
        session, reference = open_session(self.format, model), eager_session(self.network)
        found = [
            compare_logits(
                session,
                reference,
                synthetic_images(batch, channels, *shape),
                TOLERANCE if shape == (side, side) else OTHER_SIZES,
            )
            for shape in [(side, side), *(validation_sizes(self.sizes, side) if self.sizes else [])]
            for batch in BATCH_SIZES
        ]
        return model, Parity(max(one.difference for one in found), min(one.same_labels for one in found))


def export_model(
    trained: TrainedModel, to: ExportFormat, size: ExportSize | None, out: Path, int8: Sequence[Path] = ()
) -> Exported:
    """Export a model, and validate the file against PyTorch before `out` is created.

    Args:
        trained: the model.
        to: "onnx", "openvino" or "torch" (a `torch.export` program, which needs no code of tmunet).
        size: side of square input images in pixels; "any" exports dynamic height and width; None is the input size of training.
        out: a new or empty folder.
        int8: image files to calibrate int8 quantization; none exports float32.

    Raises:
        UsageError: `out` is not empty, the network does not take the size, or int8 is asked of another format than OpenVINO.
        MissingExtraError: a package is not installed.
        InputError: an image for the calibration cannot be read.
        BackendError: the model has neither 1 nor 3 channels, the network cannot be exported in this format or with dynamic sizes,
            or the file computes something else. Nothing is written then.
    """
    config = trained.config
    side = config.preprocess.size if size is None or size == ANY else size
    check_size(trained.network, side, "size")
    if config.preprocess.channels not in (1, 3):
        raise BackendError(
            f"{config.model} as {to}: expected a model of 1 or 3 channels, which {SCRIPT} reads, but got "
            f"one of {config.preprocess.channels}; use `tmunet predict`. Nothing was written.",
            code="channels",
        )
    check_new_folder(out)
    packages = _require_packages(to, int8)
    config = replace(config, preprocess=replace(config.preprocess, size=side))
    with whole_folder(out) as folder:
        try:
            sizes = dynamic_sizes(trained.network) if size == ANY else None
            request = ExportRequest(optimize_for_inference(trained.network), to, config, sizes, int8)
            model, parity, agreement = request.write(folder)
        except BackendError as error:
            raise BackendError(f"{config.model} as {to}: {error}. Nothing was written.", code=error.code) from error
        files = sorted(folder.iterdir())
        script = resources.files("tmunet.prediction") / "standalone.py"
        (folder / SCRIPT).write_bytes(script.read_bytes())
        write_json(
            folder / METADATA,
            {
                "format": 1,
                "runtime": RUNTIMES[to],
                "model": model.name,
                "files": {file.name: sha256(file) for file in files},
                **_pipeline_metadata(config, sizes),
                "weights_sha256": hashlib.sha256(serialize(trained.network)).hexdigest(),
                "trained": config.provenance,
                "versions": {**versions(), **{name: version(name) for name in dict.fromkeys([*packages, "torch"])}},
                **_validation_metadata(parity, agreement),
            },
        )
    return Exported(out, parity, agreement)


def check_new_folder(out: Path) -> None:
    """Check that a folder to write is new or empty.

    Raises:
        UsageError: code "not-empty".
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(
            f"{out}: expected a new or empty folder, but found files; choose another with -o.",
            code="not-empty",
            path=out,
        )


def _require_packages(to: ExportFormat, int8: Sequence[Path]) -> list[str]:
    """Check that the packages that write the file are installed, and return their names."""
    packages = list(PACKAGES.get(to, ()))
    for package in packages:
        require(package, extra=to)
    if int8 and to != "openvino":
        raise UsageError(
            f"Expected the format openvino for int8, but got {to}; use --format openvino.", code="int8-format"
        )
    if int8:
        require_nncf()
        packages.append("nncf")
    return packages


def _pipeline_metadata(config: ModelConfig, sizes: InputSize | None) -> dict[str, Any]:
    """What the stand-alone script needs to preprocess and postprocess as `Pipeline` does, and the name of the network."""
    side, channels = config.preprocess.size, config.preprocess.channels
    takes = (
        {"only": side}
        if sizes is None
        else {"minimum": sizes.minimum, "multiple": sizes.multiple, "square": sizes.square}
    )
    return {
        "size": side,
        "sizes": takes,
        "channels": channels,
        "normalize": _normalization(config.preprocess.normalize, channels),
        "threshold": THRESHOLD if config.operating_point is None else config.operating_point.threshold,
        "operating_point": None if config.operating_point is None else asdict(config.operating_point),
        "classes": list(config.classes),
        "scale": None if config.scale is None else asdict(config.scale),
        "intensity": [asdict(one) for one in config.intensity],
        "turns": None if config.turns is None else asdict(config.turns),
        "appearance": None if config.appearance is None else asdict(config.appearance),
        "calibration": _calibration(config),
        "colors": [color(label) for label in range(len(config.classes))],
        "network": config.model,
        "model_args": config.model_args,
    }


def _calibration(config: ModelConfig) -> dict[str, Any] | None:
    """The calibration of the confidence, if it is of the masks of the script: whole images, without flips."""
    found = config.calibration
    threshold = THRESHOLD if config.operating_point is None else config.operating_point.threshold
    fits = found is not None and (found.threshold, found.tile_size, found.tta) == (threshold, None, False)
    return asdict(found) if fits and found is not None else None


def _normalization(by: Normalization, channels: int) -> str | dict[str, list[float]]:
    if by == "image":
        return by
    mean, sd = constants(by, channels)
    return {"mean": list(mean), "sd": list(sd)}


def _validation_metadata(parity: Parity, agreement: Agreement | None) -> dict[str, Any]:
    if agreement is None:
        return {"largest_difference_from_torch": parity.difference}
    return {"int8_masks_against_torch": asdict(agreement)}
