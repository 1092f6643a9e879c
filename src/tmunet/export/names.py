"""The names of engines, formats and sizes. Plain data, so that flags load nothing heavy."""

from typing import Literal

EngineName = Literal["eager", "compile", "cudagraph", "onnx", "openvino"]
ExportFormat = Literal["onnx", "openvino", "torch"]
ExportSize = int | Literal["any"]
Precision = Literal["float32", "tf32", "bfloat16"]
EAGER: EngineName = "eager"  # PyTorch as it is
ANY: Literal["any"] = "any"  # the file takes every size that the network takes
