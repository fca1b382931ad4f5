"""Half precision: the network in float16, what stands before and after it in float32.

Written here because onnxruntime's converter needs the shape of every tensor to see where the two meet, and puts its
casts behind their readers.
"""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from focalcli.export import after, before
from focalcli.export.network import INPUT, LEVEL_OUTPUTS

OUTER_ROOMS = (f"{before.ROOM}/", f"{after.ROOM}/")

_LARGEST = float(np.finfo(np.float16).max)
_ALWAYS_FLOAT = {"Resize": (1, 2)}  # region and scales


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give a model with float16 weights and network; inputs and outputs keep their types."""
    half = onnx.ModelProto()
    half.CopyFrom(model)
    graph = half.graph
    network = [node for node in graph.node if not node.name.startswith(OUTER_ROOMS)]
    kept = {name for node in network for i, name in enumerate(node.input) if i in _ALWAYS_FLOAT.get(node.op_type, ())}
    read = {name for node in network for name in node.input} - kept
    for item in graph.initializer:
        if item.name in read:
            _halve(item)
    for node in network:
        for attribute in node.attribute:
            if attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
            if attribute.HasField("t") and not kept.intersection(node.output):
                _halve(attribute.t)
        for names in (node.input, node.output):
            names[:] = [_inside(name) for name in names]
    nodes = list(_with_casts(graph))
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(half, full_check=True)
    return half


def _inside(name: str) -> str:
    """Give the name of the float16 side of a tensor at the border, and any other name as it is."""
    return f"{name}:half" if name in (INPUT, *LEVEL_OUTPUTS) else name


def _halve(tensor: onnx.TensorProto) -> None:
    if tensor.data_type == TensorProto.FLOAT:
        values = np.clip(numpy_helper.to_array(tensor), -_LARGEST, _LARGEST).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def _with_casts(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Give the nodes in order, a cast behind each tensor that crosses the border."""
    for node in graph.node:
        yield node
        for name in node.output:
            if name == INPUT:
                yield _cast(INPUT, _inside(INPUT), TensorProto.FLOAT16)
            elif name in map(_inside, LEVEL_OUTPUTS):
                yield _cast(name, name.removesuffix(":half"), TensorProto.FLOAT)


def _cast(source: str, target: str, kind: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [target], f"half/{target}", to=kind)
