#!/usr/bin/env bash
# OpenVINO 2026.4.1 reads an ONNX Resize with antialias=1 (and one with exclude_outside=1) and computes it as if the attribute
# were 0. Nothing is raised or logged. ONNX Runtime 1.32.0 computes what the operator's text says.
#
# A guess: an attribute that a runtime cannot compute is refused when the model is read.
#
# Seen with openvino 2026.4.1 (precision hint f32), onnx 1.23.2, onnxruntime 1.32.0, 32 x 32 to 8 x 8 pixels, a checkerboard of
# 1-pixel fields plus a ramp:
#   linear and cubic, antialias=0:  both runtimes agree (1e-5)
#   linear and cubic, antialias=1:  ONNX Runtime changes, OpenVINO returns its result of antialias=0 bit for bit
#   cubic, exclude_outside=1:       the same, along the edges
#
# For users of 2D segmentation: a model exported with its own downscaling (torch.nn.functional.interpolate(..., antialias=True),
# or Resize put in front by hand) gives aliased input and other masks in OpenVINO. For us: exported networks hold no antialiased
# resize that makes a map smaller (the attribute is set on enlarging ones only, where it changes no value).
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check openvino==2026.4.1 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$dir/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnxruntime
import openvino
from onnx import TensorProto, helper

core = openvino.Core()


def resize(image, size, **attributes):
    """The image (1, 1, H, W) resized by ONNX Runtime and by OpenVINO."""
    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], coordinate_transformation_mode="half_pixel", **attributes)
    sizes = helper.make_tensor("sizes", TensorProto.INT64, [4], [1, 1, size, size])
    graph = helper.make_graph(
        [node],
        "resize",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, image.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, size, size])],
        [sizes],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    compiled = core.compile_model(core.read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return session.run(None, {"x": image})[0], np.array(compiled(image)[0])


rows, columns = np.mgrid[:32, :32]
image = ((rows + columns) % 2 + rows / 32.0).astype(np.float32)[None, None]
for mode in ("linear", "cubic"):
    runtime, intel = resize(image, 8, mode=mode, antialias=0)
    smooth, intel_smooth = resize(image, 8, mode=mode, antialias=1)
    print(mode, "antialias=0: apart by", np.abs(runtime - intel).max(), "antialias=1: apart by", np.abs(smooth - intel_smooth).max())
    assert np.abs(runtime - intel).max() < 1e-4
    assert np.abs(smooth - runtime).max() > 0.01, "the attribute makes no difference to this image"
    assert np.array_equal(intel_smooth, intel), "OpenVINO takes the attribute into account now"
    assert np.abs(smooth - intel_smooth).max() > 0.01

image = (np.arange(64, dtype=np.float32).reshape(1, 1, 8, 8)) ** 1.5
runtime, intel = resize(image, 11, mode="cubic", exclude_outside=0)
inside, intel_inside = resize(image, 11, mode="cubic", exclude_outside=1)
print("cubic exclude_outside=0: apart by", np.abs(runtime - intel).max(), "=1:", np.abs(inside - intel_inside).max())
assert np.abs(runtime - intel).max() < 1e-2
assert np.abs(inside - runtime).max() > 0.1
assert np.array_equal(intel_inside, intel), "OpenVINO takes exclude_outside into account now"
PYTHON
