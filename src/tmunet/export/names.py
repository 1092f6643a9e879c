"""The names of engines and formats. Plain data, so that flags load nothing heavy."""

from typing import Literal

EngineName = Literal["eager", "compile", "onnx", "openvino"]
ExportFormat = Literal["onnx", "openvino", "torch"]
Precision = Literal["float32", "bfloat16"]
EAGER: EngineName = "eager"  # PyTorch as it is
