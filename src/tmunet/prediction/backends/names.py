"""Names of backends, export formats, sizes and precisions; imports nothing heavy, for the command line."""

from typing import Literal

BackendName = Literal["torch", "compile", "cudagraph", "onnx", "openvino"]
ExportFormat = Literal["onnx", "openvino", "torch"]
ExportSize = int | Literal["any"]
Precision = Literal["float32", "tf32", "bfloat16"]
TORCH: BackendName = "torch"  # PyTorch in eager mode
ANY: Literal["any"] = "any"  # the exported file takes every size that the network takes
