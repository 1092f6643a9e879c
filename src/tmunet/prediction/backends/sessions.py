"""What runs a network for prediction: PyTorch as it is, its compiler, or another project's runtime from an ONNX file.

All of them run the form for inference (`tmunet.nn.inference.optimize`).
"""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tmunet.errors import BackendError, UsageError
from tmunet.extras import require
from tmunet.nn.inference.optimize import optimize_for_inference
from tmunet.prediction.backends.cuda_graph import CudaGraph
from tmunet.prediction.backends.names import BackendName, Precision
from tmunet.prediction.backends.precision import matmul_precision, require_precision

PACKAGES = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "openvino": ("onnx", "onnxscript", "openvino")}

Run = Callable[[Tensor], Tensor]
"""Normalized images (B, C, H, W) in float32 -> logits (B, K, H, W) in float32, without gradients."""


def start(
    backend: BackendName,
    network: nn.Module,
    images: Tensor,
    threads: int,
    precision: Precision,
    file: Path | None = None,
) -> Run:
    """Make a network ready to run.

    Args:
        backend: "torch", "compile", "cudagraph" (on a CUDA device), "onnx" or "openvino".
        network: maps images (B, C, H, W) to logits (B, K, H, W); it stays as it is.
        images: an example on the device that will be used; backends other than "torch" take images of its H, W.
        threads: of the CPU, for runtimes other than PyTorch, whose threads are those of the process.
        precision: "bfloat16" by autocast in PyTorch, by a hint in OpenVINO; "tf32" on a CUDA device.
        file: the ONNX file of runtimes that need one, as `write_onnx` writes it.

    Raises:
        BackendError: the backend cannot run this network, on this device, or in this precision.
        MissingExtraError: its packages are not installed.
        UsageError: there is no such backend.
    """
    require_precision(precision, images.device)
    if backend == "torch":
        return _pytorch(optimize_for_inference(network), images.device, precision)
    if backend == "compile":
        return _compiled(optimize_for_inference(network), images.device, precision)
    if backend == "cudagraph":
        if images.device.type != "cuda":
            raise BackendError(f"cudagraph runs on CUDA devices only, and this is {images.device.type}")
        return CudaGraph(_pytorch(optimize_for_inference(network), images.device, precision))
    if backend not in LOADERS or file is None:
        raise UsageError(
            f"Expected `backend` to be torch, compile, cudagraph, onnx or openvino, the last two with a file, but got {backend!r}."
        )
    if images.device.type != "cpu":
        raise BackendError(f"{backend} runs on the CPU only here")
    return load(backend, file, threads, precision)


def load(backend: BackendName, file: Path, threads: int, precision: Precision) -> Run:
    """A file as a runtime other than PyTorch runs it on the CPU; see `start`.

    Raises:
        BackendError: the runtime does not take the file, or has not this precision.
        MissingExtraError: its packages are not installed.
    """
    require_backend(backend)
    require_precision(precision, torch.device("cpu"))
    return LOADERS[backend](file, threads, precision)


def require_backend(backend: BackendName) -> None:
    """See that the packages of a backend are there.

    Raises:
        MissingExtraError: one is not; the message names the extra.
    """
    for package in PACKAGES.get(backend, ()):
        require(package, extra=backend)


def _pytorch(network: Run, device: torch.device, precision: Precision) -> Run:
    def run(images: Tensor) -> Tensor:
        lower = torch.autocast(device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()
        with torch.inference_mode(), matmul_precision(device, precision), lower:
            return network(images)

    return run


def _compiled(network: nn.Module, device: torch.device, precision: Precision) -> Run:
    compiled = _pytorch(torch.compile(network, dynamic=False), device, precision)

    def run(images: Tensor) -> Tensor:
        try:
            return compiled(images)
        except torch._dynamo.exc.TorchDynamoException as error:
            raise BackendError(f"cannot be compiled: {str(error).strip().splitlines()[0][:200]}") from error

    return run


def _onnxruntime(file: Path, threads: int, precision: Precision) -> Run:
    if precision != "float32":
        raise BackendError("onnx runs float32 only")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    try:
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own classes of errors are not public
        raise BackendError(f"onnxruntime does not take its file: {str(error)[:200]}") from error
    (name,) = (one.name for one in session.get_inputs())

    def run(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {name: images.numpy()})[0])

    return run


def _openvino(file: Path, threads: int, precision: Precision) -> Run:
    import openvino

    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
    }
    try:
        core = openvino.Core()
        model = core.compile_model(core.read_model(file), "CPU", settings)
    except Exception as error:  # RuntimeError, or a class of its own
        raise BackendError(f"OpenVINO does not take its file: {str(error).strip().splitlines()[-1][:200]}") from error

    def run(images: Tensor) -> Tensor:
        request = model.create_infer_request()  # of this call: the model's own is shared by all threads
        return torch.from_numpy(request.infer([images.numpy()])[0].copy())

    return run


LOADERS: dict[BackendName, Callable[[Path, int, Precision], Run]] = {"onnx": _onnxruntime, "openvino": _openvino}
