#!/usr/bin/env bash
# ConvTranspose with output_shape and auto_pad=SAME_UPPER: OpenVINO 2026.4.1 removes the odd row and column at the beginning,
# ONNX Runtime 1.32.0 at the end, as the operator's text says for SAME_UPPER. The map has the right size and lies one pixel
# higher and further left. SAME_LOWER gives the same map in both, equal to what OpenVINO gives for SAME_UPPER.
#
# A guess: both names work, since both are accepted (SAME_UPPER is what TensorFlow's "same" means).
#
# Seen with openvino 2026.4.1, onnx 1.23.2, onnxruntime 1.32.0; one pixel of 1 at (2, 2) of 5 x 5, a kernel of 3 x 3 holding 1..9,
# stride 2, output_shape 10 x 10; where the kernel's center 5 comes to lie:
#   SAME_UPPER: ONNX Runtime (5, 5), OpenVINO (4, 4)
#   SAME_LOWER: both (4, 4)
#   auto_pad=SAME_UPPER without output_shape: both agree
#
# For users of 2D segmentation: the decoder of a U-Net converted from TensorFlow is one pixel off at each stage against its skip
# connection, with masks of the right size. For us: no network here uses output_shape; the parity test of an export would see it.
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
point = np.zeros((1, 1, 5, 5), np.float32)
point[0, 0, 2, 2] = 1
kernel = helper.make_tensor("kernel", TensorProto.FLOAT, [1, 1, 3, 3], range(1, 10))


def centers(**attributes):
    """(row, column) of the kernel's center in the maps of ONNX Runtime and OpenVINO, and whether the maps are equal."""
    node = helper.make_node("ConvTranspose", ["x", "kernel"], ["y"], strides=[2, 2], **attributes)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, point.shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph([node], "enlarge", inputs, outputs, [kernel])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()
    runtime = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"x": point})[0][0, 0]
    compiled = core.compile_model(core.read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    intel = np.array(compiled(point)[0])[0, 0]
    assert runtime.shape == intel.shape == (10, 10)
    places = [tuple(int(axis[0]) for axis in np.nonzero(np.isclose(found, 5))) for found in (runtime, intel)]
    return *places, np.allclose(runtime, intel)


upper = centers(auto_pad="SAME_UPPER", output_shape=[10, 10])
lower = centers(auto_pad="SAME_LOWER", output_shape=[10, 10])
plain = centers(auto_pad="SAME_UPPER")
print("SAME_UPPER, output_shape:", upper)
print("SAME_LOWER, output_shape:", lower)
print("SAME_UPPER:              ", plain)
assert upper == ((5, 5), (4, 4), False)
assert lower == ((4, 4), (4, 4), True)
assert plain[2]
PYTHON
