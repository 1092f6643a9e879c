#!/usr/bin/env bash
# onnx.version_converter (onnx 1.23.2) moves a linear Resize from opset 10 to 11 or later without its meaning: opset 10 samples at
# output / scale (asymmetric), opset 11 has the attribute coordinate_transformation_mode, which the converter leaves at its default
# half_pixel. Upsample (opset 7 to 9) ends the same way. The converted model is valid, runs, and gives a map that is shifted by
# half a pixel and smooth otherwise. Nearest is unchanged for whole factors, so a test with nearest passes.
#
# A guess: a version converter keeps what a model computes, or refuses ("no adapter").
#
# Seen with onnx 1.23.2 and onnxruntime 1.32.0, 1 x 1 x 1 x 4 ramp 0 1 2 3, factor 2 along the row:
#   opset 10 (and 9, Upsample):   0 0.5  1    1.5  2    2.5  3    3
#   converted to 11, 13, 18:      0 0.25 0.75 1.25 1.75 2.25 2.75 3
#   with coordinate_transformation_mode="asymmetric" added by hand: as opset 10 again
#
# For users of 2D segmentation: an old U-Net that is converted so that a newer runtime takes it moves its logits by a quarter to half
# a pixel at every decoder stage, with masks that look right. For us: a network is exported at its opset, never converted.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$dir/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, version_converter

RAMP = np.arange(4, dtype=np.float32).reshape(1, 1, 1, 4)
SCALES = helper.make_tensor("scales", TensorProto.FLOAT, [4], [1, 1, 1, 2])


def enlarging(operator, opset, mode):
    node = helper.make_node(operator, ["x", "scales"], ["y"], mode=mode)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, RAMP.shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph([node], "enlarge", inputs, outputs, [SCALES])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def run(model):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": RAMP})[0].ravel()


asymmetric = np.array([0, 0.5, 1, 1.5, 2, 2.5, 3, 3], np.float32)
half_pixel = np.array([0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3], np.float32)
for operator, opset in (("Upsample", 9), ("Resize", 10)):
    old = enlarging(operator, opset, "linear")
    print(operator, opset, run(old))
    assert np.allclose(run(old), asymmetric)
    for target in (11, 13, 18):
        new = version_converter.convert_version(old, target)
        print("  converted to", target, run(new))
        assert np.allclose(run(new), half_pixel), "the converter keeps the positions now"
        resize = next(node for node in new.graph.node if node.op_type == "Resize")
        resize.attribute.append(helper.make_attribute("coordinate_transformation_mode", "asymmetric"))
        assert np.allclose(run(new), asymmetric)
    nearest = enlarging(operator, opset, "nearest")
    assert np.array_equal(run(nearest), run(version_converter.convert_version(nearest, 13)))
PYTHON
