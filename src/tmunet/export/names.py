"""The names of engines. Plain data, so that flags load nothing heavy."""

from typing import Literal

EngineName = Literal["eager", "compile", "onnx", "openvino"]
Precision = Literal["float32", "bfloat16"]
EAGER: EngineName = "eager"  # PyTorch as it is
