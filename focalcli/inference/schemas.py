"""The JSON Schema of a line that `focalcli detect` writes. Within a major version it only grows."""

from typing import Any

_BOX = "x1, y1, x2, y2: pixels of the upright photo from its left and top edges."

_DETECTION: dict[str, Any] = {
    "type": "object",
    "required": ["box", "score", "class", "class_id"],
    "properties": {
        "box": {
            "type": "array",
            "items": {"type": "number", "minimum": 0},
            "minItems": 4,
            "maxItems": 4,
            "description": _BOX,
        },
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "class": {"type": "string", "description": "The class's name."},
        "class_id": {"type": "integer", "description": "The class's id in the data set the model was trained on."},
    },
}

DETECTIONS: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A line of focalcli detect",
    "type": "object",
    "required": ["schema", "image"],
    "oneOf": [{"required": ["width", "height", "detections"]}, {"required": ["error", "code"]}],
    "properties": {
        "schema": {"const": "focalcli.detections/1"},
        "image": {
            "type": "string",
            "description": "The photo's name as it was given; bytes that are no UTF-8 are U+DCxx.",
        },
        "width": {"type": "integer", "minimum": 1, "description": "Pixels, after the turn that EXIF asks for."},
        "height": {"type": "integer", "minimum": 1},
        "detections": {"type": "array", "items": _DETECTION, "description": "Highest score first."},
        "error": {"type": "string", "description": "Why there are no detections: place, fact, remedy."},
        "code": {"type": "string", "description": "The kind of error, stable."},
        "model": {
            "type": "object",
            "description": "With --details.",
            "properties": {"file": {"type": "string"}, "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"}},
        },
        "seconds": {
            "type": "object",
            "description": "With --details: decoding, and from its begin to the answer.",
            "properties": {"decode": {"type": "number"}, "total": {"type": "number"}},
        },
    },
}
