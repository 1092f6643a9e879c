"""Create inference sessions: PyTorch (eager, torch.compile, CUDA graph), ONNX Runtime and OpenVINO.

All run the network after `optimize_for_inference`.
"""

from collections.abc import Callable, Sequence
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

Session = Callable[[Tensor], Tensor]
"""Normalized images (B, C, H, W) in float32 -> logits (B, K, H, W) in float32, without gradients."""


def create_session(
    backend: BackendName,
    network: nn.Module,
    images: Tensor,
    threads: int,
    precision: Precision,
    file: Path | None = None,
) -> Session:
    """Create a session for a network.

    Args:
        backend: "torch", "compile", "cudagraph" (on a CUDA device), "onnx" or "openvino".
        network: maps images (B, C, H, W) to logits (B, K, H, W); it is not changed.
        images: an example on the device to use; backends other than "torch" take images of its H, W only.
        threads: CPU threads of ONNX Runtime and OpenVINO; PyTorch uses those of the process.
        precision: "bfloat16" by autocast in PyTorch, by a hint in OpenVINO; "tf32" on a CUDA device.
        file: the ONNX file for ONNX Runtime and OpenVINO, from `write_onnx`.

    Raises:
        BackendError: the backend cannot run this network, on this device, or in this precision.
        MissingExtraError: its packages are not installed.
        UsageError: the backend does not exist.
    """
    require_precision(precision, images.device)
    if backend == "torch":
        return _pytorch(optimize_for_inference(network), images.device, precision)
    if backend == "compile":
        return _compiled(optimize_for_inference(network), images.device, precision)
    if backend == "cudagraph":
        if images.device.type != "cuda":
            raise BackendError(f"cudagraph runs on CUDA devices only, and this is {images.device.type}", code="device")
        return CudaGraph(_pytorch(optimize_for_inference(network), images.device, precision))
    if backend not in LOADERS or file is None:
        raise UsageError(
            "Expected `backend` to be torch, compile, cudagraph, onnx or openvino, the last two with a file, "
            f"but got {backend!r}.",
            code="value",
        )
    if images.device.type != "cpu":
        raise BackendError(f"{backend} runs on the CPU only here", code="device")
    return load(backend, file, threads, precision)


def load(backend: BackendName, file: Path, threads: int, precision: Precision) -> Session:
    """Create a CPU session of ONNX Runtime or OpenVINO from a model file; see `create_session`.

    Raises:
        BackendError: the runtime cannot read the file, its network has not exactly one input (code "file"), or the runtime
            lacks the precision. The session raises it, with the code "not-run", for images that the network does not take.
        MissingExtraError: its packages are not installed.
    """
    require_backend(backend)
    require_precision(precision, torch.device("cpu"))
    return LOADERS[backend](file, threads, precision)


def require_backend(backend: BackendName) -> None:
    """Check that the packages of a backend are installed.

    Raises:
        MissingExtraError: one is not; the message names the extra.
    """
    for package in PACKAGES.get(backend, ()):
        require(package, extra=backend)


def _pytorch(network: Session, device: torch.device, precision: Precision) -> Session:
    def run(images: Tensor) -> Tensor:
        lower = torch.autocast(device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()
        with torch.inference_mode(), matmul_precision(device, precision), lower:
            return network(images)

    return run


def _compiled(network: nn.Module, device: torch.device, precision: Precision) -> Session:
    compiled = _pytorch(torch.compile(network, dynamic=False), device, precision)

    def run(images: Tensor) -> Tensor:
        try:
            return compiled(images)
        except torch._dynamo.exc.TorchDynamoException as error:
            raise BackendError(
                f"cannot be compiled: {str(error).strip().splitlines()[0][:200]}", code="not-run"
            ) from error

    return run


def _onnxruntime(file: Path, threads: int, precision: Precision) -> Session:
    if precision != "float32":
        raise BackendError("onnx runs float32 only", code="precision")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    try:
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its error classes are not public
        raise BackendError(f"onnxruntime does not take its file: {str(error)[:200]}", code="file") from error
    inputs = [one.name for one in session.get_inputs()]
    _require_one_input("onnxruntime", file, inputs)

    def run(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {inputs[0]: images.numpy()})[0])

    return _translated("onnxruntime", file, run)


def _openvino(file: Path, threads: int, precision: Precision) -> Session:
    import openvino

    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
    }
    core = openvino.Core()
    if precision == "bfloat16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise BackendError(  # OpenVINO itself would compute in float32 and not say so
            "openvino: this processor does not compute in bfloat16; take float32", code="precision"
        )
    try:
        model = core.compile_model(core.read_model(file), "CPU", settings)
    except Exception as error:  # RuntimeError, or a class that is not public
        raise BackendError(
            f"OpenVINO does not take its file: {str(error).strip().splitlines()[-1][:200]}", code="file"
        ) from error
    _require_one_input("openvino", file, model.inputs)

    def run(images: Tensor) -> Tensor:
        request = model.create_infer_request()  # the model's default request is shared by all threads
        return torch.from_numpy(request.infer([images.numpy()])[0].copy())

    return _translated("openvino", file, run)


def _require_one_input(runtime: str, file: Path, inputs: Sequence[object]) -> None:
    if len(inputs) != 1:
        raise BackendError(
            f"{file}: expected a network of one input, the images, but {runtime} found {len(inputs)}; export it again.",
            code="file",
            path=file,
        )


def _translated(runtime: str, file: Path, run: Session) -> Session:
    """Turn what a runtime raises while it computes, a class of its own or a RuntimeError, into a `BackendError`."""

    def translated(images: Tensor) -> Tensor:
        try:
            return run(images)
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise BackendError(
                f"{file}: {runtime} cannot compute images of the shape {tuple(images.shape)}: {reason}. The file is damaged or "
                "was made for images of another size or other channels: export it again.",
                code="not-run",
                path=file,
            ) from error

    return translated


LOADERS: dict[BackendName, Callable[[Path, int, Precision], Session]] = {"onnx": _onnxruntime, "openvino": _openvino}
