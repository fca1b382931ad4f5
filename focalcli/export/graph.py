"""Put the three parts together into one checked ONNX model: before, network, after."""

import numpy as np
import onnx
from onnx import TensorProto, helper

from focalcli import __version__
from focalcli.config import ModelConfig
from focalcli.detection.anchors import level_sizes
from focalcli.detection.retinanet import RetinaNet
from focalcli.errors import Unavailable
from focalcli.export.after import NMS_DOMAIN, write_after
from focalcli.export.before import write_before
from focalcli.export.metadata import metadata
from focalcli.export.network import trace_network
from focalcli.export.options import LEVELS, ExportOptions

Shape = list[int | str]

_FLOAT = TensorProto.FLOAT
# One protobuf message ends at 2 GiB; the graph around the weights takes far less than 16 MiB of it.
_MOST_WEIGHTS = 2**31 - 2**24
_TYPES = {"num_dets": TensorProto.INT32, "labels": TensorProto.INT64, "det_classes": TensorProto.INT32}


def build_onnx(model: RetinaNet, options: ExportOptions) -> onnx.ModelProto:
    """Give a model's ONNX form, checked in full.

    Raises:
        UsageError, Unavailable: as `trace_network`; or its weights do not go into one file.
    """
    size = 4 * sum(tensor.numel() for tensor in model.state_dict().values())
    if size > _MOST_WEIGHTS:
        fact = f"makes {size / 1e9:.1f} GB of weights, and one ONNX file holds 2"
        raise Unavailable(f"backbone {model.config.backbone!r}", fact, "use a smaller one")
    network = trace_network(model, size=options.size, opset=options.opset)
    return around_network(network, model.config, options)


def around_network(network: onnx.ModelProto, config: ModelConfig, options: ExportOptions) -> onnx.ModelProto:
    """Write the parts before and after a traced network, which stays as it is."""
    graph = onnx.GraphProto(name="retinanet", initializer=network.graph.initializer)
    frames = write_before(graph, config, options)
    graph.node.extend(network.graph.node)
    write_after(graph, config, options, frames)
    height, width = options.size or ("height", "width")
    shape: Shape = ["batch", 3, height, width] if options.layout == "nchw" else ["batch", height, width, 3]
    kind = TensorProto.UINT8 if options.input == "uint8" else _FLOAT
    graph.input.append(helper.make_tensor_value_info("images", kind, shape))
    for name, output_shape in output_shapes(config, options).items():
        graph.output.append(helper.make_tensor_value_info(name, _TYPES.get(name, _FLOAT), output_shape))
    opsets = list(network.opset_import)
    if options.output == "trt":
        opsets.append(helper.make_opsetid(NMS_DOMAIN, 1))
    model = helper.make_model(graph, opset_imports=opsets, ir_version=network.ir_version)
    model.producer_name, model.producer_version = "focalcli", __version__
    helper.set_model_props(model, metadata(config, options))
    onnx.checker.check_model(model, full_check=True)
    return model


def output_shapes(config: ModelConfig, options: ExportOptions) -> dict[str, Shape]:
    """Give the shape of each output, unknown sides by name."""
    names, limit = options.output_names, config.postprocess.max_detections
    anchors = _anchor_counts(config, options)
    match options.output:
        case "raw":
            depth = {"logits": config.num_classes, "deltas": 4}
            return {name: ["batch", anchors[name[-2:]], depth[name[:6]]] for name in names}
        case "decoded":
            return {"boxes": ["batch", anchors["all"], 4], "scores": ["batch", anchors["all"], config.num_classes]}
        case "flat7":
            return {"detections": ["rows", 7]}
        case _:
            counts: Shape = ["batch"] if options.output == "detections" else ["batch", 1]
            shapes: tuple[Shape, ...] = (counts, ["batch", limit, 4], ["batch", limit], ["batch", limit])
            return dict(zip(names, shapes, strict=True))


def _anchor_counts(config: ModelConfig, options: ExportOptions) -> dict[str, int | str]:
    if options.size is None:
        return {name: f"anchors_{name}" for name in (*LEVELS, "all")}
    counts = [height * width * config.anchors.per_cell for height, width in level_sizes(options.size)]
    return {**dict(zip(LEVELS, counts, strict=True)), "all": int(np.sum(counts))}
