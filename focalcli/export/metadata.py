"""The text in an ONNX file: everything a program or a person needs to use it without us.

`focalcli.config` and `focalcli.export` are what our own runtimes read; `names`, `task`, `imgsz`, `stride`, `batch`,
`channels`, `license`, `description` and `version` are the keys that common readers of detection models look for.
"""

import json

import msgspec

from focalcli import __version__
from focalcli.config import ModelConfig, encode_config
from focalcli.export.options import ExportOptions
from focalcli.inference.onnx_runtime import CONFIG_KEY, OPTIONS_KEY


def metadata(config: ModelConfig, options: ExportOptions) -> dict[str, str]:
    """Give the entries of the file, the same for the same model and options: no date, no path, no name of a person."""
    side = config.fit.min_size
    sizes = list(options.size or (side, side))
    return {
        CONFIG_KEY: encode_config(config),
        OPTIONS_KEY: msgspec.json.encode(options, order="deterministic").decode(),
        "focalcli.preprocess": json.dumps(preprocess(config, options), sort_keys=True),
        "focalcli.thresholds": json.dumps(thresholds(config), sort_keys=True),
        "focalcli.class_ids": json.dumps([item.id for item in config.classes]),
        "focalcli.data_fingerprint": config.data_fingerprint,
        "focalcli.version": __version__,
        "description": f"RetinaNet, {config.backbone}, {config.num_classes} classes",
        "version": __version__,
        "license": config.licence,
        "task": "detect",
        "names": repr({i: item.name for i, item in enumerate(config.classes)}),
        "imgsz": repr(sizes),
        "stride": "32",
        "batch": "1",
        "channels": "3",
    }


def preprocess(config: ModelConfig, options: ExportOptions) -> dict[str, object]:
    """Say what the caller has to do to a photo, and what boxes refer to."""
    fill = [round(value * 255) for value in config.mean]
    resize = {
        "shorter_side": config.fit.min_size,
        "longer_side_at_most": config.fit.max_size,
        "side": "max(1, floor(side * scale + 0.5))",
        "filter": "bilinear, antialiased",
    }
    pad = {"at": "right and bottom", "multiple_of": config.fit.divisor, "rgb": fill}
    return {
        "colour": "RGB, upright",
        "layout": options.layout,
        "range": [0, 255] if options.input == "uint8" else [0.0, 1.0],
        "resize": "inside the graph" if options.resize_inside else resize,
        "pad": "inside the graph" if options.resize_inside else pad,
        "normalise": "inside the graph",
        "boxes": "xyxy pixels of the photo" if options.resize_inside else "xyxy pixels of the input",
    }


def thresholds(config: ModelConfig) -> dict[str, object]:
    """Give the numbers of the post-processing; thresholds by class where they were calibrated."""
    post = config.postprocess
    by_class = post.class_thresholds or (post.score_threshold,) * config.num_classes
    return {
        "score": {item.name: value for item, value in zip(config.classes, by_class, strict=True)},
        "nms_iou": post.nms_iou,
        "max_detections": post.max_detections,
        "candidates_per_level": post.candidates,
        "temperature": post.temperature,
    }
