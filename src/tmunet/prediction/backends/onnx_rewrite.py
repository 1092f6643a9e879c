"""Rewrite an ONNX graph for the same function: what a runtime computes wrongly, or slowly, is written in another way.

Both were seen in onnxruntime 1.32 and openvino 2026.4 on x86; the tests of exported networks tell when they are no longer needed.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

COMMUTES = {"Relu", "Conv"}  # Relu rises, so its order with a maximum does not matter; Conv is no activation


def rewrite_for_runtimes(model: "ModelProto") -> None:
    """Rewrite the nodes of a graph in place; see `split_max_pools` and `antialias_enlarging_resizes`."""
    split_max_pools(model.graph)
    antialias_enlarging_resizes(model.graph)


def split_max_pools(graph: "GraphProto") -> None:
    """Pool along the height, then along the width, wherever an activation may follow the pooling.

    OpenVINO in float32 moves an activation that follows a convolution and its max-pooling in front of the pooling, which is
    another function where the activation does not rise everywhere (GELU, SiLU): errors of a percent of the largest logit. It
    does not where two poolings follow each other.
    """
    from onnx import helper

    consumers: dict[str, set[str]] = {}
    for node in graph.node:
        for name in node.input:
            consumers.setdefault(name, set()).add(node.op_type)
    nodes: list[NodeProto] = []
    for node in graph.node:
        settings = _settings(node)
        if (
            node.op_type != "MaxPool"
            or len(node.output) != 1  # the second output are indices
            or len(settings["kernel_shape"]) != 2
            or settings.get("auto_pad", b"NOTSET") != b"NOTSET"
            or consumers.get(node.output[0], set()) <= COMMUTES
        ):
            nodes.append(node)
            continue
        between = f"{node.output[0]}_rows"
        for axis, source, target in ((0, node.input[0], between), (1, between, node.output[0])):
            nodes.append(
                helper.make_node("MaxPool", [source], [target], f"{node.name}_{axis}", **_along(settings, axis))
            )
    del graph.node[:]
    graph.node.extend(nodes)


def antialias_enlarging_resizes(graph: "GraphProto") -> None:
    """Set `antialias` on cubic Resize nodes that make a map larger, where it changes nothing but the code that runs.

    ONNX Runtime computes a cubic Resize without it pixel by pixel, and with it in two passes of one axis each. A filter
    against aliasing is as wide as the cubic kernel itself unless the map becomes smaller.
    """
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type != "Resize" or _settings(node).get("mode") != b"cubic" or len(node.input) < 3:
            continue
        scales = constants.get(node.input[2])
        if scales is None or numpy_helper.to_array(scales).min(initial=1.0) < 1:
            continue
        if _settings(node).get("coordinate_transformation_mode") not in (b"half_pixel", b"pytorch_half_pixel"):
            continue
        for attribute in node.attribute:
            if attribute.name == "antialias":
                attribute.i = 1


def _settings(node: "NodeProto") -> dict[str, Any]:
    from onnx import helper

    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _along(settings: dict[str, Any], axis: int) -> dict[str, Any]:
    """Return the attributes of a pooling along one axis, 0 or 1."""
    one = {
        "kernel_shape": [1, 1],
        "strides": [1, 1],
        "dilations": [1, 1],
        "pads": [0, 0, 0, 0],  # of both axes at the beginning, then of both at the end
    }
    for name, values in one.items():
        for place in range(axis, len(values), 2):
            values[place] = settings.get(name, values)[place]
    return one | {"ceil_mode": settings.get("ceil_mode", 0)}
