#!/usr/bin/env bash
# cv2.dnn of OpenCV 5.0.0.93 reads auto_pad=SAME_LOWER of an ONNX convolution or pooling and pads as for SAME_UPPER: the odd row and
# column of padding go to the end, so every map is shifted by one pixel. ONNX Runtime 1.32.0 and OpenVINO follow the text.
# A transposed convolution with auto_pad=SAME_UPPER comes out with another SIZE: 9 for 5 pixels at stride 2, not 10.
#
# A guess: what the importer does not know is refused, as it refuses other attributes.
#
# Seen with opencv-python-headless 5.0.0.93, onnx 1.23.2, onnxruntime 1.32.0; one pixel of 1 at (2, 2) of 5 x 5:
#   Conv, kernel 2 x 2 holding 1 2 3 4, SAME_LOWER: the 4 lies at (2, 2) in ONNX Runtime, at (1, 1) in OpenCV
#   MaxPool, kernel 2 x 2, stride 1, SAME_LOWER:    rows and columns 2 and 3 in ONNX Runtime, 1 and 2 in OpenCV
#   the same with SAME_UPPER:                       equal
#   ConvTranspose, kernel 3, stride 2, SAME_UPPER:  10 x 10 in ONNX Runtime, 9 x 9 in OpenCV
#
# For users of 2D segmentation: OpenCV is the runtime of many C++ programs; masks of an even kernel are one pixel off, areas and Dice
# look plausible, a Hausdorff distance does not. For us: exported convolutions state their padding in numbers (PyTorch does).
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check opencv-python-headless==5.0.0.93 onnx==1.23.2 onnxruntime==1.32.0 \
    numpy==2.4.6
"$dir/venv/bin/python" - <<'PYTHON'
import cv2
import numpy as np
import onnxruntime
from onnx import TensorProto, helper

point = np.zeros((1, 1, 5, 5), np.float32)
point[0, 0, 2, 2] = 1


def both(operator, kernel, size, **attributes):
    """The maps (H, W) of ONNX Runtime and of OpenCV."""
    weights = [helper.make_tensor("w", TensorProto.FLOAT, [1, 1, kernel, kernel], range(1, kernel**2 + 1))]
    names = ["x"] if operator == "MaxPool" else ["x", "w"]
    node = helper.make_node(operator, names, ["y"], kernel_shape=[kernel, kernel], **attributes)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, point.shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, size, size])]
    graph = helper.make_graph([node], "pad", inputs, outputs, weights if len(names) == 2 else [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()
    runtime = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"x": point})[0]
    network = cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))
    network.setInput(point)
    return runtime[0, 0], network.forward()[0, 0]


def places(found):
    return np.argwhere(found == found.max()).tolist()


runtime, opencv = both("Conv", 2, 5, auto_pad="SAME_LOWER")
print("Conv SAME_LOWER:    the 4 lies at", places(runtime), "in OpenCV at", places(opencv))
assert places(runtime) == [[2, 2]] and places(opencv) == [[1, 1]]

runtime, opencv = both("MaxPool", 2, 5, auto_pad="SAME_LOWER")
print("MaxPool SAME_LOWER:", places(runtime), "in OpenCV", places(opencv))
assert places(runtime) == [[2, 2], [2, 3], [3, 2], [3, 3]] and places(opencv) == [[1, 1], [1, 2], [2, 1], [2, 2]]

for operator in ("Conv", "MaxPool"):
    assert np.array_equal(*both(operator, 2, 5, auto_pad="SAME_UPPER"))

runtime, opencv = both("ConvTranspose", 3, 10, auto_pad="SAME_UPPER", strides=[2, 2])
print("ConvTranspose SAME_UPPER:", runtime.shape, "in OpenCV", opencv.shape)
assert runtime.shape == (10, 10) and opencv.shape == (9, 9)
PYTHON
