"""JSON Schemas of what the verbs print and write: what a script may rely on. Within a major version they grow."""

from typing import Any

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]

_NUMBER: Schema = {"type": ["number", "null"]}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_TEXT: Schema = {"type": "string"}
_COCO = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")


def _object(required: Schema, optional: Schema | None = None, **more: Any) -> Schema:
    return {"type": "object", "required": list(required), "properties": required | (optional or {}), **more}


def _list(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def _map(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def _titled(title: str, schema: Schema) -> Schema:
    return {"$schema": DIALECT, "title": title, **schema}


_INTERVAL = _list(_NUMBER, minItems=2, maxItems=2)
_CLASS: Schema = {"name": _TEXT, "id": {"type": "integer"}, "objects": _COUNT}
_FINDING: Schema = {"code": _TEXT, "severity": {"enum": ["error", "warning", "info"]}, "fact": _TEXT, "count": _COUNT}
_MEASURES: Schema = {"threshold": _NUMBER, "precision": _NUMBER, "recall": _NUMBER, "f1": _NUMBER}
_DIFFERENCE = _object(
    {
        "a": _NUMBER,
        "b": _NUMBER,
        "difference": _NUMBER,
        "interval": _INTERVAL,
        "p": _NUMBER,
        "sure": {"type": "boolean"},
    }
)

EVALUATION = _titled(
    "What focalcli evaluate prints; null is a number that no object could be measured for",
    _object(
        {"images": _COUNT, "classes": _list(_object(_CLASS, additionalProperties=_NUMBER))},
        {
            **dict.fromkeys(_COCO, _NUMBER),
            "intervals": _map(_INTERVAL),
            "errors": _map(_object({"count": _COUNT, "AP50_cost": _NUMBER})),
            "confusion": _object({"classes": _list(_TEXT), "matrix": _list(_list(_COUNT))}),
            "calibration": _object({"ECE": _NUMBER}),
            "slices": _map(_list(_object({"name": _TEXT, "images": _COUNT, "objects": _COUNT}))),
            "worst": _list(_object({"image": _TEXT, "F1": _NUMBER})),
        },
    ),
)

COMPARISON = _titled(
    "What focalcli compare prints: of each number both values and B minus A",
    _object(
        {
            "values": _map(_DIFFERENCE),
            "images": _COUNT,
            "resamples": _COUNT,
            "classes": _list(_object({**_CLASS, "values": _map(_DIFFERENCE)})),
        }
    ),
)

CALIBRATION = _titled(
    "What focalcli calibrate prints",
    _object(
        {
            "model": _TEXT,
            "target": _TEXT,
            "temperature": _NUMBER,
            "ECE": _object({"before": _NUMBER, "after": _NUMBER}),
            "classes": _list(
                _object({"name": _TEXT, **_MEASURES, "held_out": _object(_MEASURES), "reached": {"type": "boolean"}})
            ),
        }
    ),
)

_COUNTS: Schema = {
    "images": _COUNT,
    "boxes": _COUNT,
    "empty_images": _COUNT,
    "unlabelled_images": _COUNT,
    "imbalance": _NUMBER,
    "classes": _list(_object({"name": _TEXT, "boxes": _COUNT, "images": _COUNT, "share": _NUMBER})),
    "box_area": _object({"small": _COUNT, "medium": _COUNT, "large": _COUNT}),
}
INSPECTION = _titled(
    "What focalcli inspect prints; of each split the same counts",
    _object({"data": _TEXT, "format": _TEXT, **_COUNTS}, {"splits": _map(_object(_COUNTS))}),
)

VALIDATION = _titled(
    "What focalcli validate prints",
    _object(
        {
            "data": _TEXT,
            "format": _TEXT,
            "images": _COUNT,
            "boxes": _COUNT,
            "counts": _object({"error": _COUNT, "warning": _COUNT, "info": _COUNT}),
            "findings": _list(_object({**_FINDING, "place": _TEXT, "examples": _list(_TEXT), "remedy": _TEXT})),
        },
        {"changes": _list(_object({"code": _TEXT, "place": _TEXT, "fact": _TEXT}))},
    ),
)

CONVERSION = _titled(
    "What focalcli convert --report writes",
    _object(
        {
            "schema": {"const": "focalcli.convert/1"},
            "read_as": _TEXT,
            "source": _TEXT,
            "destination": _TEXT,
            "format": _TEXT,
            "images": _COUNT,
            "boxes": _COUNT,
            "classes": _COUNT,
            "losses": _list(_object({"level": _TEXT, "what": _TEXT, "count": _COUNT})),
            "renamed": _map(_TEXT),
            "dry_run": {"type": "boolean"},
            "findings": _list(_object({"code": _TEXT})),
        }
    ),
)

RUNS = _titled(
    "What focalcli runs prints, best first",
    _list(
        _object(
            {"run": _TEXT, "status": _TEXT},
            {"epochs": {"type": ["integer", "null"]}, "AP": _NUMBER, "model": {"type": ["string", "null"]}},
        )
    ),
)

METRICS = _titled(
    "A line of a run's metrics.jsonl",
    _object({"kind": {"enum": ["start", "step", "evaluation"]}, "step": _COUNT}, dict.fromkeys(_COCO, _NUMBER)),
)

DOCTOR = _titled(
    "What focalcli doctor prints",
    _object(
        {
            "schema": {"const": "focalcli.doctor/1"},
            "checks": _list(
                _object(
                    {
                        "name": _TEXT,
                        "state": {"enum": ["ok", "info", "warning", "failure"]},
                        "fact": _TEXT,
                        "remedy": _TEXT,
                    }
                )
            ),
        }
    ),
)

VERIFICATION = _titled(
    "What focalcli verify prints",
    _object({"file": _TEXT, "checks": _list(_object({"name": _TEXT, "holds": {"type": "boolean"}, "seen": _TEXT}))}),
)

SETTINGS = _titled(
    "What focalcli config show --json prints; a key of no verb is shared",
    _list(_object({"verb": _TEXT, "key": _TEXT, "value": {}, "origin": _TEXT})),
)

_FOUND = _object({"box": _list({"type": "number"}, minItems=4, maxItems=4), "class": _TEXT})
FIX = _titled(
    "A line of fixes.jsonl, which focalcli insight audit writes",
    _object(
        {"schema": {"const": "focalcli.fix/1"}, "kind": _TEXT, "image": _TEXT, "loss": {"type": "number"}},
        {"suggested": _FOUND, "label": _FOUND, "annotation_id": {"type": "integer"}, "origin": _TEXT},
    ),
)

ERROR = _titled(
    "The last line of stderr under --error-format json",
    _object(
        {
            "error": _object(
                {
                    "code": {"type": "string", "description": "The kind of error, stable."},
                    "exit": {"type": "integer", "description": "The exit code."},
                    "message": {"type": "string", "description": "The line a person would see."},
                    "place": {"type": "string", "description": "The file, option or record at fault."},
                    "remedy": {"type": "string", "description": "What to do about it, or nothing."},
                }
            )
        }
    ),
)
