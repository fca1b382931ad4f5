"""Half precision: the network in float16, what stands before and after it in float32."""

import warnings

import onnx

from focalcli.export import after, before

OUTER_ROOMS = (f"{before.ROOM}/", f"{after.ROOM}/")


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give a model with float16 weights and network; inputs and outputs keep their types."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    outer = [node.name for node in model.graph.node if node.name.startswith(OUTER_ROOMS)]
    with warnings.catch_warnings():
        # Weights below float16's smallest number become that number: it says so, a weight at a time.
        warnings.simplefilter("ignore")
        half: onnx.ModelProto = convert_float_to_float16(
            model, keep_io_types=True, disable_shape_infer=True, node_block_list=outer
        )
    half.graph.ClearField("value_info")
    onnx.checker.check_model(half, full_check=True)
    return half
