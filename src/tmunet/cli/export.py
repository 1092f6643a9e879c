"""`tmunet export`: write a trained model for another runtime."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tmunet.cli.arguments import parse
from tmunet.cli.process import prepare_process
from tmunet.export.names import ExportFormat


@dataclass(frozen=True)
class ExportConfig:
    """Write a trained model for another runtime, with a script that needs no more than numpy, Pillow and the runtime."""

    model: str
    """Run folder or model folder."""
    format: ExportFormat = "onnx"
    """onnx: for ONNX Runtime and others. openvino: for Intel's. torch: a program of torch.export, without code of tmunet."""
    size: int | None = None
    """Side of the square images that the file takes, in pixels; by default that of training."""
    out: str | None = None
    """New folder; by default MODEL-FORMAT beside the model."""


def run(arguments: Sequence[str]) -> int:
    """Export, check against PyTorch, and say what was written."""
    config = parse(ExportConfig, arguments, "export", positional={"model": "run folder or model folder"})
    prepare_process()
    from tmunet.export.folder import RUNNER, export_model
    from tmunet.model import load_model

    path = Path(config.model)
    out = Path(config.out) if config.out else path.with_name(f"{path.resolve().name}-{config.format}")
    done = export_model(load_model(path), config.format, config.size, out)
    print(
        f"Written: {done.folder}. Checked against PyTorch: logits within {done.difference:.0e}, "
        f"{done.same_labels:.2%} of the labels equal.\n"
        f"Use it: python {done.folder / RUNNER} IMAGES -o MASKS"
    )
    return 0
