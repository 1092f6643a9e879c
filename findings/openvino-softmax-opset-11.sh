#!/usr/bin/env bash
# Softmax of an ONNX model up to opset 12 flattens its input to two axes at `axis`, so Softmax(axis=1) of a map (N, C, H, W) is
# taken over all classes AND all pixels. ONNX Runtime 1.32.0 computes that. OpenVINO 2026.4.1 computes the softmax over the
# classes at each pixel (the meaning of opset 13) from opset 11 on, although opset 1 to 10 are flattened there too. OpenCV 5
# does so at every opset. Nothing is raised: the two probability maps differ by a factor of thousands.
#
# A guess: the operator's text, the same in opset 1 to 12, is followed for all of them.
#
# Seen with openvino 2026.4.1, onnxruntime 1.32.0, opencv-python-headless 5.0.0.93, onnx 1.23.2; logits (1, 3, 8, 8):
#   opset 10:     ONNX Runtime and OpenVINO: the whole map sums to 1; OpenCV: each pixel sums to 1, the map to 64
#   opset 11, 12: ONNX Runtime: the whole map sums to 1; OpenVINO and OpenCV: each pixel sums to 1, the map to 64
#   opset 13:     all three: each pixel sums to 1
# The largest class is the same everywhere, so labels agree; thresholds on the probability, confidence and calibration do not.
#
# For users of 2D segmentation: an opset 11 model with a softmax at its end is "empty at 0.5" in ONNX Runtime and works in OpenVINO.
# For us: networks are exported as logits at opset 18 or later, and the softmax is computed outside.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check openvino==2026.4.1 onnx==1.23.2 onnxruntime==1.32.0 \
    opencv-python-headless==5.0.0.93 numpy==2.4.6
"$dir/venv/bin/python" - <<'PYTHON'
import cv2
import numpy as np
import onnxruntime
import openvino
from onnx import TensorProto, helper

core = openvino.Core()
logits = np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)


def by_runtime(model):
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"x": logits})[0]


def by_openvino(model):
    compiled = core.compile_model(core.read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.array(compiled(logits)[0])


def by_opencv(model):
    network = cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))
    network.setInput(logits)
    return network.forward()


for opset in (10, 11, 12, 13):
    node = helper.make_node("Softmax", ["x"], ["y"], axis=1)
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, logits.shape)] for name in "xy"]
    graph = helper.make_graph([node], "softmax", *ends)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8).SerializeToString()
    maps = by_runtime(model), by_openvino(model), by_opencv(model)
    sums = [round(float(found.sum()), 3) for found in maps]
    print("opset", opset, "sum over the map: ONNX Runtime", sums[0], "OpenVINO", sums[1], "OpenCV", sums[2])
    assert sums[0] == (64 if opset == 13 else 1)
    assert sums[1] == (1 if opset == 10 else 64)
    assert sums[2] == 64
    assert all(np.array_equal(found.argmax(1), logits.argmax(1)) for found in maps)
PYTHON
