"""`focalcli schema`: the JSON Schema of everything we write or read as JSON or TOML, for editors and scripts."""

import json
from importlib import import_module
from typing import Annotated, Any

import typer

from focalcli.cli.result_schemas import DIALECT
from focalcli.cli.settings import SHARED, key_of
from focalcli.errors import UsageError, did_you_mean

# name -> where it is defined: a msgspec struct, a schema as a dict, or a function that gives one
SCHEMAS: dict[str, str] = {
    "calibration": "focalcli.cli.result_schemas:CALIBRATION",
    "certificate": "focalcli.export.certificate:Certificate",
    "comparison": "focalcli.cli.result_schemas:COMPARISON",
    "config": "focalcli.cli.schema:of_config",
    "conversion": "focalcli.cli.result_schemas:CONVERSION",
    "detections": "focalcli.inference.schemas:DETECTIONS",
    "doctor": "focalcli.cli.result_schemas:DOCTOR",
    "error": "focalcli.cli.result_schemas:ERROR",
    "evaluation": "focalcli.cli.result_schemas:EVALUATION",
    "fix": "focalcli.cli.result_schemas:FIX",
    "inspection": "focalcli.cli.result_schemas:INSPECTION",
    "metrics": "focalcli.cli.result_schemas:METRICS",
    "model": "focalcli.config:ModelConfig",
    "runs": "focalcli.cli.result_schemas:RUNS",
    "settings": "focalcli.cli.result_schemas:SETTINGS",
    "validation": "focalcli.cli.result_schemas:VALIDATION",
    "verification": "focalcli.cli.result_schemas:VERIFICATION",
}

_TYPES: dict[str, dict[str, Any]] = {
    "boolean": {"type": "boolean"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
}


def schema(
    name: Annotated[str | None, typer.Argument(help="The schema to print; without it, all names, one a line.")] = None,
) -> None:
    """Print the JSON Schema of a file or stream, for editors and scripts.

    Within a major version schemas only grow.

    Example:
        focalcli schema config > focalcli.schema.json
    """
    if name is None:
        print("\n".join(SCHEMAS))
        return
    if name not in SCHEMAS:
        raise UsageError("focalcli schema", f"no such schema {name}", did_you_mean(name, SCHEMAS))
    print(json.dumps(of(name), indent=2))


def of(name: str) -> dict[str, Any]:
    """Give the schema of that name."""
    module, _, attribute = SCHEMAS[name].partition(":")
    source = getattr(import_module(module), attribute)
    if isinstance(source, dict):
        return source
    if hasattr(source, "__struct_fields__"):
        import msgspec

        return {"$schema": DIALECT, **msgspec.json.schema(source)}
    made: dict[str, Any] = source()
    return made


def of_config() -> dict[str, Any]:
    """Give the schema of `focalcli.toml`: one table a verb, one key an option, and the shared keys above."""
    from focalcli.cli.app import VERBS, command

    tables: dict[str, Any] = {}
    shared: dict[str, Any] = {}
    for verb in VERBS:
        keys = {key_of(parameter): _of_parameter(parameter) for parameter in command(verb).params}
        tables[verb] = {"type": "object", "description": VERBS[verb].help, "properties": keys}
        tables[verb]["additionalProperties"] = False
        shared |= {key: keys[key] for key in SHARED if key in keys and key not in shared}
    return {
        "$schema": DIALECT,
        "title": "focalcli.toml",
        "type": "object",
        "properties": {key: shared[key] for key in SHARED if key in shared} | tables,
        "additionalProperties": False,
    }


def _of_parameter(parameter: Any) -> dict[str, Any]:
    schema = _of_type(parameter.type)
    if parameter.multiple or parameter.nargs != 1:
        schema = {"type": "array", "items": schema}
    if parameter.help:
        schema["description"] = " ".join(parameter.help.split())
    if isinstance(parameter.default, (bool, int, float, str)):
        schema["default"] = parameter.default
    return schema


def _with_none(schema: dict[str, Any]) -> dict[str, Any]:
    """Put the word `none` in the place of null, for which TOML has no sign."""
    nothing = {"type": "null"}
    if nothing not in schema.get("anyOf", []):
        return schema
    return {**schema, "anyOf": [{"const": "none"} if way == nothing else way for way in schema["anyOf"]]}


def _of_type(kind: Any) -> dict[str, Any]:
    annotation = getattr(getattr(kind, "func", None), "annotation", None)
    if annotation is not None:  # an option made from a struct's field knows more than Typer
        import msgspec

        return _with_none(msgspec.json.schema(annotation))
    if choices := getattr(kind, "choices", None):
        return {"enum": list(choices)}
    schema = dict(_TYPES.get(kind.name.split()[0], {"type": "string"}))
    for limit, word in (("min", "minimum"), ("max", "maximum")):
        if getattr(kind, limit, None) is not None:
            schema[word] = getattr(kind, limit)
    return schema
