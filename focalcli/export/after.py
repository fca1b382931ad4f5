"""The part of the graph behind the network: from logits and deltas to detections.

The same arithmetic as `detection.anchors`, `boxes.decode` and `postprocess`, in ONNX's operators; every export
compares the two. Only anchors of candidates are computed, from their index, so any input size costs the same.
"""

import numpy as np
import onnx

from focalcli.config import ModelConfig
from focalcli.detection.anchors import STRIDES, cell_anchors
from focalcli.detection.boxes import SIZE_CLAMP
from focalcli.export.before import Frames, Sides
from focalcli.export.builder import Builder
from focalcli.export.options import LEVELS, OUTPUT_NAMES, THRESHOLD, ExportOptions

ROOM = "after"
NMS_DOMAIN = "trt.plugins"

_FLOAT, _INT32 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT32


def write_after(graph: onnx.GraphProto, config: ModelConfig, options: ExportOptions, frames: Frames) -> None:
    """Add the nodes from the network's outputs to those that the options name; `raw` needs none."""
    build = Builder(graph, ROOM)
    match options.output:
        case "decoded":
            _decoded(build, config, frames.canvas, OUTPUT_NAMES["decoded"])
        case "trt":
            _efficient_nms(build, config, _decoded(build, config, frames.canvas, ("", "")))
        case "detections":
            _detections(build, config, frames, OUTPUT_NAMES["detections"])
        case "flat7":
            _flat_rows(build, _detections(build, config, frames, ("", "", "", "")))


def _detections(build: Builder, config: ModelConfig, frames: Frames, names: tuple[str, ...]) -> list[str]:
    """Give counts (N,), boxes (N, D, 4), scores (N, D), labels (N, D); padding is 0, 0 and -1."""
    boxes, scores, classes = _candidates(build, config, frames.canvas)
    kept = _without_doubles(build, config, boxes, scores, classes)
    return _best(build, config, names, _undo_fit(build, boxes, frames), kept, classes)


def _candidates(build: Builder, config: ModelConfig, canvas: Sides) -> tuple[str, str, str]:
    """Give the best anchor-class pairs of every level: boxes (N, K, 4), clipped, scores (N, K), classes (N, K)."""
    logits, deltas, anchors, classes = [], [], [], []
    for level, name in enumerate(LEVELS):
        flat = build("Flatten", f"logits_{name}", axis=1)
        every = build("Shape", flat, start=1)
        limit = build("Min", every, [config.postprocess.candidates])
        best, place = build.several("TopK", flat, limit, names=("", ""), axis=1)
        anchor = build("Div", place, config.num_classes)
        logits.append(best)
        classes.append(build("Mod", place, config.num_classes))
        deltas.append(build("GatherND", f"deltas_{name}", build("Unsqueeze", anchor, [2]), batch_dims=1))
        anchors.append(_anchors(build, config, canvas, level, anchor))
    boxes = _decode(build, build("Concat", *deltas, axis=1), build("Concat", *anchors, axis=1), canvas)
    scores = _scores(build, build("Concat", *logits, axis=1), config)
    return boxes, scores, build("Concat", *classes, axis=1)


def _anchors(build: Builder, config: ModelConfig, canvas: Sides, level: int, index: str) -> str:
    """Give the anchors (..., 4) of a level by their indices: cells row by row, `per_cell` anchors in each."""
    stride, per_cell = STRIDES[level], config.anchors.per_cell
    grid = [build("Div", build("Add", side, stride - 1), stride) for side in canvas]
    cell = build("Div", index, per_cell)
    steps: list[str | float]
    if config.anchors.convention == "torchvision":
        steps = [build("Cast", build("Div", *pair), to=_FLOAT) for pair in zip(canvas, grid, strict=True)]
        offset = 0.0
    else:
        steps, offset = [float(stride) for _ in grid], 0.5
    places = []
    for kind, step in (("Mod", steps[1]), ("Div", steps[0])):
        number = build("Cast", build(kind, cell, grid[1]), to=_FLOAT)
        places.append(build("Unsqueeze", build("Mul", build("Add", number, offset), step), [-1]))
    shapes = cell_anchors(config.anchors.sizes[level], config.anchors).numpy()
    shape = build("Gather", shapes, build("Mod", index, per_cell))
    return build("Add", build("Concat", *places, *places, axis=-1), shape)


def _decode(build: Builder, deltas: str, anchors: str, canvas: Sides) -> str:
    """Give the boxes (..., 4) that deltas make of anchors, clipped to the canvas."""
    shift, growth = build.several("Split", deltas, names=("", ""), axis=-1, num_outputs=2)
    low, high = build.several("Split", anchors, names=("", ""), axis=-1, num_outputs=2)
    size = build("Sub", high, low)
    centre = build("Add", build("Div", build("Add", low, high), 2.0), build("Mul", shift, size))
    half = build("Div", build("Mul", build("Exp", build("Min", growth, SIZE_CLAMP)), size), 2.0)
    boxes = build("Concat", build("Sub", centre, half), build("Add", centre, half), axis=-1)
    return _clip(build, boxes, canvas)


def _clip(build: Builder, boxes: str, frame: Sides) -> str:
    return build("Min", build("Max", boxes, 0.0), build("Cast", _by_side(build, frame), to=_FLOAT))


def _by_side(build: Builder, frame: Sides) -> str:
    """Give (4,) width, height, width, height."""
    height, width = (build("Unsqueeze", side, [0]) for side in frame)
    return build("Concat", width, height, width, height, axis=0)


