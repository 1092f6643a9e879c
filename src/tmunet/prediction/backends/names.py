"""The names of backends, formats and sizes. Plain data, so that flags load nothing heavy."""

from typing import Literal

BackendName = Literal["torch", "compile", "cudagraph", "onnx", "openvino"]
ExportFormat = Literal["onnx", "openvino", "torch"]
ExportSize = int | Literal["any"]
Precision = Literal["float32", "tf32", "bfloat16"]
TORCH: BackendName = "torch"  # PyTorch as it is
ANY: Literal["any"] = "any"  # the file takes every size that the network takes
