"""Schemas are JSON Schema, one for each thing we write or read; the configuration's follows the verbs."""

import json

from focalcli.cli.schema import SCHEMAS, of


def test_the_schemas_can_be_listed(shell) -> None:
    assert shell("schema").stdout.split() == list(SCHEMAS)


def test_each_schema_names_its_dialect(shell) -> None:
    for name in SCHEMAS:
        done = shell("schema", name)
        assert json.loads(done.stdout)["$schema"].startswith("https://json-schema.org/"), done.stderr


def test_an_unknown_schema_is_an_error_of_usage(shell) -> None:
    done = shell("schema", "confg")
    assert (done.returncode, done.stderr) == (2, "error: focalcli schema: no such schema confg, did you mean config?\n")


def test_the_configuration_schema_holds_types_limits_and_defaults(shell) -> None:
    schema = of("config")
    fit = schema["properties"]["fit"]
    assert (schema["additionalProperties"], fit["additionalProperties"]) == (False, False)
    assert fit["properties"]["seed"] == {"type": "integer", "description": "Where chance starts.", "default": 0}
    epochs = fit["properties"]["epochs"]
    assert (epochs["type"], epochs["minimum"], epochs["default"]) == ("integer", 1, 20)
    assert fit["properties"]["augment"]["enum"] == ["none", "light"]
    assert fit["properties"]["sizes"]["items"]["minimum"] == 16
    assert fit["properties"]["keep"]["type"] == "array"
    assert schema["properties"]["seed"]["type"] == "integer"