def _scores(build: Builder, logits: str, config: ModelConfig, name: str = "") -> str:
    if config.postprocess.temperature != 1:
        logits = build("Div", logits, config.postprocess.temperature)
    return build("Sigmoid", logits, name=name)


def _without_doubles(build: Builder, config: ModelConfig, boxes: str, scores: str, classes: str) -> str:
    """Give the scores (N, K) of candidates that pass their threshold and class-wise NMS, and 0 for the others."""
    post, num_classes = config.postprocess, config.num_classes
    thresholds = np.array(post.class_thresholds or (post.score_threshold,) * num_classes, np.float32)
    threshold = build.constant(thresholds.reshape(1, -1, 1), THRESHOLD)
    by_class = build("Unsqueeze", scores, [1])
    own = build("Equal", build("Unsqueeze", classes, [1]), np.arange(num_classes).reshape(1, -1, 1))
    passes = build("And", own, build("Greater", by_class, threshold))
    passing = build("Where", passes, by_class, 0.0)
    # (image, class, candidate) of what stays. Scores that did not pass are 0, and only what is above 0 is looked at.
    kept = build("NonMaxSuppression", boxes, passing, [post.max_detections], post.nms_iou, 0.0)
    # A candidate has one class, so image and candidate name it.
    place = build("Gather", kept, [0, 2], axis=1)
    ones = build("Expand", 1.0, build("Shape", kept, end=1))
    flags = build("ScatterND", build("ConstantOfShape", build("Shape", scores)), place, ones)
    return build("Mul", scores, flags)


def _undo_fit(build: Builder, boxes: str, frames: Frames) -> str:
    """Move boxes from the fitted frame into the photo, where the graph resized it."""
    if frames.fitted is None or frames.photo is None:
        return boxes
    fitted, photo = (build("Cast", _by_side(build, frame), to=_FLOAT) for frame in (frames.fitted, frames.photo))
    return _clip(build, build("Div", build("Mul", boxes, photo), fitted), frames.photo)


def _best(
    build: Builder, config: ModelConfig, names: tuple[str, ...], boxes: str, scores: str, classes: str
) -> list[str]:
    """Give the best `max_detections` of those with a score, in order, padded."""
    limit = config.postprocess.max_detections
    batch = build("Shape", scores, end=1)
    # Zeros behind the candidates, so that as many always exist.
    zeros = build("ConstantOfShape", build("Concat", batch, [limit], axis=0))
    best, place = build.several("TopK", build("Concat", scores, zeros, axis=1), [limit], names=(names[2], ""), axis=1)
    valid = build("Greater", best, 0.0)
    place = build("Where", valid, place, 0)
    chosen = build("GatherND", boxes, build("Unsqueeze", place, [2]), batch_dims=1)
    return [
        build("ReduceSum", build("Cast", valid, to=_INT32), [1], keepdims=0, name=names[0]),
        build("Where", build("Unsqueeze", valid, [2]), chosen, 0.0, name=names[1]),
        best,
        build("Where", valid, build("GatherElements", classes, place, axis=1), -1, name=names[3]),
    ]


def _flat_rows(build: Builder, found: list[str]) -> None:
    """Give rows (N * D, 7): image, x1, y1, x2, y2, score, class. An empty row has class -1."""
    _, boxes, scores, labels = found
    last = build("Unsqueeze", scores, [2])
    batch = build("Squeeze", build("Shape", scores, end=1), [0])
    number = build("Cast", build("Range", 0, batch, 1), to=_FLOAT)
    image = build("Expand", build("Unsqueeze", number, [1, 2]), build("Shape", last))
    label = build("Unsqueeze", build("Cast", labels, to=_FLOAT), [2])
    rows = build("Concat", image, boxes, last, label, axis=2)
    build("Reshape", rows, [-1, 7], name=OUTPUT_NAMES["flat7"][0])


def _decoded(build: Builder, config: ModelConfig, canvas: Sides, names: tuple[str, ...]) -> tuple[str, str]:
    """Give every anchor's box (N, R, 4), clipped, and its scores (N, R, C): NMS is left to the reader."""
    anchors = []
    for level, name in enumerate(LEVELS):
        count = build("Squeeze", build("Shape", f"deltas_{name}", start=1, end=2), [0])
        anchors.append(_anchors(build, config, canvas, level, build("Range", 0, count, 1)))
    deltas = build("Concat", *(f"deltas_{name}" for name in LEVELS), axis=1)
    logits = build("Concat", *(f"logits_{name}" for name in LEVELS), axis=1)
    boxes = _decode(build, deltas, build("Concat", *anchors, axis=0), canvas)
    return build("Identity", boxes, name=names[0]), _scores(build, logits, config, name=names[1])


def _efficient_nms(build: Builder, config: ModelConfig, decoded: tuple[str, str]) -> None:
    """Add TensorRT's plugin. It has one threshold for all classes: the lowest of ours."""
    post = config.postprocess
    build.several(
        "EfficientNMS_TRT",
        *decoded,
        names=OUTPUT_NAMES["trt"],
        domain=NMS_DOMAIN,
        plugin_version="1",
        background_class=-1,
        box_coding=0,
        class_agnostic=0,
        iou_threshold=post.nms_iou,
        max_output_boxes=post.max_detections,
        score_activation=0,
        score_threshold=min(post.class_thresholds or (post.score_threshold,)),
    )
