"""Schemas are JSON Schema, one for each thing we write or read; the configuration's follows the verbs."""

import json
import tomllib
from pathlib import Path

import pytest

from focalcli.cli.config import template
from focalcli.cli.schema import SCHEMAS, of
from focalcli.images.synthetic_set import write_bay


def test_the_schemas_can_be_listed(shell) -> None:
    assert shell("schema").stdout.split() == list(SCHEMAS)


def test_each_schema_names_its_dialect(shell) -> None:
    for name in SCHEMAS:
        done = shell("schema", name)
        assert json.loads(done.stdout)["$schema"].startswith("https://json-schema.org/"), done.stderr


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_is_one(name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(of(name))


def test_what_verbs_print_keeps_to_their_schemas(shell, valid) -> None:
    """Cheap verbs here; the tests of `evaluate`, `compare`, `calibrate`, `verify`, `detect` do the same with theirs."""
    write_bay(Path("coco"), 6, size=160, seed=0)
    valid("inspection", json.loads(shell("inspect", "coco").stdout))
    valid("validation", json.loads(shell("validate", "coco", "--fix", "fixed").stdout))
    assert shell("convert", "coco", "yolo", "--to", "yolo", "--report", "report.json").returncode == 0
    valid("conversion", json.loads(Path("report.json").read_text()))
    valid("settings", json.loads(shell("config", "show", "train", "--json").stdout))
    valid("doctor", json.loads(shell("doctor", "--no-self-test").stdout))
    valid("error", json.loads(shell("inspect", "nowhere", "--error-format", "json").stderr.splitlines()[-1]))
    valid("metrics", {"kind": "step", "step": 1, "loss": 0.5})


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


def test_the_configuration_template_and_the_word_none_fit_the_schema(valid) -> None:
    valid("config", tomllib.loads(template()))
    valid("config", {"seed": 3, "train": {"min_size": "none", "alpha": "auto"}, "detect": {"batch": "auto"}})
    with pytest.raises(Exception, match="'epoch' was unexpected"):
        valid("config", {"train": {"epoch": 3}})
