"""Export formats: write a network as ONNX, OpenVINO or torch.export file, and run the file."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from tmunet.nn.input_size import InputSize
from tmunet.prediction.backends.names import ExportFormat
from tmunet.prediction.backends.onnx_export import write_onnx
from tmunet.prediction.backends.sessions import Session, load
from tmunet.prediction.backends.torch_graph import export_graph

Write = Callable[[nn.Module, Tensor, Path, InputSize | None], Path]
"""Network, example (1, C, S, S), folder, and the sizes the file takes (None is S x S only) -> the model file."""


def _write_onnx(network: nn.Module, images: Tensor, folder: Path, sizes: InputSize | None) -> Path:
    write_onnx(network, images, folder / "model.onnx", sizes)
    return folder / "model.onnx"


def _write_openvino(network: nn.Module, images: Tensor, folder: Path, sizes: InputSize | None) -> Path:
    import openvino

    with tempfile.TemporaryDirectory() as elsewhere:
        onnx = _write_onnx(network, images, Path(elsewhere), sizes)
        openvino.save_model(openvino.Core().read_model(onnx), folder / "model.xml", compress_to_fp16=False)
    return folder / "model.xml"


def _write_torch(network: nn.Module, images: Tensor, folder: Path, sizes: InputSize | None) -> Path:
    torch.export.save(export_graph(network, images, sizes), folder / "model.pt2")
    return folder / "model.pt2"


WRITERS: dict[ExportFormat, Write] = {"onnx": _write_onnx, "openvino": _write_openvino, "torch": _write_torch}
RUNTIMES: dict[ExportFormat, str] = {"onnx": "onnxruntime", "openvino": "openvino", "torch": "torch"}


def open_session(to: ExportFormat, model: Path) -> Session:
    """Create a session from an exported file, in float32 but for what the file holds in int8."""
    if to == "torch":
        program = torch.export.load(model).module(check_guards=False)  # as in standalone.py
        return lambda images: torch.as_tensor(program(images))
    return load(to, model, torch.get_num_threads(), "float32")


def eager_session(network: nn.Module) -> Session:
    """Create a PyTorch session of a network after `optimize_for_inference`."""

    def run(images: Tensor) -> Tensor:
        with torch.inference_mode():
            return torch.as_tensor(network(images))

    return run
