"""`tmunet export`: export a trained model to ONNX, OpenVINO or torch.export, as a MONAI bundle or as a web page."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tmunet.cli.parser import parse
from tmunet.cli.process_setup import prepare_process
from tmunet.errors import UsageError
from tmunet.prediction.backends.names import ExportSize, ExportTarget
from tmunet.text import pluralize

if TYPE_CHECKING:
    from tmunet.model import TrainedModel
    from tmunet.prediction.export_model import Exported
    from tmunet.prediction.validate import Parity


@dataclass(frozen=True)
class ExportConfig:
    """Export a trained model, with a stand-alone script that needs only numpy, Pillow and the runtime."""

    model: str
    """Run or model folder, or user/name on the Hugging Face Hub."""
    format: ExportTarget = "onnx"
    """onnx: for ONNX Runtime and others. openvino: for OpenVINO. torch: a torch.export program, without code of tmunet. bundle: a
    MONAI bundle, which MONAI runs without tmunet. web: a page that segments images in the browser."""
    size: ExportSize | None = None
    """Input size in pixels, or any: dynamic height and width; by default the input size of training."""
    int8: str | None = None
    """Folder or pattern of calibration images, without masks: int8 quantization of the convolutions, for openvino."""
    runtime: str | None = None
    """For web: the npm package onnxruntime-web, as a .tgz or an unpacked folder."""
    out: str | None = None
    """New folder; by default MODEL-FORMAT beside the model."""


def run(arguments: Sequence[str]) -> int:
    """Export, validate against PyTorch, and print what was written."""
    config = parse(
        ExportConfig,
        arguments,
        "export",
        positional={"model": "run or model folder, or user/name on the Hugging Face Hub"},
    )
    if config.format == "bundle" and (config.size is not None or config.int8 is not None):
        raise UsageError(
            "Expected no --size nor --int8 with --format bundle: it has the size of training.", code="flags"
        )
    prepare_process()
    from tmunet.model import load_model
    from tmunet.model_files import is_hub_name
    from tmunet.prediction.export_model import SCRIPT, export_model
    from tmunet.prediction.folder import find_images

    path = Path(config.model)
    trained = load_model(path)
    kind = config.format if config.int8 is None else f"{config.format}-int8"
    folder = (path.parent if path.is_file() else path).resolve()  # "." has no name
    if is_hub_name(path):  # a folder `user` here would hide user/name of the Hub
        folder = Path(path.name).resolve()
    out = Path(config.out) if config.out else folder.with_name(f"{folder.name}-{kind}")
    images = [] if config.int8 is None else find_images([config.int8])
    point = trained.config.operating_point
    threshold = "" if point is None else f"Threshold {point}.\n"
    if config.format == "web":
        return _export_page(trained, folder.name, config, out)
    if config.runtime is not None:
        raise UsageError("Expected --format web for --runtime; leave it out for other formats.", code="runtime")
    if config.format == "bundle":
        print(
            f"Written: {out}. Checked against PyTorch: {_format_parity(_export_bundle(path, trained, out))}.\n{threshold}"
            f"Use it: cd {shlex.quote(str(out))} && python -m monai.bundle run --config_file configs/inference.json "
            "--dataset_dir IMAGES --output_dir MASKS"
        )
        return 0
    done = export_model(trained, config.format, config.size, out, images)
    print(
        f"Written: {done.folder}. Checked against PyTorch: {_format_validation(done)}.\n"
        f"{threshold}Use it: python {shlex.quote(str(done.folder / SCRIPT))} IMAGES -o MASKS"
    )
    return 0


def _export_bundle(path: Path, trained: "TrainedModel", out: Path) -> "Parity":
    """Write the bundle, with the scores of the model that `tmunet evaluate` left in its run folder."""
    from tmunet.files import sha256
    from tmunet.hub_card import read_scores
    from tmunet.model_files import WEIGHTS, find_model
    from tmunet.prediction.monai_bundle import export_bundle

    model = find_model(path)
    return export_bundle(trained, out, read_scores(model, sha256(model / WEIGHTS)))


def _format_parity(parity: "Parity") -> str:
    return f"logits within {parity.difference:.0e}, {parity.same_labels:.2%} of the labels equal"


def _export_page(trained: "TrainedModel", name: str, config: ExportConfig, out: Path) -> int:
    """Export the page, and say how to look at it."""
    from tmunet.prediction.web_page import export_page

    if config.int8 is not None:
        raise UsageError("Expected --format openvino for --int8, but got web; leave one out.", code="int8-format")
    runtime = None if config.runtime is None else Path(config.runtime)
    done = export_page(trained, name, config.size, runtime, out)
    print(
        f"Written: {done.folder}. Checked against PyTorch: {_format_validation(done)}.\n"
        f"Look at it: tmunet serve --page {shlex.quote(str(done.folder))}"
    )
    return 0


def _format_validation(done: "Exported") -> str:
    """Format the agreement with PyTorch."""
    if done.agreement is None:
        return _format_parity(done.parity)
    agreement = done.agreement
    return (
        f"in int8, {agreement.same_labels:.2%} of the labels equal and a Dice of {agreement.dice:.4f} between the masks "
        f"(lowest {agreement.lowest_dice:.4f}) on {pluralize(agreement.images, 'image')}"
    )
