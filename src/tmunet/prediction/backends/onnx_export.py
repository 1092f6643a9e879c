"""Export a network to ONNX, with a dynamic batch size."""

import logging
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from tmunet.errors import BackendError
from tmunet.extras import require
from tmunet.files import write_bytes
from tmunet.nn.input_size import InputSize
from tmunet.prediction.backends.onnx_rewrite import rewrite_for_runtimes
from tmunet.prediction.backends.torch_graph import export_graph

INPUT, OUTPUT = "images", "logits"


def write_onnx(network: nn.Module, images: Tensor, file: Path, sizes: InputSize | None = None) -> None:
    """Export a network in eval mode to an ONNX file, atomically.

    Args:
        network: maps images (B, C, H, W) to logits (B, K, H, W).
        images: an example (B, C, S, S); the batch size B is dynamic.
        file: with the suffix .onnx.
        sizes: heights and widths the file takes; None is S x S only.

    Raises:
        MissingExtraError: the exporter's packages are not installed.
        BackendError: ONNX, or its exporter, does not support an operation of the network.
    """
    require("onnx", extra="onnx")
    require("onnxscript", extra="onnx")
    several = images.expand(max(2, len(images)), -1, -1, -1)  # an example of one image would make the batch size static
    # it logs each operation of torchvision that is not installed
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network if sizes is None else export_graph(network, images, sizes),
                (several,),
                dynamo=True,
                verbose=False,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim.DYNAMIC},) if sizes is None else None,
            )
            assert program is not None
            model = program.model_proto
            rewrite_for_runtimes(model)
            content = model.SerializeToString()
    except BackendError:
        raise
    except Exception as error:  # the exporter raises any type
        raise BackendError(f"cannot be written as ONNX: {_reason(error)}") from error
    write_bytes(file, content)


def _reason(error: BaseException) -> str:
    """Return the first line of the innermost cause that has a message."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0][:200]
