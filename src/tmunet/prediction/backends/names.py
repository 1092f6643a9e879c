"""Names of backends, formats, sizes, precisions and cleanings of masks; imports nothing heavy, for the command line."""

from typing import Literal

BackendName = Literal["torch", "compile", "cudagraph", "onnx", "openvino"]
BackendChoice = Literal["auto", "torch", "compile", "cudagraph", "onnx", "openvino"]
ExportFormat = Literal["onnx", "openvino", "torch"]
ExportTarget = Literal["onnx", "openvino", "torch", "bundle", "web"]
ExportSize = int | Literal["any"]
Precision = Literal["float32", "tf32", "bfloat16"]
Keep = Literal["all", "largest"]
MaskFormat = Literal["png", "geojson", "imagej", "dicom-seg", "dicom-labelmap"]
DICOM_FORMATS: tuple[MaskFormat, ...] = (
    "dicom-seg",
    "dicom-labelmap",
)  # whose masks hold labels, and are of DICOM images only
TORCH: BackendName = "torch"  # PyTorch in eager mode
ANY: Literal["any"] = "any"  # the exported file takes every size that the network takes
THRESHOLD = 0.5
"""Foreground probability above which a pixel of a binary mask is foreground, unless a model has an operating point."""
